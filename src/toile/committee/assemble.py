"""A study's committee from stored predictions: chosen and fitted where it has to be, joined, calibrated, judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toile.committee import log_pool, selection, stacking, weights
from toile.committee.diversity import mean_of_members
from toile.committee.rules import Fitted, combine
from toile.committee.selection import Selection
from toile.evaluation.calibrators import Calibration, calibrate
from toile.evaluation.metrics import evaluate
from toile.evaluation.predictions import Predictions
from toile.study.committee import CommitteeSpec


@dataclass(frozen=True)
class Assembled:
    """A committee at work, judged on the test split.

    Args:
        members: which of those that were given are in it, in their order: all, but of a selection.
        weights: of the rule; None where it takes none.
        calibration: what is done after the rule, if anything.
        joint: its predictions before the calibration.
        predictions: its predictions.
        test: their figures.
        mean_of_members: means of the members' own figures.
        selection: how the members were chosen, if they were.
    """

    members: tuple[int, ...]
    weights: Fitted | None
    calibration: Calibration | None
    joint: Predictions
    predictions: Predictions
    test: dict[str, Any]
    mean_of_members: dict[str, float]
    selection: Selection | None = None


def assemble(
    spec: CommitteeSpec,
    test: Sequence[Predictions],
    unseen: Sequence[Predictions] = (),
    costs: Mapping[str, Sequence[float]] | None = None,
) -> Assembled:
    """Join members as a study says.

    Args:
        test: each member's predictions of the test split.
        unseen: each member's of images that it was not trained on, of the validation split or out of folds; needed where
            something is fitted.
        costs: what each member costs, by the names of the study's budgets.

    Raises:
        Misuse: members that do not go together.
    """
    chosen, how = tuple(range(len(test))), None
    found: Fitted | None = spec.weights if isinstance(spec.weights, tuple) else None
    if spec.rule == "greedy":
        how = selection.select(unseen, spec.budgets, costs)
        chosen = tuple(int(i) for i in np.flatnonzero(how.weights))
        found = tuple(how.weights[i] for i in chosen)
    elif spec.fitted:
        found = FITS[spec.rule](unseen)
    joint = combine([test[i] for i in chosen], spec.rule, found)
    calibration, predictions = None, joint
    if spec.calibrated:
        calibration = calibrate(spec.calibrated, combine([unseen[i] for i in chosen], spec.rule, found))
        predictions = Predictions(joint.split, calibration(joint.probabilities), joint.labels)
    own = [evaluate(test[i].probabilities, test[i].labels) for i in chosen]
    return Assembled(
        chosen, found, calibration, joint, predictions, evaluate(predictions.probabilities, predictions.labels),
        mean_of_members(own), how,
    )  # fmt: skip


# How a rule's weights are found, for rules that have some.
FITS: dict[str, Callable[[Sequence[Predictions]], Fitted]] = {
    "weighted-mean": weights.fit,
    "log-pool": log_pool.fit,
    "stack": stacking.fit,
    "greedy": selection.fit,
}
