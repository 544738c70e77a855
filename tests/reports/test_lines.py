"""Reports of many trials: lines over seeds and folds, comparisons, and which few models are looked at singly."""

from __future__ import annotations

import re
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from tests.reports.fixture import MODELS, SWEPT, make_results
from toile.reports.page import tables as sections
from toile.reports.page.findings import findings
from toile.reports.page.html import render
from toile.reports.plots.accuracy import accuracies, extremes
from toile.reports.plots.against import accuracy_against
from toile.reports.plots.bars import measures
from toile.reports.plots.curves import learning_curves
from toile.reports.plots.matrices import disagreement
from toile.reports.plots.sweeps import sweeps
from toile.reports.results.compared import close_up, close_up_note, evaluated_models
from toile.reports.results.lines import comparisons, curves_of_sweeps, study_lines
from toile.study.recipe.augmentation import Augmentation, Erasing

SEEDS = tuple(f"cnn (seed {seed})" for seed in range(4))
MANY = tuple(f"model {number:02d}" for number in range(50))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """Four seeds of one line, the last not run yet."""
    lines = dict.fromkeys(SEEDS, "cnn")
    return make_results(tmp_path_factory.mktemp("store"), models=SEEDS, lines=lines, missing=SEEDS[3:], train=100, test=60)


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    lines = dict.fromkeys(SEEDS, "cnn")
    made = make_results(
        tmp_path_factory.mktemp("store"), models=SEEDS, lines=lines, folds=True, train=100, test=60, committee=False
    )
    published = {"cross_validation": {"accuracy": 0.9, "loss": 0.3}, "test": {"accuracy": 0.1}}
    return replace(made, trials=tuple(replace(trial, published=published) for trial in made.trials))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("store"), models=MANY, train=100, test=60, committee=False)


def test_a_line_is_the_mean_of_its_stored_trainings(seeds):
    (line,) = study_lines(seeds)
    accuracies_ = [trial.test["accuracy"] for trial in seeds.stored]
    assert (line.name, line.part, len(line.trials)) == ("cnn", "test", 3)
    assert line.values("accuracy") == accuracies_ and line.mean("accuracy") == fmean(accuracies_)
    assert line.fact("seconds", "train") == fmean(trial.run.provenance["seconds"]["train"] for trial in seeds.stored)
    assert line.fact("seconds", "nothing") is None and line.mean("nothing") is None
    (panel,) = accuracies(seeds)
    (row,) = panel["rows"]
    assert (row["n"], row["low"], row["high"]) == (3, min(accuracies_), max(accuracies_))
    assert "the mean of 3 trainings" in findings(seeds)[0]


def test_of_several_committees_the_first_is_explained_and_the_number_of_tests_is_told(tmp_path):
    made = make_results(tmp_path, models=SEEDS, lines=dict.fromkeys(SEEDS[:3], "cnn"), train=100, test=60)
    (committee,) = made.committees
    alone = findings(made)
    assert "3 trainings of “cnn” and cnn (seed 3)" in alone[1] and "another kind of number" in alone[1]
    pair = replace(committee, name="a pair", joined=committee.joined[2:])
    models, first, second, tests = findings(replace(made, committees=(committee, pair)))
    assert models == alone[0] and first.split(";")[0] == alone[1].split(";")[0]
    assert second.startswith("“a pair” joins cnn (seed 2) and cnn (seed 3) by the rule “mean”")
    assert "another kind of number" not in second and "best member" in second
    assert tests.startswith("5 tests are made here, and each p is corrected for all of them (Holm).")


def test_folds_are_judged_by_what_they_held_out(folds):
    (line,) = study_lines(folds)
    assert line.part == "validation"
    assert line.mean("loss") == fmean(trial.validation["loss"] for trial in folds.stored)
    assert line.published == {"accuracy": 0.9, "loss": 0.3}
    (panel,) = accuracies(folds)
    assert (panel["part"], panel["rows"][0]["published"]) == ("validation", 0.9)
    bars = {one["title"]: one["groups"][0]["rows"][0] for one in measures(folds)}
    assert bars["log loss"]["published"] == 0.3 and bars["log loss"]["value"] == line.mean("loss")


