"""A study's committee from stored predictions: chosen and fitted where it has to be, joined, calibrated, judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toile.committee import log_pool, selection, stacking, weights
from toile.committee.diversity import mean_of_members
from toile.committee.rules import Fitted, combine
from toile.committee.selection import Selection
from toile.evaluation.calibrators import Calibration, calibrate
from toile.evaluation.metrics import evaluate
from toile.evaluation.predictions import Predictions
from toile.study.committee import FITTED_RULES, CommitteeSpec


@dataclass(frozen=True)
class Settled:
    """What is chosen and fitted on images that no member was trained on.

    Args:
        members: which of the candidates are in the committee, in their order: all, but of a selection.
        weights: of the rule; None where it takes none.
        calibration: what is done after the rule, if anything.
        selection: how the members were chosen, if they were.
    """

    members: tuple[int, ...]
    weights: Fitted | None
    calibration: Calibration | None = None
    selection: Selection | None = None


@dataclass(frozen=True)
class Assembled:
    """A committee at work, judged on the test split.

    Args:
        settled: who is in it, and what was fitted.
        joint: its predictions before the calibration.
        predictions: its predictions.
        test: their figures.
        mean_of_members: means of the members' own figures.
    """

    settled: Settled
    joint: Predictions
    predictions: Predictions
    test: dict[str, Any]
    mean_of_members: dict[str, float]


def settle(
    rule: str,
    weights: Sequence[float] | Literal["fit"] | None,
    calibration: str | None,
    unseen: Sequence[Predictions],
    budgets: Mapping[str, float] | None = None,
    costs: Mapping[str, Sequence[float]] | None = None,
) -> Settled:
    """Choose and fit what is to be.

    Args:
        rule: a name in `toile.committee.rules.RULES`.
        weights: its weights, or "fit".
        calibration: a name in `toile.evaluation.calibrators.CALIBRATIONS`, or "auto"; None for none.
        unseen: each candidate's predictions of images that it was not trained on, of the validation split or out of folds.
        budgets, costs: of a selection; see `toile.committee.selection.select`.

    Raises:
        TestSetUsed: the predictions are of the test set, which picks nothing.
        Misuse: predictions that do not go together, or of the training set.
    """
    members, how, found = tuple(range(len(unseen))), None, None
    if rule == "greedy":
        how = selection.select(unseen, budgets, costs)
        members = tuple(int(i) for i in np.flatnonzero(how.weights))
        found = tuple(tuple(how.rows(how.picks)[i].tolist()) for i in members)
    elif rule in FITTED_RULES or isinstance(weights, str):
        found = FITS[rule](unseen)
    elif weights is not None:
        found = tuple(float(weight) for weight in np.asarray(weights, np.float64))
    after = calibrate(calibration, combine([unseen[i] for i in members], rule, found)) if calibration else None
    return Settled(members, found, after, how)


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
    if spec.fitted or spec.calibrated:
        settled = settle(spec.rule, spec.weights, spec.calibrated, unseen, spec.budgets, costs)
    else:
        settled = Settled(tuple(range(len(test))), None if isinstance(spec.weights, str) else spec.weights)
    members = [test[i] for i in settled.members]
    joint = predictions = combine(members, spec.rule, settled.weights)
    if settled.calibration is not None:
        predictions = Predictions(joint.split, settled.calibration(joint.probabilities), joint.labels)
    own = [evaluate(member.probabilities, member.labels) for member in members]
    figures = evaluate(predictions.probabilities, predictions.labels)
    return Assembled(settled, joint, predictions, figures, mean_of_members(own))


# How a rule's weights are found, for rules that have some.
FITS: dict[str, Callable[[Sequence[Predictions]], Fitted]] = {
    "weighted-mean": weights.fit,
    "log-pool": log_pool.fit,
    "stack": stacking.fit,
    "greedy": selection.fit,
}
