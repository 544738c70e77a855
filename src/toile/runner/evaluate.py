"""Figures on the training images for runs of before they were stored with each run: from the kept models, without training."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from toile.data.parts.splits import split
from toile.evaluation import metrics
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store import checked
from toile.store.checked import Damaged
from toile.store.run import Run
from toile.workers.evaluate import evaluate as judge

# So many models are asked in one process: what a process that is stopped half-way had found is lost.
TOGETHER = 8


def lacking(plan: Plan, only: Iterable[str] = ()) -> list[tuple[PlannedTrial, Run]]:
    """Stored runs of the plan without figures on the training images, or without the penalty that their loss may be published
    with, each once.

    Classical models are not among them: a support vector machine takes minutes to answer for what it was fitted to.
    """
    found: dict[str, tuple[PlannedTrial, Run]] = {}
    for one in plan.matching(only):
        run = plan.run_of(one)
        if run is not None and one.trial.learner != "classical":
            train = run.metrics.get("train")
            if train is None or (_penalised(one) and "penalty" not in train):
                found.setdefault(one.fingerprint, (one, run))
    return list(found.values())


def _has_model(run: Run) -> bool:
    """Whether the model is what was written; one that is not is named."""
    try:
        _ = run.model
    except Damaged as error:
        checked.say_left_out(run.fingerprint, error)
        return False
    return True


def _penalised(planned: PlannedTrial) -> bool:
    """Whether regularisers add to the loss. (The NumPy network's penalty is of its own training alone.)"""
    strengths = (value for key, value in planned.trial.architecture.options.items() if key.endswith("l2"))
    return planned.trial.learner == "keras" and any(np.any(value) for value in strengths)


def evaluate(plan: Plan, only: Iterable[str] = (), tell: Callable[[str], None] = lambda _: None) -> list[str]:
    """Compute what `lacking` names, and keep it beside each run.

    Models that learned from the same images are asked together, each by its own backend.

    Args:
        only: patterns of trials, as a run takes them.
        tell: called with a line of text for each run that got its figures.

    Returns:
        Fingerprints of the runs that got figures.

    Raises:
        ToileError: the store has not the data set, or a model cannot be loaded. (A damaged one is named and left out.)
    """
    groups: dict[tuple[str, str, str], list[tuple[PlannedTrial, Run]]] = defaultdict(list)
    for one, run in lacking(plan, only):
        canonical = json.loads(one.trial.canonical())
        how = json.dumps([canonical["split"], canonical["fold"]], sort_keys=True)
        groups[one.trial.backend, one.trial.dataset.content, how].append((one, run))
    done = []
    for (backend, content, _), members in groups.items():
        trial = members[0][0].trial
        train = split(plan.store.dataset(content), trial.split, trial.fold).train
        for at in range(0, len(members), TOGETHER):
            some = [(one, run) for one, run in members[at : at + TOGETHER] if _has_model(run)]
            if not some:
                continue
            found = judge([run.model for _, run in some], backend, train.images)
            for (one, run), judged in zip(some, found, strict=True):
                figures = metrics.evaluate(judged.probabilities, train.labels)
                run.add_later({"train": figures | ({"penalty": judged.penalty} if judged.penalty else {})})
                tell(f"{one.name}: {figures['accuracy']:.4f} on {len(train):,} training images")
                done.append(run.fingerprint)
    return done
