"""A study's committee from stored predictions: its rule fitted where it has to be, members combined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from toile.committee import log_pool, stacking, weights
from toile.committee.diversity import mean_of_members
from toile.committee.rules import Fitted, combine
from toile.evaluation.metrics import evaluate
from toile.evaluation.predictions import Predictions
from toile.study.spec import CommitteeSpec


@dataclass(frozen=True)
class Assembled:
    """A committee at work: its weights, its own predictions and figures on the test split, and its members' means."""

    weights: Fitted | None
    predictions: Predictions
    test: dict[str, Any]
    mean_of_members: dict[str, float]


def assemble(
    spec: CommitteeSpec,
    test: Sequence[Predictions],
    unseen: Sequence[Predictions] = (),
) -> Assembled:
    """Combine members as a study says.

    Args:
        test: each member's predictions of the test split.
        unseen: each member's of images that it was not trained on, of the validation split or out of folds; needed where
            `spec.fitted`.

    Raises:
        Misuse: members that do not go together.
    """
    found = FITS[spec.rule](unseen) if spec.fitted else spec.weights
    predictions = combine(test, spec.rule, found)
    figures = evaluate(predictions.probabilities, predictions.labels)
    members = [evaluate(member.probabilities, member.labels) for member in test]
    return Assembled(found, predictions, figures, mean_of_members(members))


# How a rule's weights are found, for rules that have some.
FITS: dict[str, Callable[[Sequence[Predictions]], Fitted]] = {
    "weighted-mean": weights.fit,
    "log-pool": log_pool.fit,
    "stack": stacking.fit,
}
