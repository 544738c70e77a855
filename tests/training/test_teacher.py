"""Students: what they learn from, and that they learn it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runner.fixture import line, make_plan
from tests.training.fixture import dataset, elsewhere, make_store, work
from toile.committee.rules import RULES
from toile.data.parts.splits import split
from toile.errors import Misuse
from toile.evaluation.scores import logarithms, softmax
from toile.runner.plans import committees
from toile.runner.plans.planned import Plan
from toile.store.store import Store
from toile.training import teacher
from toile.training.engines import Taught

TWO = (line("a"), line("b", recipe={"optimizer": "sgd"}))
POOL = {"name": "c", "members": ["a", "b"], "rule": "log-pool"}
STUDENT = line("student", recipe={"teacher": {"name": "c", "temperature": 3.0, "hard_labels": 0.25}})


def by_line(plan: Plan, name: str) -> Any:
    return next(one for one in plan.trials if one.line == name)


# In the plan


def test_the_teacher_is_in_the_fingerprint_by_its_members_and_rule(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fingerprint(*, committee: dict[str, Any] = POOL, a: int = 1, taught: Any = "c") -> str:
        plan = make_plan(store, line("a", a), TWO[1], line("s", recipe={"teacher": taught}), committee=[committee])
        return by_line(plan, "s").fingerprint

    first = fingerprint()
    renamed = {**POOL, "name": "other"}
    assert fingerprint(committee=renamed, taught="other") == first, "a name is not in it"
    others = [
        fingerprint(a=2), fingerprint(committee={**POOL, "rule": "mean"}), fingerprint(committee={**POOL, "members": ["a"]}),
        fingerprint(taught={"name": "c", "temperature": 4.0}), fingerprint(taught={"name": "c", "hard_labels": 0.5}),
        by_line(make_plan(store, line("s")), "s").fingerprint,
    ]  # fmt: skip
    assert len({first, *others}) == 7
    plain = by_line(make_plan(store, line("s")), "s").trial
    assert "teacher" not in plain.canonical()


@pytest.mark.parametrize(
    ("committee", "held"),
    [
        ({**POOL, "rule": "mean"}, False), ({**POOL, "rule": "weighted-mean", "weights": "fit"}, False),
        ({**POOL, "rule": "mean", "calibration": "isotonic"}, False), ({**POOL, "rule": "mean", "calibration": "auto"}, True),
        ({**POOL, "rule": "vote", "calibration": "temperature"}, True), (POOL, True), ({**POOL, "rule": "stack"}, True),
    ],
)  # fmt: skip
def test_a_teacher_whose_fit_is_held_near_1_is_another_than_before(tmp_path: Path, committee: Any, held: bool) -> None:
    """Students of those that nothing of it is fitted for keep the fingerprints that they had."""
    trial = by_line(make_plan(Store(tmp_path), *TWO, STUDENT, committee=[committee]), "student").trial
    assert trial.teacher.held is held
    assert ('"held":true' in trial.canonical()) is held and '"held":false' not in trial.canonical()


def test_a_trial_with_a_teacher_is_read_back(tmp_path: Path) -> None:
    trial = by_line(make_plan(Store(tmp_path), *TWO, STUDENT, committee=[POOL]), "student").trial
    assert type(trial).parse(trial.canonical()) == trial
    assert trial.parents == tuple(member for (member,) in trial.teacher.members) and len(trial.parents) == 2


def test_members_are_trained_first_though_only_the_student_is_asked_for(tmp_path: Path) -> None:
    plan = make_plan(Store(tmp_path), STUDENT, *TWO, committee=[POOL])
    assert {one.name for one in plan.pending(["student"])} == {"a", "b", "student"}
    assert [one.line for one in plan.trials] == ["student", "a", "b"], "in the study's order"


def test_seeds_learn_from_the_committee_of_their_seed(tmp_path: Path) -> None:
    plan = make_plan(Store(tmp_path), *TWO, STUDENT, committee=[POOL], seeds=[0, 1])
    for student in (one for one in plan.trials if one.line == "student"):
        members = [one.fingerprint for one in plan.trials if one.trial.seed == student.trial.seed and one.line != "student"]
        assert list(student.trial.parents) == members


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"committee": [POOL], "seeds": [0]}, r"was trained on \d+ of its validation images"),
        (
            {"committee": [{**POOL, "across": "folds"}], "split": {"folds": 4}},
            r"validation images.*split = \{ validation = 0 \}",
        ),
        ({"committee": [{**POOL, "members": ["*"]}]}, "in a circle: .*'student'.*`teacher = false`"),
        ({"committee": [{**POOL, "name": "d"}]}, "learns from 'c', which is no committee of the study"),
    ],
)
def test_what_would_be_dishonest_is_refused(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    others = {"split": {"validation": 0.2, "seed": 5}} if "seeds" in more or "split" in more else {}
    with pytest.raises(Misuse, match=said):
        committees.check(make_plan(Store(tmp_path), *TWO, {**STUDENT, **others}, **more))


@pytest.mark.parametrize("architecture", ["numpy-mlp", "logistic-regression"])
def test_only_keras_models_are_students(tmp_path: Path, architecture: str) -> None:
    recipe = {"teacher": "c", **({"optimizer": {"name": "sgd", "momentum": 0.0}} if architecture == "numpy-mlp" else {})}
    with pytest.raises(Misuse, match="teacher"):
        make_plan(Store(tmp_path), *TWO, line("s", 1, architecture, recipe), committee=[POOL])


# In the training


def trained(store: Store, plan: Plan, *names: str) -> None:
    for one in plan.trials:
        if one.line in names:
            (*_, end) = work(one.trial, store)
            assert end["event"] == "done", end


def asked(root: Path, trial: Any) -> np.ndarray:
    from toile.inference.infer import load

    found = teacher.taught(trial, Store(root), load)
    assert found is not None
    return found.probabilities


@pytest.mark.slow
def test_a_student_learns_what_its_committee_says(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    plan = make_plan(store, *TWO, STUDENT, committee=[{**POOL, "rule": "mean"}])
    trained(store, plan, "a", "b", "student")
    student = by_line(plan, "student").trial
    taught = elsewhere(asked, tmp_path, student)
    assert taught.shape == (160, 10)
    said = elsewhere(_said, tmp_path, student)
    np.testing.assert_allclose(taught, softmax(logarithms(RULES["mean"](said, None)) / 3.0)[0], atol=1e-6)
    assert store.get(student.fingerprint).metrics["test"]["accuracy"] > 0


def _said(root: Path, trial: Any) -> np.ndarray:
    from toile.inference.infer import load

    store = Store(root)
    images = split(dataset(), trial.split, None).train.images
    return np.stack([load(store.get(parent).model)(images) for parent in trial.parents])


@pytest.mark.slow
def test_out_of_folds_no_image_is_judged_by_who_learned_it(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    folds, whole = {"folds": 3}, {"validation": 0.0}
    committee = {"name": "c", "members": ["a"], "across": "folds", "calibration": "temperature"}
    plan = make_plan(store, line("a", split=folds), {**STUDENT, "split": whole}, committee=[committee])
    committees.check(plan)
    trained(store, plan, "a")
    student = by_line(plan, "student").trial
    taught = teacher.taught(student, store, teacher.asked_of_none)  # nobody is asked: it is stored
    expected = np.zeros((200, 10))
    for one in (one for one in plan.trials if one.line == "a"):
        expected[plan.parts(one).indices["validation"]] = store.get(one.fingerprint).probabilities("validation")
    assert (taught.probabilities.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert (taught.temperature, taught.hard_labels) == (3.0, 0.25)


def _learned(backend: str, taught: Taught | None) -> list[float]:
    import keras

    from toile.models import architectures
    from toile.training import recipe
    from toile.training.engines import engine

    keras.utils.set_random_seed(0)
    data = dataset()
    model = architectures.build("mlp", data.image_shape, 10, architectures.complete("mlp", {"hidden": [16]}))
    from toile.study.recipe.recipe import RecipeSpec

    optimizer = recipe.optimizer(RecipeSpec.model_validate({"optimizer": {"name": "sgd", "learning_rate": 0.05}}))
    made = engine(
        backend, model, optimizer, data.train.images, data.train.labels, batch_size=50, label_smoothing=0.0, taught=taught
    )
    rates = np.full(4, 0.05, np.float32)
    return [made.epoch(np.arange(200, dtype=np.int32), rates).loss / 200 for _ in range(2)]


def test_a_teacher_that_says_the_labels_teaches_what_they_do() -> None:
    """At temperature 1, a student of the labels themselves has the plain loss."""
    labels = np.eye(10, dtype=np.float32)[dataset().train.labels]
    plain = elsewhere(_learned, "tensorflow", None)
    assert elsewhere(_learned, "tensorflow", Taught(labels, 1.0, 0.3)) == pytest.approx(plain, rel=1e-5)
    uniform = Taught(np.full((200, 10), 0.1, np.float32), 2.0, 0.0)
    (first, _) = elsewhere(_learned, "tensorflow", uniform)
    assert first != pytest.approx(plain[0], rel=0.01)
