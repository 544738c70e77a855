"""A search on a terminal."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from toile.reports.page.search import known, luck
from toile.reports.results.search import SearchResult
from toile.reports.text import duration, figure
from toile.text import counted

if TYPE_CHECKING:
    from toile.terminal import Terminal

# Rows of the leaderboard.
_TOP = 8


def print_search(search: SearchResult, study: str, console: Terminal) -> None:
    """The best of the leaderboard on a terminal, what the pick is worth, and the command that exports.

    Args:
        study: what a command calls it, quoted for a shell.
    """
    from rich.table import Table as Printed

    table = Printed(title=f"The search: {counted(len(search.rows), 'proposal')}, the best by validation", title_justify="left")
    for column in ("trial", "epochs", f"validation {search.metric}", "parameters", "core time"):
        table.add_column(column, justify="left" if column == "trial" else "right")
    for row in search.rows[:_TOP]:
        mark = "" if row["apart"] or row is search.rows[0] else " ="
        cells = (
            f"{row['epochs']}/{row['whole']}",
            figure(row["figure"]) + mark,
            known(row["parameters"]),
            duration(row["seconds"]),
        )
        table.add_row(row["name"], *cells)
    console.print(table)
    if any(not row["apart"] for row in search.rows[1:_TOP]):
        console.print("= cannot be told from the first")
    console.print(luck(search))
    name, *options = shlex.split(study)
    console.print(f"to export the best: toile export {shlex.join([f'{name}/{search.shipped}', *options])}")
