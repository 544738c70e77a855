"""A study's committee from stored predictions: weights fitted where the study asks for it, members combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from toile.committee.diversity import mean_of_members
from toile.committee.rules import combine
from toile.committee.weights import fit
from toile.evaluation.metrics import evaluate
from toile.evaluation.predictions import Predictions
from toile.study.spec import CommitteeSpec


@dataclass(frozen=True)
class Assembled:
    """A committee at work: its weights, its own predictions and figures on the test split, and its members' means."""

    weights: tuple[float, ...] | None
    predictions: Predictions
    test: dict[str, Any]
    mean_of_members: dict[str, float]


def assemble(
    spec: CommitteeSpec,
    test: Sequence[Predictions],
    validation: Sequence[Predictions] = (),
) -> Assembled:
    """Combine members as a study says.

    Args:
        test: each member's predictions of the test split.
        validation: each member's of the validation split; needed where `spec.weights` is "fit".

    Raises:
        Misuse: members that do not go together.
    """
    weights = fit(validation) if spec.weights == "fit" else spec.weights
    predictions = combine(test, spec.rule, weights)
    figures = evaluate(predictions.probabilities, predictions.labels)
    members = [evaluate(member.probabilities, member.labels) for member in test]
    return Assembled(weights, predictions, figures, mean_of_members(members))
