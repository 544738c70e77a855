"""Two of anything that has probabilities, compared: runs, committees, lines of several trainings."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, Unpack

import numpy as np

from toile.api.runs import find_run
from toile.api.shown import Comparison
from toile.api.studies import is_study, plan, say_which, within
from toile.api.where import Where
from toile.arrays import Positions, Probabilities
from toile.data.dataset import Images
from toile.data.parts.splits import Parts, split
from toile.errors import Misuse, ToileError
from toile.evaluation.metrics import METRICS
from toile.evaluation.predictions import Predictions
from toile.evaluation.repeated import a_margin
from toile.runner.plans import committees
from toile.runner.plans.groups import Member, whole
from toile.runner.plans.names import of_committees, trial_named
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store.run import Run
from toile.store.store import Store
from toile.text import counted, listed

Key = tuple[int, int | None] | None


@dataclass(frozen=True)
class _One:
    """What one training or committee says, and of which images: the content of their data set, and where in it the split drew
    them (None where it brings them)."""

    said: Predictions
    content: str
    drawn: Positions | None


@dataclass(frozen=True)
class _Said:
    """What a reference means: by seed and fold. `held_out`: of folds, their images divided by those trained on. `folds`: a line
    of them with its plan; each says something of the images that it held out, and all of the test images."""

    by_key: dict[Key, _One]
    held_out: float | None = None
    folds: tuple[Plan, list[PlannedTrial]] | None = None

    @property
    def single(self) -> bool:
        """Whether it is one training, or of several seeds that all decide the same, as a model does for which nothing is
        drawn."""
        line = list(self.by_key.values())
        return len(line) == 1 or (self.held_out is None and len(line) > 1 and all(_alike(line[0], one) for one in line[1:]))

    def beside(self, other: _Said) -> _Said:
        """The same, or of a line of folds beside what says something of the test images, such as a committee, what it says of
        these: each fold beside one of folds, and beside any other the folds of a seed together, as members of a committee."""
        if self.folds is None or any(one.said.split != "test" for one in other.by_key.values()):
            return self
        made, stored = self.folds
        if any(key is not None and key[1] is not None for key in other.by_key):
            members = {_key(one): Member(one.name, (one,)) for one in stored}
        else:
            together = whole({(one.trial.seed, one.trial.fold): one for one in stored})
            members = {(seed, None): one for seed, one in together if len(one.trainings) == stored[0].trial.split.folds}
        by_key: dict[Key, _One] = {
            key: _one(one.name, committees.test_of(made, one).probabilities, made.parts(one.trainings[0]), "test")
            for key, one in members.items()
        }
        return _Said(by_key, other.held_out)


def compare(a: str, b: str, *, margin: float | None = None, **where: Unpack[Where]) -> Comparison:
    """Whether two stored runs, committees, or lines of several trainings differ, by a paired test.

    Args:
        a, b: a fingerprint's first digits, STUDY/TRIAL or STUDY/COMMITTEE. One that has several seeds or folds is meant with
            all of them, unless its name says which: `STUDY/TRIAL (seed 0)`. Beside what was judged on the test images, such as
            a committee, a line of folds is judged on them too, all folds of a seed together where the other is no fold.
        margin: of accuracy, between 0 and 1: whether the two are equivalent within so much, or one at least not worse by it.

    Returns:
        Of single ones, what `toile.evaluation.comparison.compare` gives; of several, what `compare_lines` there gives. Models
        that decide the same with every seed are single ones.

    Raises:
        Misuse: no test images, other images, no two trainings of the same seed and fold, or a margin that is none.
        ToileError: one of them is not stored.
    """
    from toile.evaluation import comparison

    if margin is not None:
        a_margin(margin)
    # What of a study is meant says nothing of a run by its digits beside it.
    there: Where = {"store": where.get("store")} if "/" in a + b else where
    ours, its = (_said(one, **(where if "/" in one else there)) for one in (a, b))
    ours, its = ours.beside(its), its.beside(ours)
    shared = [key for key in ours.by_key if key in its.by_key]
    if ours.single and its.single:
        return Comparison(_over_images((a, b), list(ours.by_key.values()), list(its.by_key.values()), margin))
    if len(shared) > 1:
        pairs = [_pair((a, b), ours.by_key[key], its.by_key[key]) for key in shared]
        left, right = [one for one, _ in pairs], [other for _, other in pairs]
        folds = None if ours.held_out is None else [key[1] for key in shared if key is not None and key[1] is not None]
        return Comparison(comparison.compare_lines(left, right, (a, b), margin, ours.held_out, folds))
    raise Misuse(
        f"{a!r} has {counted(len(ours.by_key), 'training')} and {b!r} has {len(its.by_key)}, of which {len(shared)} are of "
        f"the same seed and fold; two such pairs are needed. A single one is meant by its whole name, "
        "such as 'STUDY/TRIAL (seed 0)'"
    )


def _pair(names: tuple[str, str], a: _One, b: _One) -> tuple[Predictions, Predictions]:
    """What both say, if it is of the same images of a data set. Other data sets may have the same images in another form.

    Raises:
        Misuse: their splits drew different ones.
    """
    if a.content == b.content and a.said.split == b.said.split and not _drawn_alike(a, b):
        raise Misuse(f"{names[0]!r} and {names[1]!r} are of different images: their splits draw different ones")
    return a.said, b.said


def _over_images(names: tuple[str, str], ours: list[_One], its: list[_One], margin: float | None) -> dict[str, Any]:
    """Two single ones. Of seeds that decide the same and are not as sure of it, losses are means over them; an interval over
    the images would be of one seed."""
    from toile.evaluation import comparison

    found = comparison.compare(*_pair(names, ours[0], its[0]), names, margin)
    lines = [[one.said for one in line] for line in (ours, its)]
    if all(np.array_equal(line[0].probabilities, one.probabilities) for line in lines for one in line[1:]):
        return found
    a, b = losses = [fmean(METRICS["loss"].function(one.probabilities, one.labels) for one in line) for line in lines]
    return {**found, "losses": losses, "loss_difference": a - b, "loss_interval": [None, None]}


def _alike(one: _One, other: _One) -> bool:
    """Whether two trainings decide the same of the same images."""
    return _drawn_alike(one, other) and np.array_equal(one.said.predicted, other.said.predicted)


def _drawn_alike(a: _One, b: _One) -> bool:
    return a.drawn is b.drawn if a.drawn is None or b.drawn is None else np.array_equal(a.drawn, b.drawn)


def _said(reference: str, **where: Unpack[Where]) -> _Said:
    if is_study(reference):
        made = plan(reference, fresh=False, **where)
        raise say_which(reference, [*of_committees(made), *(one.name for one in made.trials)])
    if "/" in reference:
        made, name = within(reference, **where)
        if committees.called(made, name):
            return _committees(made, name)
        several = [one for one in made.trials if one.line == name]
        if len(several) > 1 and not any(one.name == name for one in made.trials):
            return _line(made, several)
        return _Said({_key(trial_named(made, name)): _tested(reference, **where)})
    return _Said({None: _tested(reference, **where)})


def _committees(made: Plan, name: str) -> _Said:
    from toile.reports.results.gather import of_line

    if not (found := of_line(made, name)):
        raise ToileError(f"not all members of {name!r} are stored; `toile run {made.called}` trains what is missing")
    held_out = next((_held_out(one) for one in made.trials if one.trial.fold is not None), None)
    if len(found) > 1 and any(one.key is None for one in found):  # across seeds, once for each fold
        raise Misuse(
            f"{name!r} is {len(found)} committees, each of the seeds of another fold; name one: "
            f"{listed(one.name for one in found)}"
        )
    over_folds = any(one.key is not None and one.key[1] is not None for one in found)
    by_key: dict[Key, _One] = {}
    for one in found:
        trial = next(iter(one.joined[0].trainings.values())).intent()
        by_key[one.key] = _one(one.name, one.probabilities, split(made.dataset, trial.split, trial.fold), "test")
    return _Said(by_key, held_out if over_folds else None)


def _line(made: Plan, trainings: list[PlannedTrial]) -> _Said:
    """All stored trainings of a line: of folds, what each says of the images that it held out."""
    stored = [one for one in trainings if made.run_of(one)]
    if not stored:
        made.stored_run(trainings[0])
    folds = trainings[0].trial.fold is not None
    part = "validation" if folds else "test"
    by_key: dict[Key, _One] = {_key(one): _one(one.name, made.stored_run(one), made.parts(one), part) for one in stored}
    return _Said(by_key, _held_out(trainings[0]), (made, stored)) if folds else _Said(by_key)


def _tested(reference: str, **where: Unpack[Where]) -> _One:
    """What a single stored run says of its test images."""
    found = find_run(reference, **where)
    trial = found.intent()
    dataset = Store.at(where.get("store")).dataset(trial.dataset.content)
    return _one(reference, found, split(dataset, trial.split, trial.fold), "test")


def _one(called: str, of: Run | Probabilities, parts: Parts, part: Literal["validation", "test"]) -> _One:
    """What a run has stored, or these probabilities, of a part.

    Raises:
        Misuse: there is no such part.
    """
    images: Images | None = getattr(parts, part)
    if images is None:
        raise Misuse(f"{called!r} has no test images to be compared on: it is a fold of a data set that brings none")
    said = of.probabilities(part, len(images)) if isinstance(of, Run) else of
    return _One(Predictions(part, said, images.labels), parts.dataset.content, parts.indices.get(part))


def _key(planned: PlannedTrial) -> Key:
    return planned.trial.seed, planned.trial.fold


def _held_out(planned: PlannedTrial) -> float:
    return 1 / (((planned.trial.split.folds or 2) - 1) * planned.trial.split.fraction)
