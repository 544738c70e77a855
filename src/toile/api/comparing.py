"""Two of anything that has probabilities, compared: runs, committees, lines of several trainings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from toile.api.runs import find_run
from toile.api.shown import Comparison
from toile.api.studies import within
from toile.api.where import Where
from toile.data.parts.splits import split
from toile.errors import Misuse, ToileError
from toile.evaluation.predictions import Predictions
from toile.evaluation.repeated import positive
from toile.runner.plans.groups import trial_named
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store.store import Store

Key = tuple[int, int | None] | None


@dataclass(frozen=True)
class _Said:
    """What a reference means: predictions by seed and fold. `held_out`: of folds, their images divided by those trained on."""

    by_key: dict[Key, Predictions]
    held_out: float | None = None


def compare(a: str, b: str, *, margin: float | None = None, **where: Unpack[Where]) -> Comparison:
    """Whether two stored runs, committees, or lines of several trainings differ, by a paired test.

    Args:
        a, b: a fingerprint's first digits, STUDY/TRIAL or STUDY/COMMITTEE. One that has several seeds or folds is meant with
            all of them, unless its name says which: `STUDY/TRIAL (seed 0)`.
        margin: of accuracy, above 0: whether the two are equivalent, within so much.

    Returns:
        Of single ones, what `toile.evaluation.comparison.compare` gives; of several, what `compare_lines` there gives.

    Raises:
        Misuse: no test images, other images, no two trainings of the same seed and fold, or a margin that is none.
        ToileError: one of them is not stored.
    """
    from toile.evaluation import comparison

    if margin is not None:
        positive(margin)
    ours, its = _said(a, **where), _said(b, **where)
    shared = [key for key in ours.by_key if key in its.by_key]
    if len(shared) > 1:
        left, right = ([one.by_key[key] for key in shared] for one in (ours, its))
        return Comparison(comparison.compare_lines(left, right, (a, b), margin, ours.held_out))
    if len(ours.by_key) == len(its.by_key) == 1:
        (one,), (other,) = ours.by_key.values(), its.by_key.values()
        return Comparison(comparison.compare(one, other, (a, b), margin))
    raise Misuse(
        f"{a!r} has {len(ours.by_key)} trainings and {b!r} has {len(its.by_key)}, of which {len(shared)} are of the same seed "
        f"and fold; two such pairs are needed. A single one is meant by its whole name, such as 'STUDY/TRIAL (seed 0)'"
    )


def _said(reference: str, **where: Unpack[Where]) -> _Said:
    if "/" in reference:
        made, name = within(reference, **where)
        if any(name == spec.name or name.startswith(f"{spec.name} (") for spec in made.study.committee):
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
    test = made.dataset.test or made.parts(made.trials[0]).test
    if test is None:
        raise Misuse(f"{made.reference} has no test images to compare committees on")
    held_out = next((_held_out(one) for one in made.trials if one.trial.fold is not None), None)
    over_folds = any(one.key is not None and one.key[1] is not None for one in found)
    by_key = {one.key: Predictions("test", one.probabilities, test.labels) for one in found}
    return _Said(by_key, held_out if over_folds else None)


def _line(made: Plan, trainings: list[PlannedTrial]) -> _Said:
    """All stored trainings of a line: of folds, what each says of the images that it held out."""
    stored = [one for one in trainings if made.run_of(one)]
    if not stored:
        made.stored_run(trainings[0])
    folds = trainings[0].trial.fold is not None
    by_key: dict[Key, Predictions] = {}
    for one in stored:
        parts = made.parts(one)
        images = parts.validation if folds else parts.test
        if images is None:
            raise Misuse(f"{one.name!r} has no test images to be compared on")
        part = "validation" if folds else "test"
        by_key[_key(one)] = Predictions(part, made.stored_run(one).probabilities(part, len(images)), images.labels)
    return _Said(by_key, _held_out(trainings[0]) if folds else None)


def _tested(reference: str, **where: Unpack[Where]) -> Predictions:
    """What a single stored run says of its test images."""
    found = find_run(reference, **where)
    trial = found.intent()
    test = split(Store.at(where.get("store")).dataset(trial.dataset.content), trial.split, trial.fold).test
    if test is None:
        raise Misuse(f"{reference} has no test images to be compared on: it is a fold of a data set that brings none")
    return Predictions("test", found.probabilities("test", len(test)), test.labels)


def _key(planned: PlannedTrial) -> Key:
    return planned.trial.seed, planned.trial.fold


def _held_out(planned: PlannedTrial) -> float:
    return 1 / ((planned.trial.split.folds or 2) - 1)