def test_curves_are_means_over_the_epochs_that_all_have(seeds):
    histories = [trial.run.history for trial in seeds.stored]
    panel = next(one for one in learning_curves(seeds) if one["title"] == "loss")
    (line,) = [line for line in panel["lines"] if line["split"] == "validation"]
    assert len(line["epochs"]) == min(map(len, histories))
    assert line["values"][2] == pytest.approx(fmean(history[2]["validation_loss"] for history in histories))


def test_comparisons_are_in_their_order_with_their_labels(tmp_path):
    spec = {"name": "by size", "trials": ["model-3", "model-1"], "labels": ["large", "small"]}
    results = make_results(tmp_path, comparisons=[spec], train=100, test=60)
    found = comparisons(results)
    assert [one.name for one in found] == ["by size", "Others"]
    assert [(label, line.name) for label, line in found[0].lines] == [("large", "model-3"), ("small", "model-1")]
    assert [label for label, _ in found[1].lines] == ["model-2"]
    accuracy = measures(results)[0]
    assert [(group["name"], [row["label"] for row in group["rows"]]) for group in accuracy["groups"]] == [
        ("by size", ["large", "small"]), ("Others", ["model-2"]),
    ]  # fmt: skip
    assert accuracy["groups"][0]["rows"][1]["value"] == results.trials[0].test["accuracy"]
    assert {panel["group"] for panel in learning_curves(results)} == {"by size", "Others"}
    assert "<h3>by size</h3>" in render(results)


def test_a_pattern_of_a_comparison_means_all_trials_that_it_matches_once(tmp_path):
    spec = {"name": "all", "trials": ["model-3", "model-?"]}
    (found,) = comparisons(make_results(tmp_path, comparisons=[spec], train=100, test=60))
    assert [label for label, _ in found.lines] == ["model-3", "model-1", "model-2"]


def test_a_study_without_comparisons_is_one(tmp_path):
    (one,) = comparisons(make_results(tmp_path, train=100, test=60))
    assert one.name == "" and [label for label, _ in one.lines] == list(MODELS)


def test_another_name_for_the_same_trainings_is_no_other_line(tmp_path):
    results = make_results(tmp_path, models=SWEPT, train=100, test=60, committee=False)
    again = replace(results, trials=(*results.trials, replace(results.trials[1], name="best", line="best")))
    assert [one.name for one in comparisons(again)] == ["width"]


def test_a_sweep_over_a_number_is_a_curve(tmp_path):
    results = make_results(tmp_path, models=("model-1", *SWEPT), train=100, test=60)
    assert {key: list(found) for key, found in curves_of_sweeps(results).items()} == {"dropout": ["width"]}
    panels = {panel["title"]: panel for panel in sweeps(results)}
    (curve,) = panels["accuracy"]["curves"]
    assert curve["x"] == (0.0, 0.1, 0.2) and curve["y"] == tuple(trial.test["accuracy"] for trial in results.trials[1:])
    assert [group["name"] for group in measures(results)[0]["groups"]] == ["Others"], "it is drawn twice"


def test_accuracy_against_loss_has_a_point_a_line_and_the_published_pair(tmp_path):
    results = make_results(tmp_path, train=100, test=60)
    against_loss, against_parameters, against_time = accuracy_against(results)
    for point, trial in zip(against_loss["points"], results.trials, strict=True):
        assert (point["x"], point["accuracy"]) == (trial.test["loss"], trial.test["accuracy"])
        assert point["published"] == (trial.published["test"]["loss"], trial.published["test"]["accuracy"])
    assert [point["x"] for point in against_parameters["points"]] == [t.run.provenance["parameters"] for t in results.trials]
    assert [point["x"] for point in against_time["points"]] == [t.run.provenance["seconds"]["train"] for t in results.trials]


def test_of_many_models_a_few_are_looked_at_singly(many):
    ranked = sorted(evaluated_models(many), key=lambda one: -one.metrics["accuracy"])
    assert {one.name for one in close_up(many)} == {ranked[0].name, ranked[1].name, ranked[-1].name}
    assert close_up_note(many).startswith("Of 50 trainings, those are shown that are right most often")
    names = disagreement(many)[0]["names"]
    assert len(names) == 10 and ranked[0].name in names and ranked[-1].name not in names
    assert len(accuracies(many)[0]["rows"]) == 40
    page = render(many)
    assert page.count('data-picture="confusion-matrices-') == 3
    assert "50 rows</summary>" in page and all(name in page for name in MANY)
    assert "the highest accuracy of the 50 single models" in page


