"""Who is in a committee, what its fits see, and what is refused before anything trains."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runner.fixture import keep_run, line
from tests.training.fixture import dataset
from toile.committee.rules import RULES
from toile.data.dataset import Dataset
from toile.errors import Misuse
from toile.evaluation.metrics import evaluate, loss
from toile.reports.page.calibration import calibration_table
from toile.reports.page.html import render
from toile.reports.results.compared import close_up
from toile.reports.results.gather import gather, named
from toile.reports.text import figure
from toile.runner.plans import committees
from toile.runner.plans import plan as plans
from toile.runner.plans.planned import Plan
from toile.store.store import Store
from toile.study.committee import CommitteeSpec
from toile.study.search.search import SearchSpec
from toile.study.spec import StudySpec


def planned(tmp_path: Path, *lines: dict[str, Any], data: Dataset | None = None, **study: Any) -> Plan:
    spec = StudySpec.model_validate({"title": "made", "dataset": "digits", "trial": list(lines), **study})
    return plans.make(spec, "made", spec.dataset, data or dataset(), Store(tmp_path))


def committee(rule: str = "log-pool", members: tuple[str, ...] = ("a", "b"), **more: Any) -> dict[str, Any]:
    return {"name": "c", "members": list(members), "rule": rule, **more}


def of_names(plan: Plan) -> list[tuple[str, list[str]]]:
    return [(group.name, [member.name for member in group.members]) for group in committees.groups(plan)]


TWO = (line("a"), line("b", recipe={"optimizer": "sgd"}))
FOLDS = {"method": "stratified", "folds": 4}


# Who is in it


def test_patterns_stand_for_lines_in_the_order_of_the_study(tmp_path: Path) -> None:
    plan = planned(tmp_path, *TWO, line("other"), seeds=[0, 1], committee=[committee(members=("[ab]",))])
    assert of_names(plan) == [("c (seed 0)", ["a (seed 0)", "b (seed 0)"]), ("c (seed 1)", ["a (seed 1)", "b (seed 1)"])]


def test_members_of_single_seeds_are_one_committee_and_of_several_it_is_not_guessed(tmp_path: Path) -> None:
    single = planned(tmp_path, line("a"), line("b", seeds=[1]), committee=[committee()])
    assert of_names(single) == [("c", ["a", "b"])]
    for other in ({"seeds": [1, 2]}, {"split": FOLDS}):
        with pytest.raises(
            Misuse, match=r"no seed and fold in common, and 'b' has \d trainings, of which none is said to be meant"
        ):
            committees.groups(planned(tmp_path, line("a"), line("b", **other), committee=[committee("mean")]))


def test_candidates_are_all_trainings_of_all_seeds(tmp_path: Path) -> None:
    asked = {"name": "c", "candidates": ["a*"], "rule": "greedy"}
    plan = planned(tmp_path, *TWO, line("another", seeds=[5]), seeds=[0, 1], committee=[asked])
    assert of_names(plan) == [("c", ["a (seed 0)", "a (seed 1)", "another"])]
    with pytest.raises(Misuse, match="committee 'c': no trial matches 'x'"):
        committees.groups(planned(tmp_path, *TWO, committee=[{**asked, "candidates": ["x"]}]))


def test_of_a_search_that_has_trained_nothing_there_is_no_committee_yet(tmp_path: Path) -> None:
    asked = {"name": "c", "candidates": ["*"], "rule": "greedy"}
    plan = planned(tmp_path, *TWO, committee=[asked])
    proposed = replace(plan, trials=tuple(replace(one, proposed=True) for one in plan.trials))
    assert committees.groups(committees.check(proposed)) == [] and gather(proposed).committees == ()
    keep(plan)
    assert of_names(proposed) == [("c", ["a", "b"])]


def test_a_budget_that_no_candidate_keeps_is_told_and_stops_no_other_committee(tmp_path: Path) -> None:
    asked = {"name": "c", "candidates": ["*"], "rule": "greedy", "max_milliseconds": 1e-9}
    plan = planned(tmp_path, *TWO, committee=[asked, {"name": "mean", "members": ["*"]}])
    keep(plan)
    said = r"committee 'c': no candidate is within the budget \(max_milliseconds = 1e-09, and the least is of none known\)"
    with pytest.raises(Misuse, match=said):
        named(plan, "c")
    results = gather(plan)
    assert [one.name for one in results.committees] == ["mean"]
    (why,) = results.unmade
    assert re.fullmatch(said, why)


def test_fewer_parameters_than_the_smallest_candidate_has_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    asked = {"name": "c", "candidates": ["*"], "rule": "greedy"}
    plan = planned(tmp_path, *TWO, committee=[{**asked, "max_parameters": 5}])
    least = min(plan.parameters(one) for one in plan.trials)
    with pytest.raises(Misuse, match=rf"committee 'c': max_parameters = 5, and the smallest candidate, '\w', has {least:,}"):
        committees.check(plan)
    assert committees.check(planned(tmp_path, *TWO, committee=[{**asked, "max_parameters": least}]))
    # Of a search smaller ones may come.
    space = SearchSpec.model_validate({"space": {"recipe": {"batch_size": [8, 16]}}, "trials": 2})
    assert committees.check(replace(plan, study=plan.study.model_copy(update={"search": space})))


def test_the_store_is_a_library_of_what_has_the_same_images_and_split(tmp_path: Path) -> None:
    others = planned(tmp_path, line("x", architecture="cnn"), line("y", split={"validation": 0.3}), line("also a"))
    folded = planned(tmp_path, line("z"), split=FOLDS)
    other_images = planned(tmp_path, line("w"), data=without(3))
    for plan in (others, folded, other_images):
        keep(plan)
    asked = {"name": "c", "candidates": ["*"], "rule": "greedy", "among": "store"}
    plan = planned(tmp_path, *TWO, committee=[asked])
    keep(planned(tmp_path, TWO[1]))
    of_cnn = f"cnn {others.trials[0].fingerprint[:12]}"
    assert others.trials[2].fingerprint == plan.trials[0].fingerprint, "a name of its own is no other run"
    assert of_names(committees.check(plan)) == [("c", ["a", "b", of_cnn])]
    (found,) = gather(plan).committees
    assert found.choice.candidates == 3
    assert of_names(planned(tmp_path, *TWO, committee=[{**asked, "candidates": ["cnn*", "b"]}])) == [("c", ["b", of_cnn])]
    of_folds = planned(tmp_path, line("a", recipe={"optimizer": "sgd"}), split=FOLDS, committee=[asked])
    assert of_names(of_folds) == [("c", ["a", f"mlp {folded.trials[0].fingerprint[:12]}"])]
    with pytest.raises(Misuse, match=r"no stored run with its images and split, matches 'resnet\*'"):
        committees.groups(planned(tmp_path, *TWO, committee=[{**asked, "candidates": ["resnet*"]}]))
    kept = plan.store.runs_folder / others.trials[0].fingerprint / "trial.json"
    for damage in ("[]", '{"format": 1}', "[" * 100_000):
        kept.write_text(damage)
        assert of_names(planned(tmp_path, *TWO, committee=[asked])) == [("c", ["a", "b"])]
    kept.unlink()
    os.mkfifo(kept)  # which to read would wait for ever
    assert of_names(planned(tmp_path, *TWO, committee=[asked])) == [("c", ["a", "b"])]


def test_the_folds_of_a_line_are_one_member(tmp_path: Path) -> None:
    plan = planned(tmp_path, *TWO, split=FOLDS, committee=[committee(across="folds")])
    assert of_names(plan) == [("c", ["a", "b"])]
    (group,) = committees.groups(plan)
    assert [one.trial.fold for one in group.members[0].trainings] == [0, 1, 2, 3]
    seeds = planned(tmp_path, *TWO, split=FOLDS, seeds=[0, 1], committee=[committee(across="folds")])
    assert of_names(seeds) == [("c (seed 0)", ["a (seed 0)", "b (seed 0)"]), ("c (seed 1)", ["a (seed 1)", "b (seed 1)"])]
    asked = {"name": "c", "candidates": ["*"], "rule": "greedy"}
    assert of_names(planned(tmp_path, *TWO, split=FOLDS, committee=[asked])) == [("c", ["a", "b"])]


def test_two_lines_make_a_committee_of_folds(tmp_path: Path) -> None:
    plan = planned(tmp_path, *TWO, split=FOLDS, committee="k-fold")
    assert plan.study.committee == (CommitteeSpec(name="k-fold", members=("*",), across="folds", rule="log-pool"),)
    assert of_names(committees.check(plan)) == [("k-fold", ["a", "b"])]


# What it sees


def keep(plan: Plan, seed: int = 0, evaluated: bool = False) -> None:
    """A stored run of every trial that is right more often than not."""
    for number, one in enumerate(plan.trials):
        parts = plan.parts(one)
        generator, given = np.random.default_rng([seed, number]), {}
        for name in ("validation", "test"):
            labels = getattr(parts, name).labels
            scores = generator.normal(size=(len(labels), 10))
            scores[np.arange(len(labels)), labels] += 1 + number % 3
            exponentials = np.exp(scores)
            given[name] = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
        metrics = {name: evaluate(said, getattr(parts, name).labels) for name, said in given.items()} if evaluated else None
        keep_run(plan.store, one, probabilities=given, metrics=metrics)


def test_folds_say_something_of_every_training_image_in_its_order(tmp_path: Path) -> None:
    plan = planned(tmp_path, *TWO, split=FOLDS, committee=[committee(across="folds")])
    keep(plan)
    (group,) = committees.groups(plan)
    member = group.members[0]
    unseen = committees.unseen_of(plan, member)
    assert unseen.split == "out-of-fold"
    np.testing.assert_array_equal(unseen.labels, plan.dataset.train.labels)
    for training in member.trainings:
        held = plan.parts(training).indices["validation"]
        stored = plan.stored_run(training).probabilities("validation")
        np.testing.assert_array_equal(unseen.probabilities[held], stored)
    stored = np.stack([plan.stored_run(one).probabilities("test") for one in member.trainings])
    np.testing.assert_array_equal(committees.test_of(plan, member).probabilities, RULES["mean"](stored, None))


def test_a_validation_part_comes_in_the_order_of_the_data_set(tmp_path: Path) -> None:
    plan = planned(tmp_path, *TWO, split={"method": "random", "validation": 0.3}, committee=[committee()])
    keep(plan)
    (group,) = committees.groups(plan)
    unseen = committees.unseen_of(plan, group.members[0])
    held = plan.parts(group.members[0].trainings[0]).indices["validation"]
    stored = plan.stored_run(group.members[0].trainings[0]).probabilities("validation")
    np.testing.assert_array_equal(unseen.probabilities, stored[np.argsort(held)])
    np.testing.assert_array_equal(unseen.labels, plan.dataset.train.labels[np.sort(held)])


def test_a_gathered_committee_of_folds(tmp_path: Path) -> None:
    asked = [
        committee(across="folds"), committee("mean", across="folds", calibration="temperature") | {"name": "d"},
        {"name": "e", "candidates": ["*"], "rule": "greedy", "calibration": "auto", "max_members": 1},
    ]  # fmt: skip
    plan = planned(tmp_path, *TWO, split=FOLDS, committee=asked)
    keep(plan)
    pool, mean, greedy = gather(plan).committees
    assert pool.fitted_on == mean.fitted_on == "200 training images, out of fold"
    assert len(pool.weights) == 2 and pool.calibration is None and mean.calibration.name == "temperature"
    assert list(pool.joined[0].trainings) == [f"a (fold {i})" for i in (1, 2, 3, 4)]
    np.testing.assert_array_equal(mean.probabilities, mean.calibration(mean.uncalibrated))
    assert mean.test["loss"] == pytest.approx(loss(mean.probabilities, plan.dataset.test.labels))
    assert len(greedy.joined) == 1 and greedy.choice.candidates == 2
    assert greedy.calibration.name == min(greedy.calibration.by_folds, key=greedy.calibration.by_folds.get)
    at = greedy.choice.path[greedy.choice.picks - 1]
    assert at["members"] == 1 and at["test"] == pytest.approx(loss(greedy.uncalibrated, plan.dataset.test.labels))
    assert named(plan, "d").test == mean.test and named(plan, "f") is None


def test_test_images_of_another_split_are_a_committees_own(tmp_path: Path) -> None:
    """Nothing is held against the labels of the study's first trial, nor beside what was judged on those."""
    split = {"method": "random", "test": 0.2}
    lines = [
        line("first", split=split | {"seed": 1}),
        line("a", split=split),
        line("b", split=split, recipe={"optimizer": "sgd"}),
    ]
    pooled = committee("mean", calibration="temperature")
    plan = planned(tmp_path, *lines, data=NO_TEST, committee=[pooled])
    keep(plan, evaluated=True)
    results = gather(committees.check(plan))
    (found,) = results.committees
    own = plan.parts(plan.trials[1]).test
    np.testing.assert_array_equal(found.elsewhere.labels, own.labels)
    assert [one.name for one in close_up(results)] == ["first"]
    (row,) = calibration_table(results).rows
    assert row[3] == figure(loss(found.uncalibrated, own.labels)) and row[4] == figure(found.test["loss"])
    (claim,) = results.claims.pairs.values()  # of the committee and its best member
    assert claim.test.images == len(own)
    assert abs(claim.test.difference) == pytest.approx(
        abs(found.test["accuracy"] - max(one.test["accuracy"] for one in found.joined))
    )
    assert render(results)
    same = planned(tmp_path, *lines[1:], data=NO_TEST, committee=[pooled])
    assert gather(same).committees[0].elsewhere is None


