"""Where classes differ more than three to one, balanced accuracy is the first figure, of runs of before too."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.reports.fixture import make_results
from toile.data.audits.balance import uneven
from toile.reports.page.tables import committee_table, figure_names, figures_table
from toile.reports.results.study import StudyResults
from toile.reports.terminal.study import print_summary
from toile.reports.text import figure


def of_counts(results: StudyResults, counts: list[int]) -> StudyResults:
    return replace(results, audit={**results.audit, "train": {**results.audit["train"], "counts": counts}})


@pytest.mark.parametrize(
    ("counts", "expected"), [([30, 10], False), ([31, 10], True), ([31, 0, 10], True), ([5, 0], False), ([], False)]
)
def test_more_than_three_to_one(counts: list[int], expected: bool) -> None:
    assert uneven(counts) is expected


def test_balanced_accuracy_is_first_where_classes_differ(tmp_path: Path) -> None:
    even = make_results(tmp_path)
    rare = of_counts(even, [100] * 9 + [20])
    assert "balanced accuracy" not in {column.group for column in figures_table(even).columns}
    table = figures_table(rare)
    assert table.columns[1].group == "balanced accuracy"
    assert "balanced accuracy" in [column.label for column in committee_table(rare.committees, figure_names(rare)).columns]
    for trial, row in zip(rare.trials, table.rows, strict=True):
        if trial.run is not None:
            recalls = [one["recall"] for one in trial.test["per_class"] if one["support"]]
            assert row[1] == figure(sum(recalls) / len(recalls))
            earlier = {name: value for name, value in trial.test.items() if name != "balanced_accuracy"}
            trial.run.metrics["test"] = earlier  # as a run of before has it
            assert trial.test["balanced_accuracy"] == pytest.approx(sum(recalls) / len(recalls))
    shown = Console(file=io.StringIO(), width=160)
    print_summary(rare, shown)  # pyright: ignore[reportArgumentType]: a console is all that it needs
    assert "balanced accuracy" in shown.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
