"""Each check finds what it is for in figures made for it, and nothing in figures that are as they should be."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.cli.fixture import TINY, stored_tiny
from tests.runner.fixture import line, make_plan
from toile import api
from toile.data.dataset import Dataset, Images
from toile.data.parts.splits import split
from toile.reports.checks import CHECKS, checks
from toile.reports.page.html import render
from toile.reports.results.gather import gather
from toile.reports.results.result import TrialResult
from toile.reports.results.study import StudyResults
from toile.runner import baselines
from toile.runner.plans import plan as plans
from toile.store.store import Store
from toile.study.data.split import SplitSpec
from toile.study.file.read import StudyError
from toile.study.reduction import Reduction
from toile.study.spec import StudySpec

IMAGES = Images(np.zeros((40, 4, 4, 1), np.uint8), np.arange(40) % 2)


def falling(*losses: float) -> list[dict[str, float]]:
    return [{"epoch": epoch, "validation_loss": loss} for epoch, loss in enumerate(losses, 1)]


GOOD = falling(1.0, 0.6, 0.5, 0.45, 0.44, 0.44, 0.45)


def trained(name: str, *, of_line: str = "", history: Any = GOOD, epochs: int = 7, stopping: Any = None, **accuracy: float):
    """A stored training with these accuracies, on 10,000 images of each part."""
    metrics = {part: {"accuracy": value, "images": 10_000} for part, value in accuracy.items()}
    run = SimpleNamespace(history=history, metrics=metrics)
    trial = {"recipe": {"epochs": epochs, "early_stopping": stopping}, "learner": "keras", "seed": 0, "fold": None}
    return TrialResult(name, name, trial, {}, run, of_line or name)  # type: ignore[arg-type]


def results(*trials: TrialResult, audit: dict[str, Any] | None = None, simple: Any = None, **study: Any) -> StudyResults:
    lines = [{"name": one.name, "architecture": "mlp"} for one in trials if ":" not in one.line]
    spec = StudySpec.model_validate({"title": "t", "dataset": "digits", "trial": lines, **study})
    data = Dataset("digits", IMAGES, IMAGES, ("even", "odd"))
    known = {one.name: simple for one in trials} if simple else {}
    return StudyResults(spec, "t", data, audit or {}, IMAGES, trials, (), baselines=known)


def codes(found: StudyResults) -> list[str]:
    return [one.code for one in checks(found)]


SIMPLE = {
    "majority": {"validation": 0.5, "test": 0.5},
    "logistic": {"validation": 0.8, "test": 0.8},
    "images": 9,
    "seconds": 1.0,
}
SWEEP = {"name": "w", "architecture": "cnn", "grid": {"architecture": {"dropout": [0.0, 0.1, 0.2]}}}


def swept(*accuracies: float) -> StudyResults:
    names = [f"w: dropout={value}" for value in (0.0, 0.1, 0.2)]
    trials = [trained(name, validation=of, test=of) for name, of in zip(names, accuracies, strict=True)]
    return results(*trials, sweep=[SWEEP], trial=[])


FOUND = {
    "T001": results(trained("a", test=0.77, validation=0.77, train=0.9), simple=SIMPLE),
    "T002": results(trained("a", history=falling(1.0, 0.5, 0.6, 0.7, 0.8))),
    "T003": results(trained("a", test=0.81, train=0.7), simple=SIMPLE),
    "T004": results(trained("a", history=falling(1.0, 0.9, 0.8, 0.7, 0.6, 0.5), epochs=6)),
    "T005": swept(0.7, 0.8, 0.9),
    "T006": results(trained("a", test=0.9), audit={"train": {"counts": [900, 50, 50]}}),
    "T007": results(trained("a", validation=0.9, test=0.8)),
    "T008": results(trained("a", test=0.9), audit={"shared": ["3 of 9 test images are in the training images too"]}),
    "T009": results(
        *(trained(f"{name} ({seed})", of_line=name, test=accuracy) for name, values in
          {"a": (0.90, 0.94), "b": (0.89, 0.93)}.items() for seed, accuracy in enumerate(values))
    ),
    "T010": results(trained("a", stopping={"patience": 6})),
}  # fmt: skip
NOT_FOUND = {
    "T001": results(trained("a", test=0.9, validation=0.9, train=0.95), simple=SIMPLE),
    "T002": results(trained("a", history=falling(1.0, 0.5, 0.6, 0.7, 0.8), stopping={"restore_best": True})),
    "T003": results(trained("a", test=0.9, train=0.95), simple=SIMPLE),
    "T004": results(trained("a", history=falling(1.0, 0.9, 0.8, 0.7, 0.6, 0.5), epochs=20)),
    "T005": swept(0.7, 0.9, 0.8),
    "T006": results(trained("a", test=0.9), audit={"train": {"counts": [500, 480, 490]}}),
    "T007": results(trained("a", validation=0.9, test=0.896)),
    "T008": results(trained("a", test=0.9), audit={"shared": []}),
    "T009": results(
        *(trained(f"{name} ({seed})", of_line=name, test=accuracy) for name, values in
          {"a": (0.90, 0.901), "b": (0.80, 0.801)}.items() for seed, accuracy in enumerate(values))
    ),
    "T010": results(trained("a", stopping={"patience": 5})),
}  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("constant", ["T004"]),
        ({"name": "hold-then-decay", "hold": 3, "factor": 0.5}, ["T004"]),
        ("cosine", []),
        ("one-cycle", []),
    ],
)
def test_what_a_schedule_brings_at_the_end_is_no_reason_for_more_epochs(schedule: Any, said: list[str]) -> None:
    trial = trained("a", history=falling(1.0, 0.9, 0.8, 0.7, 0.6, 0.5), epochs=6)
    trial.trial["recipe"]["schedule"] = schedule
    assert codes(results(trial)) == said


@pytest.mark.parametrize(
    ("accuracy", "simple", "said"),
    [
        (1.0, {"logistic": {"test": 1.0}}, None),  # equal, and nothing could be better
        (0.8, {"logistic": {"test": 0.8}}, None),
        (0.797, {"logistic": {"test": 0.8}}, None),  # 30 of 10,000 images: chance
        (
            0.77,
            {"logistic": {"test": 0.8}},
            "a is right on 0.7700 of the test images, fewer than a logistic regression (0.8000).",
        ),
        (0.5, {"majority": {"test": 0.5}}, "a is right on 0.5000 of the test images, no more than the commonest class alone"),
        (1.0, {"majority": {"test": 1.0}}, None),  # all test images are of one class
    ],
)
def test_a_baseline_is_better_only_beyond_chance(accuracy: float, simple: dict[str, Any], said: str | None) -> None:
    [found] = checks(results(trained("a", test=accuracy), simple=simple)) or [None]
    assert (found is None) if said is None else (found.code == "T001" and said in found.text)


@pytest.mark.parametrize("code", CHECKS)
def test_a_check_finds_what_it_is_for_and_nothing_else(code):
    assert codes(FOUND[code]) == [code]
    assert codes(NOT_FOUND[code]) == []


def test_what_never_acts_is_said_once_for_all_lines_and_before_the_first_training(tmp_path):
    recipe = {"schedule": "hold-then-decay", "early_stopping": {"patience": 9, "restore_best": True}, "epochs": 20}
    plan = make_plan(
        Store(tmp_path / "store"), *({"name": n, "architecture": "mlp", "recipe": recipe} for n in "ab"), seeds=[0, 1]
    )
    said = "schedule.hold = 10: the learning rate never falls in 2 epochs (a, b)."
    for scale, expected in {1.0: [], 0.1: [("T010", said)]}.items():
        made = plans.make(plan.study, "s", plan.requested, plan.dataset, plan.store, Reduction(epochs_scale=scale))
        assert [(one.code, one.text) for one in checks(gather(made, joined=False))] == expected


def test_what_no_training_of_a_study_has_a_use_for_is_said():
    (found,) = checks(results(trained("a"), split={"method": "tail", "seed": 3}))
    assert found.text == 'split.seed changes nothing, because `method = "tail"` draws nothing.'


def test_a_check_is_silenced_with_a_reason():
    (found,) = checks(
        replace(
            FOUND["T002"],
            study=FOUND["T002"].study.model_copy(update={"silence": {"T002": "the document does so"}}),
        )
    )
    assert found.silenced == "the document does so"


def test_a_code_that_is_none_is_a_mistake(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(TINY.read_text() + '\n[silence]\nT0O2 = "why"\n')
    with pytest.raises(StudyError, match=r"silence.T0O2: unknown check 'T0O2' \(did you mean 'T002'\?\)"):
        api.plan(path, store=tmp_path)


def test_the_report_says_them_and_the_baselines(tmp_path):
    store = tmp_path / "store"
    made = stored_tiny(store, skill=0.5)
    baselines.make(made)
    found = api.results(TINY, store=store)
    page = render(found)
    assert "What any model should beat" in page
    assert "logistic regression" in page
    silenced = replace(found, study=found.study.model_copy(update={"silence": dict.fromkeys(CHECKS, "it is a test")}))
    assert ("Silenced by the study: it is a test" in render(silenced)) == bool(checks(found))


def test_baselines_are_what_scikit_learn_says(tmp_path):
    from sklearn.dummy import DummyClassifier

    plan = make_plan(Store(tmp_path / "store"), line("a"))
    parts = plan.parts(plan.trials[0])
    made = baselines.made(parts, 10)
    dummy = DummyClassifier(strategy="most_frequent").fit(parts.train.images, parts.train.labels)
    assert made["majority"]["test"] == dummy.score(parts.test.images, parts.test.labels)
    assert made["logistic"]["test"] > 0.6
    assert baselines.made(parts, 10) | {"seconds": 0} == made | {"seconds": 0}, "the same again"


def test_baselines_of_large_pictures_see_means_of_squares():
    images = np.arange(2 * 70 * 66 * 3, dtype=np.uint8).reshape(2, 70, 66, 3)
    seen = baselines._seen(images)
    assert seen.shape == (2, 23 * 22 * 3)
    np.testing.assert_allclose(seen[1, 3:6], images[1, :3, 3:6].astype(float).mean(axis=(0, 1)), rtol=1e-6)


def test_a_study_may_have_no_baselines_and_its_fingerprints_are_the_same(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("baselines = false\n" + TINY.read_text())
    store = tmp_path / "store"
    made = stored_tiny(store)
    without = api.plan(path, store=store)
    assert [one.fingerprint for one in without.trials] == [one.fingerprint for one in made.trials]
    baselines.make(made)
    assert api.results(path, store=store).baselines == {}
    assert set(api.results(TINY, store=store).baselines) == {one.name for one in made.trials}


def test_one_class_alone_has_baselines_too():
    data = Dataset("one", Images(IMAGES.images, np.zeros(40, np.int64)), IMAGES, ("even", "odd"))
    made = baselines.made(split(data, SplitSpec(method="tail"), None), 2)
    assert made["logistic"]["test"] == made["majority"]["test"] == 0.5
