"""What any model should beat, as a table."""

from __future__ import annotations

from toile.reports.results.study import StudyResults
from toile.reports.table import TEXT, Column, Table
from toile.reports.text import count, duration, figure

WORDS = {"majority": "always the commonest class", "logistic": "logistic regression"}


def baselines_table(results: StudyResults) -> Table:
    """Accuracy of the baselines of each split; no rows where none were made."""
    rows: list[list[str]] = []
    for of in results.baselines.values():
        made = [
            [
                words, figure(of[key].get("validation")), figure(of[key].get("test")),
                count(of["images"]) if key == "logistic" else "", duration(of["seconds"]) if key == "logistic" else "",
            ]
            for key, words in WORDS.items()
        ]  # fmt: skip
        rows += [row for row in made if row not in rows]
    columns = [
        Column("baseline", TEXT), Column("validation", group="accuracy"), Column("test", group="accuracy"),
        Column("images learned from"), Column("time"),
    ]  # fmt: skip
    note = "They were made by themselves, and choose nothing. The logistic regression sees pixels, at most 32 on a side."
    return Table("What any model should beat", columns, rows, note=note if rows else "")
