"""A table of a report, before it is HTML: columns, and rows of text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from toile.reports.text import NOTHING

TEXT, NUMBER, WRAPS, WIDE = "text", "number", "number wraps", "wide"


@dataclass(frozen=True)
class Column:
    """`kind` is `text`, `number` (right-aligned; `number wraps` where a cell has several) or `wide` (text that may wrap);
    `group` stands above several columns."""

    label: str
    kind: str = NUMBER
    group: str = ""


@dataclass(frozen=True)
class Table:
    """A table of text. The name of the data set is added to the caption where it is shown.

    `strong` are the numbers of rows to set apart, `quiet` those to set back; `note` is said below.
    """

    caption: str
    columns: list[Column]
    rows: list[list[str]]
    strong: set[int] = field(default_factory=set)
    quiet: set[int] = field(default_factory=set)
    note: str = ""

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The row above the column labels: `(label, columns)`; empty where no column has a group."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans if any(label for label, _ in spans) else []


def without_empty(table: Table, keep: int) -> Table:
    """The table without those columns behind the first `keep` (and published ones anywhere) that say nothing."""
    full = [
        index
        for index, column in enumerate(table.columns)
        if (index < keep and column.label != "published") or any(row[index] != NOTHING for row in table.rows)
    ]
    columns, rows = [table.columns[i] for i in full], [[row[i] for i in full] for row in table.rows]
    return replace(table, columns=columns, rows=rows)
