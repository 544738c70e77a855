"""What came of a search: its proposals by what they say of the validation images, and what the best of them owes to luck."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from toile.arrays import PerImage
from toile.evaluation.folds import folds
from toile.evaluation.metrics import loss_per_image, right_per_image
from toile.evaluation.multiplicity import holm
from toile.evaluation.predictions import Predictions
from toile.evaluation.significance import LEVEL, mcnemar
from toile.runner.plans import committees
from toile.runner.plans.planned import PlannedTrial
from toile.search.pruning import FAILED
from toile.search.searched import Searched
from toile.search.walk import Proposal, Walk
from toile.store.run import Run

_FOLDS = 5


@dataclass(frozen=True)
class Entry:
    """A proposal at the number of epochs at which it did best.

    Args:
        epochs: so many of `whole`.
        figure: of the validation images, as the metric gives it: a mean over seeds and folds.
        trainings: at these epochs, one for each seed and fold.
        runs: theirs.
        seconds: of one core, for all trainings of the proposal.
        said: for each seed, what its trainings say of the validation images; of folds, of all images by who held them out.
    """

    proposal: Proposal
    epochs: int
    figure: float
    trainings: tuple[PlannedTrial, ...]
    runs: tuple[Run, ...]
    seconds: float
    said: tuple[Predictions, ...]

    @property
    def name(self) -> str:
        return self.trainings[0].line

    @property
    def whole(self) -> int:
        return self.proposal.rungs[-1]

    def per_image(self, metric: str) -> PerImage:
        """`(images,)`: how good it is on each validation image, of which more is better; a mean over the seeds."""
        if metric == "accuracy":
            return np.mean([right_per_image(one.probabilities, one.labels) for one in self.said], axis=0)
        return -np.mean([loss_per_image(one.probabilities, one.labels) for one in self.said], axis=0)


@dataclass(frozen=True)
class Outcome:
    """All entries, the best first, each proposal once. The first one is the pick: the validation images chose it.

    `course` is how it came to that: core seconds so far, and the best figure so far, one pair a step that made it better.
    """

    metric: str
    entries: tuple[Entry, ...]
    course: tuple[tuple[float, float], ...]

    @property
    def pick(self) -> Entry:
        return self.entries[0]

    @cached_property
    def elsewhere(self) -> float:
        """The figure of a pick on images that it was not picked on: picked on four fifths of the validation images, as the best
        of all entries there, and judged on the other fifth, five times. It says how good the best of so many looks by chance.
        """
        good = np.stack([one.per_image(self.metric) for one in self.entries])
        fold = folds(self.pick.said[0].labels, _FOLDS)
        held = np.empty(good.shape[1])
        for number in range(_FOLDS):
            out = fold == number
            chosen = (good if out.all() else good[:, ~out]).mean(axis=1)
            # Of several that are as good there, their mean: the order in which they come is that of all images, and so knows
            # who is better on those that are held out.
            held[out] = good[chosen > chosen.max() - 1e-9][:, out].mean(axis=0)
        return float(held.mean()) * (1 if self.metric == "accuracy" else -1)

    @cached_property
    def apart(self) -> tuple[bool, ...]:
        """Whether each entry can be told from the pick: by McNemar's test on the validation images, of the first seed,
        corrected for so many tests (Holm)."""
        first = self.pick.said[0]
        corrected = holm([mcnemar(first, one.said[0]).p_value for one in self.entries[1:]])
        return (False, *(bool(p < LEVEL) for p in corrected))


def outcome(plan: Searched) -> Outcome | None:
    """What came of a plan's search so far; None where nothing did."""
    walk, metric = plan.walk, plan.walk.spec.metric
    found: dict[str, Entry] = {}
    course: list[tuple[float, float]] = []
    seconds: dict[int, float] = {}
    best: dict[int, int] = {}
    spent, top = 0.0, FAILED
    for i, known in enumerate(walk.outcomes):
        if known is None or known.value == FAILED:
            continue
        number = walk.steps[i].proposal
        spent += known.seconds
        seconds[number] = seconds.get(number, 0.0) + known.seconds
        before = best.get(number)
        if before is None or known.value > _value(walk, before):
            best[number] = i
        if known.value > top:
            top = known.value
            course.append((spent, abs(top)))
    order = sorted(best, key=lambda number: (-_value(walk, best[number]), number))
    for number in order:
        entry = _entry(plan, best[number], seconds[number])
        if entry is not None:
            found.setdefault(walk.proposals[number].said, entry)
    return Outcome(metric, tuple(found.values()), tuple(course)) if found else None


def _entry(plan: Searched, i: int, seconds: float) -> Entry | None:
    walk = plan.walk
    trainings = walk.trials(i)
    runs = [plan.store.sound(one.fingerprint, plan.judged(one)) for one in trainings]
    if any(run is None for run in runs):
        return None
    by_seed: dict[int, list[PlannedTrial]] = {}
    for one in trainings:
        by_seed.setdefault(one.trial.seed, []).append(one)
    said = (committees.unseen_of(plan, committees.Member(own[0].line, tuple(own))) for own in by_seed.values())
    return Entry(
        proposal=walk.proposals[walk.steps[i].proposal],
        epochs=walk.epochs(i),
        figure=abs(_value(walk, i)),
        trainings=trainings,
        runs=tuple(run for run in runs if run is not None),
        seconds=seconds,
        said=tuple(said),
    )


def _value(walk: Walk, i: int) -> float:
    known = walk.outcomes[i]
    assert known is not None
    return known.value
