"""Every packaged study, trained: all of its lines on a few of the digits for one epoch, and the report of what came of it.

The networks of Keras train each in a fork, because a process that trained them all would take gigabytes; the others here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.studies.test_studies import digits, without_network
from tests.training.fixture import train_elsewhere, train_here
from toile import studies
from toile.reports.page.html import render
from toile.reports.results.gather import gather
from toile.runner.plans import plan as plans
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec
from toile.study.reduction import Reduction
from toile.study.spec import StudySpec, TrialSpec

# Of 1,149 training images; 200 principal components need as many.
SMALL = Reduction(fraction=0.2, epochs_scale=1e-4)


# What stands in for networks that would take minutes and gigabytes even for a few of the digits: those for a GPU are as deep as
# they were, and backbones, which tests/models/test_backbones.py builds, are a small one. All else of the trial is its own.
NARROW = {
    "resnet": lambda options: {"widths": [8 for _ in options["widths"]]},
    "transfer": lambda options: {"backbone": "mobilenet", "alpha": 0.25},
}


@cache
def small(study: str) -> StudySpec:
    """The study with backbones that nothing is downloaded for, on this process's backend, its large networks narrow."""
    spec = without_network(studies.load(study).spec)
    return spec.model_copy(update={"trial": tuple(map(narrow, spec.trial)), "backend": "tensorflow"})


def narrow(trial: TrialSpec) -> TrialSpec:
    if trial.architecture.name not in NARROW:
        return trial
    options = {**trial.architecture.options, **NARROW[trial.architecture.name](trial.architecture.options)}
    return trial.model_copy(update={"architecture": trial.architecture.model_copy(update={"options": options})})


def first_of_each_line(plan: Plan) -> list[PlannedTrial]:
    """A trial for each line: the first fold of the first seed. Lines that differ in their epochs alone are one trial now."""
    lines: dict[str, PlannedTrial] = {}
    for planned in plan.trials:
        lines.setdefault(planned.line, planned)
    return list({planned.fingerprint: planned for planned in lines.values()}.values())


@pytest.mark.slow
@pytest.mark.parametrize("study", studies.names())
def test_every_line_trains_and_is_reported(study: str, tmp_path: Path) -> None:
    store, asked = Store(tmp_path), DatasetSpec(name="digits", pool=studies.load(study).spec.dataset.pool)
    data = digits(asked.pool)
    store.keep(data, asked)
    made = plans.make(small(study), study, asked, data, store, SMALL)
    chosen = first_of_each_line(made)
    for planned in chosen:
        (train_elsewhere if planned.trial.learner == "keras" else train_here)(planned.trial, store)
    results = gather(made)
    assert {trial.fingerprint for trial in results.stored} == {planned.fingerprint for planned in chosen}
    assert all(0 <= trial.test["accuracy"] <= 1 and trial.test["loss"] > 0 for trial in results.stored)
    page = render(results)
    assert "reduced to 0.2 of the training images" in page
    assert all(planned.line.split(":")[0] in page for planned in chosen)
