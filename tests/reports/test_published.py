"""The ledger has every figure that is published."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from toile import studies
from toile.errors import ToileError
from toile.reports.ledger import claims, gradients, results
from toile.reports.ledger.ledger import rows
from toile.reports.ledger.published import Figure, figures, tables
from toile.reports.ledger.render import render
from toile.study.fields.published import Published

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
    # Beyond the table: a class report of four columns for ten classes, the averages of two such reports, averages of six
    # models' parts; of the last epochs of logs, four validation figures of two models, six validation losses, two of training.
    assert len(found - wanted) == 40 + 2 * 6 + 6 * 3 * 3 + 2 * 4 + 6 + 2


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


def test_every_claim_is_about_figures_of_the_ledger(every: list[Figure]) -> None:
    lines = claims.section(claims.CLAIMS, every)
    assert len(lines) == 5 + len(claims.CLAIMS)
    assert claims.section((), every) == []
    known = {(one.study, one.line, one.part, one.metric): one.published for one in every if one.class_index is None}
    by_text = {claim.says.split(",")[0]: claim for claim in claims.CLAIMS}
    assert len(by_text) == len(claims.CLAIMS)
    # The two that count: published figures that say the opposite.
    dropout = [
        known["ann-cnn-study", *which]
        for which in by_text["With a dropout rate from 0.0 to 0.3 the accuracy decreases."].figures
    ]
    assert max(dropout) == dropout[2] > dropout[0]
    before, after, *_ = (
        known["augmentation", *which]
        for which in by_text[
            "The elastic augmentation with Adamax improves the deeper model: up to 92.67 % and 92.45 %."
        ].figures
    )
    assert after < before


def test_a_claim_has_both_figures_beside_it() -> None:
    claim = claims.Claim("s", "It rises.", "It falls.", (("a", "test", "accuracy"), ("a", "cross_validation", "loss")))
    found = [Figure("s", "a", "test", "accuracy", 0.9, 0.85), Figure("s", "a", "cross_validation", "loss", 0.3, None)]
    *_, row = claims.section([claim], found)
    assert row == (
        "| s | It rises. | It falls. | a, accuracy (test) 0.9000 → 0.8500; a, loss (cross-validation) 0.3000 → not measured |"
    )


def test_a_gradient_check_is_recorded_and_shown(tmp_path: Path) -> None:
    row = {"layer": "logits", "array": "bias", "weights": 10, "checked": 10, "relative_error": 1e-6,
           "largest_difference": 2e-8, "largest_gradient": 0.01}  # fmt: skip
    assert gradients.read(tmp_path) is None and gradients.section(None) == []
    gradients.write(tmp_path / gradients.NAME, "s/a", 0.01, [row])
    assert results.read(tmp_path) == []  # it is no result of a training
    text = "\n".join(gradients.section(gradients.read(tmp_path)))
    assert '`toile check-gradients "s/a" --epsilon 0.01`' in text
    assert "| logits bias | 10 | 10 | 1.0e-06 | 2.0e-08 | 1.0e-02 |" in text
    (tmp_path / gradients.NAME).write_text('{"trial": "s/a"}')
    with pytest.raises(ToileError, match="is no gradient check"):
        gradients.read(tmp_path)
