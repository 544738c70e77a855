"""What the documents show of their models, and the report shows too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.reports.fixture import MODELS, SWEPT, make_results
from toile.reports.page import galleries, tables
from toile.reports.page.findings import findings
from toile.reports.page.html import render
from toile.reports.plots.bars import measures
from toile.reports.plots.curves import accuracy_over_loss, learning_curves
from toile.reports.plots.layers import layers
from toile.reports.results.compared import close_up, close_up_note
from toile.reports.results.study import StudyResults
from toile.study.spec import StudySpec


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return make_results(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return make_results(tmp_path_factory.mktemp("store"), models=MODELS + SWEPT)


def study(results: StudyResults, **changed: object) -> StudyResults:
    return replace(results, study=results.study.model_copy(update=changed))


def test_a_study_names_the_models_that_are_looked_at_closely(results: StudyResults, swept: StudyResults) -> None:
    assert close_up_note(results) == ""
    named = study(swept, close_up=("model-2", SWEPT[1]))
    assert [one.name for one in close_up(named) if one.kind == "model"] == ["model-2", SWEPT[1]]
    assert close_up_note(named) == f"The study names the models that are shown: model-2 and {SWEPT[1]}. The tables have all."
    # One that is not stored yet is missing, and nothing else comes in its place.
    assert [one for one in close_up(study(swept, close_up=("model-9",))) if one.kind == "model"] == []


def test_notes_of_trials_sweeps_and_committees_are_in_the_report(results: StudyResults) -> None:
    content = {
        "title": "t", "dataset": "fashion-mnist",
        "trial": [{"name": "model-1", "architecture": "cnn", "note": "said\nof the <trial>"}],
        "sweep": [{"name": "s", "architecture": "cnn", "grid": {"recipe": {"epochs": [1, 2]}}, "note": "of the sweep"}],
        "committee": [{"name": "c", "members": ["model-1"], "note": "of the committee"}],
    }  # fmt: skip
    noted = replace(results, study=StudySpec.model_validate(content))
    rows = tables.notes(noted).rows
    assert rows == [["model-1", "said of the <trial>"], ["s", "of the sweep"], ["c", "of the committee"]]
    page = render(noted)
    assert "said of the &lt;trial&gt;" in page and "of the committee" in page
    assert tables.notes(results).rows == []


def test_published_figures_of_training_and_validation_images_stand_beside_ours(results: StudyResults) -> None:
    first, *others = results.trials
    published = {**first.published, "train": {"loss": 0.1309, "accuracy": 0.9674}, "penalty": True}
    with_them = replace(results, trials=(replace(first, published=published), *others))
    table = tables.figures_table(with_them)
    heads = [f"{column.group} {column.label}" for column in table.columns]
    row = dict(zip(heads, table.rows[0], strict=True))
    assert (row["train accuracy"], row["train accuracy, published"]) == ("0.9500", "0.9674")
    assert (row["train loss"], row["train loss, published"]) == ("0.1500", "0.1309")
    assert "validation accuracy" in heads and "validation accuracy, published" not in heads
    assert "without dropout" in table.note and "hold the L2 penalty" in table.note
    first.stored_run.metrics["train"]["penalty"] = 0.0625
    assert "model-1 0.0625" in tables.figures_table(with_them).note
    del first.stored_run.metrics["train"]["penalty"]
    (panel,) = [one for one in measures(with_them) if one["title"] == "accuracy on the training images"]
    assert [(bar["value"], bar["published"]) for bar in panel["groups"][0]["rows"]] == [
        (0.95, 0.9674), (0.96, None), (0.97, None),
    ]  # fmt: skip


def test_only_figures_that_a_document_has_are_columns(results: StudyResults) -> None:
    published = {"test": {"accuracy": 0.9, "loss": 0.3}}
    trials = tuple(replace(one, published=published if number == 0 else {}) for number, one in enumerate(results.trials))
    table = tables.figures_table(replace(results, trials=trials))
    assert [column.group for column in table.columns if column.label == "published"] == ["accuracy", "loss"]
    assert [column.group for column in table.columns if column.label == "measured"] == list(tables.FIGURES)
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_best_point_of_a_grid_is_chosen_by_validation_images(swept: StudyResults) -> None:
    (text,) = [text for text in findings(swept) if text.startswith("Of the 3 points of “width”")]
    best = max(swept.trials[3:], key=lambda trial: trial.validation["accuracy"])
    name, accuracy = best.name.removeprefix("width: "), best.validation["accuracy"]
    assert text == f"Of the 3 points of “width”, {name} has the highest accuracy on the validation images: {accuracy:.4f}."


def test_of_two_axes_the_best_of_the_second_is_said_for_each_of_the_first(swept: StudyResults) -> None:
    grid = {"architecture": {"activation": ["tanh", "relu"], "l2": [0.0, 0.1]}}
    spec = StudySpec.model_validate({
        "title": "t", "dataset": "fashion-mnist", "sweep": [{"name": "w", "architecture": "cnn", "grid": grid}],
    })  # fmt: skip
    names = [f"w: activation={a}, l2={b}" for a in ("tanh", "relu") for b in (0.0, 0.1)]
    trials = tuple(replace(one, name=name, line=name) for one, name in zip(swept.trials, names, strict=False))
    accuracies = [one.validation["accuracy"] for one in trials]
    (text,) = [text for text in findings(replace(swept, study=spec, trials=trials, committees=())) if "points of “w”" in text]
    first, second = (names[at : at + 2][int(np.argmax(accuracies[at : at + 2]))].removeprefix("w: ") for at in (0, 2))
    assert f"For each activation the best is: {first} (" in text and f"; {second} (" in text


def test_folds_have_learning_curves_each(tmp_path) -> None:
    names = ("a (fold 1)", "a (fold 2)", "a (fold 3)")
    found = make_results(tmp_path, models=names, lines=dict.fromkeys(names, "a"), folds=True, committee=False)
    panels = [one for one in learning_curves(found) if one["group"] == "a, fold by fold"]
    assert [one["title"] for one in panels] == ["loss", "accuracy"]
    lines = panels[1]["lines"]
    assert [(one["name"], one["split"]) for one in lines] == [
        (f"fold {fold}", split) for fold in (1, 2, 3) for split in ("train", "validation")
    ]
    history = found.trials[2].stored_run.history
    np.testing.assert_allclose(lines[4]["values"], [row["accuracy"] for row in history])


def test_accuracy_over_loss_has_both_of_every_epoch(results: StudyResults) -> None:
    (panel,) = accuracy_over_loss(results)
    line = next(one for one in panel["lines"] if (one["name"], one["split"]) == ("model-2", "validation"))
    history = results.trials[1].stored_run.history
    np.testing.assert_allclose(line["losses"], [row["validation_loss"] for row in history])
    np.testing.assert_allclose(line["accuracies"], [row["validation_accuracy"] for row in history])


def test_each_different_model_is_drawn_once(results: StudyResults, tmp_path) -> None:
    panels = layers(results)
    assert [one["title"] for one in panels] == ["model-1", "model-2", "model-3"]
    assert panels[0]["parameters"] == 784 * 32 + 32
    assert [row["shape"] for row in panels[0]["layers"]] == ["28 x 28 x 1", "784", "32", "32"]
    four = make_results(tmp_path, models=("a", "b", "c", "d"), committee=False)
    assert [one["title"] for one in layers(four)] == ["a and 1 more", "b", "c"]
    four.trials[0].stored_run.model_path.write_bytes(b"no model")
    assert [one["title"] for one in layers(four)] == ["b", "c", "d"]


def test_first_test_images_with_what_the_models_say_of_them(results: StudyResults) -> None:
    shown = galleries.predicted(results)
    assert [one.index for one in shown] == list(range(12))
    for one in shown:
        assert one.truth == results.dataset.class_names[results.test_images.labels[one.index]]
        for vote, trial in zip(one.votes, results.trials, strict=True):
            row = trial.stored_run.probabilities("test")[one.index]
            assert (vote.name, vote.choice) == (trial.name, results.dataset.class_names[int(row.argmax())])


def test_random_samples_are_the_same_in_every_report(results: StudyResults) -> None:
    first, again = galleries.random_strips(results), galleries.random_strips(results)
    assert first == again and [one.shown for one in first] == [10, 10, 10]
    assert len({one.uri for one in first} | {one.uri for one in galleries.strips(results)}) == 13
