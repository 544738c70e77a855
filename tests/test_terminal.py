"""Tables on narrow terminals: nothing of them is lost."""

from __future__ import annotations

import io

import pytest
from rich import box
from rich.table import Table

from toile.terminal import Terminal


def table() -> Table:
    made = Table(title="Are convolutions worth it?", box=box.SIMPLE)
    made.add_column("trial", overflow="fold", min_width=30)
    made.add_column("fingerprint")
    made.add_column("test accuracy", justify="right")
    made.add_column("parameters", justify="right", no_wrap=True)
    made.add_row("a perceptron with dropout", "964376e91062", "0.8611", "203,530", style="bold")
    made.add_row("convolutions, 2 blocks", "53441e0828f8", "", "693,962")
    return made


def printed(width: int) -> str:
    file = io.StringIO()
    Terminal(file=file, width=width, color_system=None).print(table())
    return file.getvalue()


@pytest.mark.parametrize("width", [24, 30, 40, 50, 60, 70, 80])
def test_no_word_of_a_table_is_cut_or_left_out(width: int) -> None:
    shown = printed(width)
    cells = [*(cell for column in table().columns for cell in column.cells), "fingerprint", "test accuracy", "parameters"]
    missing = [word for cell in cells for word in str(cell).split() if word not in shown.split()]
    assert not missing, shown
    assert max(map(len, shown.splitlines())) <= width


def test_where_texts_that_wrap_are_enough_it_stays_a_table() -> None:
    heading = next(line for line in printed(60).splitlines() if "fingerprint" in line)
    assert "parameters" in heading


def test_a_row_that_has_no_place_is_a_few_lines() -> None:
    # What is empty is left out.
    assert printed(40).splitlines()[-3:] == [
        "convolutions, 2 blocks", "    fingerprint    53441e0828f8", "    parameters     693,962",
    ]  # fmt: skip


def test_a_table_with_place_is_as_rich_draws_it() -> None:
    file = io.StringIO()
    super(Terminal, console := Terminal(file=file, width=100, color_system=None)).print(table())
    assert console.width == 100
    assert printed(100) == file.getvalue()