def test_a_trial_is_calibrated_beside_its_own_figures(tmp_path: Path) -> None:
    plan = planned(tmp_path, line("a", calibration="temperature"), line("b"))
    keep(plan)
    a, b = gather(plan).trials
    assert b.calibrated is None
    assert a.calibrated.fitted_on == "40 validation images"
    expected = a.calibrated.calibration(plan.stored_run(plan.trials[0]).probabilities("test"))
    np.testing.assert_array_equal(a.calibrated.probabilities, expected)
    assert a.fingerprint == planned(tmp_path, line("a")).trials[0].fingerprint, "it is no part of the training"


# What cannot be


def test_fits_see_the_validation_images_that_a_data_set_brings(tmp_path: Path) -> None:
    """In their own order, with their own labels."""
    data = dataset()
    own = replace(data, train=data.train[:120], validation=data.train[120:])
    plan = planned(tmp_path, *TWO, data=own, committee=[committee()])
    keep(plan)
    (group,) = committees.groups(committees.check(plan))
    for one, member in zip(plan.trials, group.members, strict=True):
        unseen = committees.unseen_of(plan, member)
        assert unseen.split == "validation"
        np.testing.assert_array_equal(unseen.labels, data.train.labels[120:])
        np.testing.assert_array_equal(unseen.probabilities, plan.stored_run(one).probabilities("validation"))
    (found,) = gather(plan).committees
    assert found.fitted_on == "80 validation images"


