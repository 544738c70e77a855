"""The store as a library of models: its runs on the same images and split as a study's, whoever asked for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toile.data.errors import DataError
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store import checked
from toile.store.checked import Damaged
from toile.store.run import Run
from toile.study.trial import Trial


def others(plan: Plan) -> Iterator[PlannedTrial]:
    """Stored runs that are none of a study's trials, and are judged and held out on the same images as its first one.

    That is told by the content of the data set and of the parts, not by names. Their own names are the architecture and the
    first digits of the fingerprint; the folds of one trial are one line. What is damaged is left out.
    """
    known = {one.fingerprint for one in plan.trials}
    for run in plan.store.runs():
        found = None if run.fingerprint in known else _planned(run)
        if found is not None and _alike(plan, plan.trials[0], found) and plan.run_of(found) is not None:
            yield found


def _planned(run: Run) -> PlannedTrial | None:
    try:
        trial = Trial.parse(checked.read(run.folder / "trial.json").decode("utf-8"))
    except (Damaged, ValueError):  # or another version of toile wrote it
        return None
    first = trial if trial.fold is None else trial.model_copy(update={"fold": 0})
    line = f"{trial.architecture.name} {first.fingerprint[:12]}"
    return PlannedTrial(line if trial.fold is None else f"{line} (fold {trial.fold + 1})", line, trial, None)


def _alike(plan: Plan, one: PlannedTrial, other: PlannedTrial) -> bool:
    """Whether two trials have the same test images, and the same held out; folds together hold out all others."""
    if other.trial.dataset != one.trial.dataset or (other.trial.fold is None) != (one.trial.fold is None):
        return False
    try:
        parts = plan.parts(one), plan.parts(other)
    except DataError:
        return False
    none = np.zeros(0, np.int64)
    ours, its = ([part.indices.get("test", none), part.held_out] for part in parts)
    if one.trial.fold is not None:
        ours, its = ours[:1], its[:1]
    return all(np.array_equal(np.sort(a), np.sort(b)) for a, b in zip(ours, its, strict=True))
