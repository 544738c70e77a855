"""The ledger has every figure that is published."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from toile import studies
from toile.reports.ledger import results
from toile.reports.ledger.ledger import rows
from toile.reports.ledger.published import Figure, figures, tables
from toile.reports.ledger.render import render
from toile.study.spec import Published

REPOSITORY = Path(__file__).parents[2]
TABLE = REPOSITORY.parent / "shared" / "published.toml"
PARTS = ("train", "validation", "test", "cross_validation")
MEAN_OF_MEMBERS = "combined (mean of the members' figures)"


@pytest.fixture(scope="module")
def every() -> list[Figure]:
    specs = {name: studies.load(name).spec for name in studies.names()}
    found = rows(specs, results.read(REPOSITORY / "results"))
    return [one for row in found for one in row.figures]


@pytest.mark.skipif(not TABLE.is_file(), reason="the table of published figures is not beside this checkout")
def test_every_figure_of_the_table_is_in_the_ledger(every: list[Figure]) -> None:
    wanted = set()
    for document in tomllib.loads(TABLE.read_text("utf-8"))["document"]:
        for trial in document["trial"]:
            committee = trial["name"] == MEAN_OF_MEMBERS
            name = "average of three: the mean of its members' figures, which no committee has" if committee else trial["name"]
            for part in PARTS:
                where = "mean of members" if committee else part
                wanted |= {(document["id"], name, where, metric, None, value) for metric, value in trial.get(part, {}).items()}
            for metric, of_classes in trial.get("per_class", {}).items():
                wanted |= {(document["id"], name, "test", metric, at, float(value)) for at, value in enumerate(of_classes)}
    assert len(wanted) == 207
    found = {(one.study, one.line, one.part, one.metric, one.class_index, one.published) for one in every}
    assert wanted <= found
    assert len(found) == len(every)  # none twice
    # Beyond the table: a class report of four columns for ten classes with its averages, and averages of six models' parts.
    assert len(found - wanted) == 40 + 6 + 6 * 3 * 3


def test_the_first_sentence_says_how_many_there_are(every: list[Figure]) -> None:
    text = (REPOSITORY / "docs" / "reproduction.md").read_text("utf-8")
    assert f"({len(every)} of them)" in text.split("\n\n")[1]
    measured = sum(one.measured is not None for one in every)
    assert f"{measured} of the {len(every)} figures have a measured one beside them." in text


def test_figures_are_means_over_full_trainings_of_the_part_that_they_speak_of() -> None:
    from tests.reports.test_ledger import result, study

    spec = study()
    published = Published.model_validate(
        {"train": {"accuracy": 0.99}, "test": {"accuracy": 0.9}, "per_class": {"recall": [0.8, 0.7]}}
    )
    one, other = result(spec, 0.9), result(spec, 0.92, seed=1)
    one.per_class["recall"] = [0.5, 0.6]
    train, test, first, second = figures("s", "a", published, [one, other])
    assert (train.part, train.measured, train.spread) == ("train", None, None)
    assert test.measured == pytest.approx(0.91) and test.spread == pytest.approx(0.0141421, rel=1e-4)
    assert (first.class_index, first.published, first.measured) == (0, 0.8, 0.5)
    assert (second.class_index, second.published, second.measured) == (1, 0.7, 0.6)
    text = "\n".join(tables([train, test, first, second]))
    assert "| a | train | 0.99 | – |" in text
    assert "| a | test | 0.90 | 0.9100 ± 0.0141 |" in text
    assert "| a | test, class 2 | 0.70 | 0.6000 |" in text


def test_rows_without_a_result_still_show_what_is_published() -> None:
    from tests.reports.test_ledger import study

    row, _ = rows({"s": study()}, [])
    assert [(one.metric, one.published, one.measured) for one in row.figures] == [("accuracy", 0.9, None), ("loss", 0.3, None)]
    assert "| a | test | 0.90 | – | 0.30 | – |" in render([row])