def without(*classes: int) -> Dataset:
    """Digits whose last fifth has no image of these classes."""
    train = dataset().train
    order = np.argsort(np.isin(train.labels, classes), kind="stable")[::-1]
    return replace(dataset(), train=train[order])


NO_TEST = replace(dataset(), test=None)


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (
            {"trial": [line("a"), line("b", split={"validation": 0})], "committee": [committee()]},
            "committee 'c': log-pool is fitted on images held out, and 'b' has neither a validation split nor folds",
        ),
        (
            {"trial": [line("a"), line("b", split={"validation": 0.3})], "committee": [committee()]},
            "'a' and 'b' hold out different ones; members have to be split alike",
        ),
        (
            {"trial": [line("a"), line("b", split=FOLDS)], "committee": [committee(across="folds")]},
            "committee 'c' is across folds, and 'a' has none",
        ),
        (
            {"trial": list(TWO), "committee": [committee("stack")]},
            r"stack of 2 members and 10 classes has 189 numbers to fit, and there are 40 images held out; take a rule",
        ),
        (
            {"trial": [*TWO], "seeds": list(range(21)), "committee": [{"name": "c", "candidates": ["*"], "rule": "greedy"}]},
            r"has 42 numbers to fit, and there are 40 images held out; name fewer candidates, or hold out more",
        ),
        (
            {"trial": [*TWO], "seeds": list(range(41)), "committee": [committee(members=("a",), across="seeds")]},
            r"log-pool of 41 members and 10 classes has 41 numbers .* name fewer members, or hold out more",
        ),
        (
            {"trial": [line("a", calibration="isotonic")], "split": {"method": "tail", "validation": 0.05}},
            r"trial 'a': isotonic .* has 20 numbers .* 10 images held out; take a calibration with fewer, such as temperature",
        ),
        (
            {
                "trial": list(TWO),
                "data": without(3),
                "split": {"method": "tail"},
                "committee": [committee("mean", calibration="temperature")],
            },
            "temperature is fitted on 40 images held out, and none of them is of class '3'",
        ),
        (
            {"trial": [line("a", calibration="vector", split={"validation": 0})]},
            "trial 'a': vector is fitted on images held out",
        ),
        (
            {
                "data": NO_TEST,
                "trial": [line(name, split={"method": "random", "test": 0.2, "seed": seed}) for seed, name in enumerate("ab")],
                "committee": [committee("mean")],
            },
            r"\d+ test images of 'a' are among the training and validation images of 'b'; members have to be split alike",
        ),
        (
            {"trial": [*TWO, line("c", recipe={"optimizer": "adagrad"})],
             "committee": [committee("weighted-mean", members=("*",), weights=[1.0, 2.0])]},
            "committee 'c': one weight a member is wanted, got 2 for 3 members: a, b, c",
        ),
        (
            {"data": NO_TEST, "trial": list(TWO), "split": FOLDS, "committee": "k-fold"},
            "committee 'k-fold' has no test images to be judged on; give split.test",
        ),
    ],
)  # fmt: skip
def test_refused_when_it_is_planned(study: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match=message):
        committees.check(planned(tmp_path, *study.pop("trial"), **study))


def test_what_is_possible_passes(tmp_path: Path) -> None:
    split = {"method": "random", "test": 0.2}
    for study in (
        {"split": FOLDS, "committee": [committee("stack", across="folds")]},
        {"split": split, "data": NO_TEST, "committee": [committee("greedy", calibration="isotonic")]},
        {"split": {"validation": 0}, "committee": [committee("mean")]},
    ):
        plan = planned(tmp_path, *TWO, **study)
        assert committees.check(plan) is plan


def test_what_is_asked_and_not_done_is_said(tmp_path: Path) -> None:
    plan = planned(tmp_path, *TWO, committee=[committee("stack", calibration="temperature")])
    assert committees.notes(plan) == ["committee 'c': calibration 'temperature' is off; stack is calibrated by its own fit"]
    assert committees.notes(planned(tmp_path, *TWO, committee=[committee("greedy", calibration="temperature")])) == []