def test_of_a_few_models_all_are(seeds, tmp_path):
    few = make_results(tmp_path, train=100, test=60)
    assert [one.name for one in close_up(few)] == [*MODELS, "average of all"] and close_up_note(few) == ""
    assert "the first: cnn (seed 0)." in close_up_note(seeds)


def test_per_class_report_agrees_with_scikit_learn(tmp_path):
    results = make_results(tmp_path, models=("model-1",), train=100, test=60, committee=False)
    per_class = {"precision": [0.5] * 10, "support": [6.0] * 10}
    results = replace(results, trials=(replace(results.trials[0], published={"per_class": per_class}),))
    table = sections.class_report(results)
    choices = results.trials[0].run.probabilities("test").argmax(axis=1)
    expected = precision_recall_fscore_support(results.test.labels, choices, labels=range(10), zero_division=0)
    for label, row in enumerate(table.rows):
        measured = [f"{values[label]:.4f}" for values in expected[:3]] + [str(expected[3][label])]
        assert row == [results.dataset.class_names[label], *measured, "0.50", "6"]
    assert [column.group for column in table.columns][1:] == ["model-1"] * 4 + ["model-1, published"] * 2
    (row,) = sections.class_table(results).rows
    assert row[1:] == [f"{value:.3f}" for value in expected[2]]


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=30), st.integers(1, 12), st.sampled_from([0.5, 0.75, 1.0]))
def test_extremes_are_the_highest_and_the_lowest_in_their_order(values, most, top):
    rows = list(enumerate(values))
    kept = extremes(rows, most, key=lambda row: row[1], top=top)
    assert len(kept) == min(most, len(rows)) and kept == sorted(kept)
    if len(rows) > most:
        ranked, first = sorted(values, reverse=True), round(most * top)
        expected = ranked[:first] + ranked[len(ranked) - (most - first) :]
        assert sorted(value for _, value in kept) == sorted(expected)


def test_numbers_in_texts_of_a_picture_keep_their_digits(many):
    assert any(re.search(r">0\.\d{4}<", picture) for picture in [render(many)])


def test_no_probabilities_are_read_for_models_that_are_not_looked_at(many, monkeypatch):
    read = []
    run = type(many.trials[0].run)
    original = run.probabilities
    monkeypatch.setattr(run, "probabilities", lambda self, split: read.append(self.fingerprint) or original(self, split))
    render(many)
    assert len(set(read)) <= 12
    assert np.isfinite([trial.test["accuracy"] for trial in many.trials]).all()


def test_a_classical_model_has_no_recipe(tmp_path):
    """It is trained by no optimizer, for no epochs; what the networks share is said all the same."""
    results = make_results(tmp_path, missing=MODELS, committee=False)
    before = sections.recipe_table(results).note
    results.trials[1].trial["learner"] = "classical"
    table = sections.recipe_table(results)
    at = {column.label: index for index, column in enumerate(table.columns)}
    assert before.startswith("The same for all: ") and table.note == before.replace("for all", "for all that have it")
    assert [row[at["optimizer"]] == "–" for row in table.rows] == [False, True, False]


def test_augmentation_is_part_of_a_recipe(tmp_path):
    results = make_results(tmp_path, missing=MODELS, committee=False)
    asked = Augmentation(flip="horizontal", erasing=Erasing(probability=0.5)).model_dump(mode="json")
    results.trials[0].trial["recipe"] |= {"augmentation": asked, "flip_average": True}
    table = sections.recipe_table(results)
    at = {column.label: index for index, column in enumerate(table.columns)}
    assert [row[at["augmentation"]] for row in table.rows] == [
        "flip horizontal; erasing (probability 0.5, area 0.02–0.33)",
        "no",
        "no",
    ]
    assert [row[at["flip-averaged"]] for row in table.rows] == ["yes", "no", "no"]
    assert "scaling pixels" in table.note
