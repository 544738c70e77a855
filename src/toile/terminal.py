"""The terminal, as all that prints tables and bars sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from toile.text import printable

_COLUMNS = 80
_ANY = 1_000_000  # characters: more than any table has


class Terminal(Console):
    """A rich console to which every text is data: no markup, no `:emoji:`, no characters that a terminal would obey.

    What is to be bold says so by `style`. A `Text` is passed on as it is: whoever makes one of a name asks `printable` first.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})
        if self.width < 1:  # where a program says that its terminal has no columns, all would be printed into none
            self.width = _COLUMNS

    def render_str(self, text: str, **options: Any) -> Text:
        """See rich; all strings come through here, those of tables too."""
        return super().render_str(printable(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """See rich. A table that is wider than the terminal loses nothing: its texts wrap between words, and where that is not
        enough, each row is a few lines."""
        if len(objects) == 1 and isinstance(objects[0], Table) and not self._fits(objects[0]):
            self._print_stacked(objects[0])
        else:
            super().print(*objects, **options)

    def _fits(self, table: Table) -> bool:
        """Whether the table has its place; its columns are made narrower for that, as far as no word is cut.

        rich itself would cut words, and leave out what is at the right.
        """
        wide = Measurement.get(self, self.options.update(max_width=_ANY), table).maximum
        widths, least = [_longest(column, whole=True) for column in table.columns], [_longest(one) for one in table.columns]
        excess = wide - self.width
        if excess <= 0:
            return True
        # What was to be wider than its texts need not be.
        excess -= sum(max((one.min_width or 0) - width, 0) for one, width in zip(table.columns, widths, strict=True))
        if excess > sum(widths) - sum(least):
            return False
        for _ in range(excess):
            widest = max(range(len(widths)), key=lambda index: (widths[index] > least[index], widths[index]))
            widths[widest] -= 1
        for column, width in zip(table.columns, widths, strict=True):
            column.width = width
        return True

    def _print_stacked(self, table: Table) -> None:
        if table.title:
            super().print(table.title, style="italic")
        names, *columns = table.columns
        labels = [str(column.header) for column in columns]
        width = max(map(cell_len, labels), default=0)
        for row, (name, *cells) in zip(
            table.rows, zip(*(column.cells for column in (names, *columns)), strict=True), strict=True
        ):
            super().print(name, style=row.style or "bold")
            for label, cell in zip(labels, cells, strict=True):
                if str(cell):
                    super().print(f"    {label:<{width}}  {cell}", style=row.style)


def _longest(column: Column, *, whole: bool = False) -> int:
    """The cells that the longest text of a column takes, or its longest word, if its texts may wrap."""
    return max(map(cell_len, _pieces(column, whole or column.no_wrap)), default=0)


def _pieces(column: Column, whole: bool) -> Iterator[str]:
    for text in (column.header, *column.cells):
        yield from printable(text).splitlines() if whole else printable(text).split()
