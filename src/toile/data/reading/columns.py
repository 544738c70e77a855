"""Which columns of a list of pictures are what: by their names, or else by what is in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toile.data.errors import DataError
from toile.data.reading import tables
from toile.data.reading.layout import PARTS, part_of
from toile.pictures.files import ENDINGS
from toile.text import cut, listed

# A column that says of one part only whether a picture is in it: its name -> that part, and the part of all others.
_FLAGS = {
    **{f"is_{name}": ("validation", None) for name in PARTS["validation"]},
    **{f"is_{name}": ("test", None) for name in PARTS["test"]},
    **{f"is_{name}": (None, "test") for name in PARTS["train"]},
}
_YES, _NO = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no", "")


@dataclass(frozen=True)
class Columns:
    """Their positions.

    Args:
        names: of all, in lower case.
        files: of the pictures.
        labels: of their classes; None where each class has a column of its own.
        split: of the parts, or None.
        flags: of those that say yes or no of one part: position -> the part of yes, and that of no.
        one_hot: of the classes, where each has a column that is 1 for its pictures and 0 for all others.
    """

    names: tuple[str, ...]
    files: int
    labels: int | None
    split: int | None
    flags: Mapping[int, tuple[str | None, str | None]]
    one_hot: tuple[int, ...] = ()

    def label(self, cells: Sequence[Any]) -> Any:
        """What a row says of the class."""
        if self.labels is not None:
            return cells[self.labels]
        return next(self.names[at] for at in self.one_hot if _number(cells[at]) == 1)

    def others(self, cells: Sequence[Any]) -> dict[str, str]:
        """What else a row says, by the names of the columns."""
        known = {self.files, self.labels, *self.one_hot}
        return {name: str(cells[at]) for at, name in enumerate(self.names) if at not in known}

    def part(self, cells: Sequence[Any], unsaid: str, path: Path, row: int) -> str:
        """Of which part a row is.

        Args:
            cells: of the row.
            unsaid: what it is where it says nothing.

        Raises:
            DataError: it says something else.
        """
        if self.split is not None:
            return _said(cells[self.split], unsaid, path, row)
        said = {of[0 if _yes(cells[at], self.names[at], path, row) else 1] for at, of in self.flags.items()}
        return next((part for part in ("test", "validation") if part in said), unsaid)


def columns_of(columns: Mapping[str, Sequence[Any]], path: Path, label: str | None) -> Columns:
    """Which columns are what.

    Args:
        columns: name, in lower case -> cells. A picture is a dictionary of `bytes` and `path`, as Parquet has it.
        label: the column of labels, where the study says it.

    Raises:
        DataError: no files, no labels, or several columns that could be meant.
    """
    names, cells = list(columns), list(columns.values())
    held = [at for at, column in enumerate(cells) if _holds_bytes(next(iter(column), None))]
    files = held[0] if len(held) == 1 else tables.column(names, tables.FILES, "file", path)
    if files is None:  # it may have a name in another language; an id is a name of a file only where nothing else is
        found = [at for at, column in enumerate(cells) if column and all(map(is_picture, column))]
        files = found[0] if len(found) == 1 else tables.column(names, tables.IDS, "file", path)
    labels = tables.column(names, tables.LABELS, "label", path, label)
    if labels is None and files is not None and len(names) == 2:
        # There is nothing else that the other could be, if it is not called so.
        labels = None if tables.called(names[1 - files], (*tables.IDS, *tables.SPLITS)) else 1 - files
    others = [at for at in range(len(names)) if at not in (files, labels)]
    hot = _one_hot(names, cells, others) if labels is None and files is not None else ()
    if files is None or (labels is None and not hot):
        what, known = ("files", tables.FILES) if files is None else ("labels", tables.LABELS)
        way = "" if files is None else '; say which it is: `label = "…"` in the study\'s data set'
        raise DataError(f"{path}: no column of {what} ({listed(known, 4)}); there are: {listed(names, 8)}{way}")
    split = tables.column(names, tables.SPLITS, "split", path)
    if split is None:  # it may be called otherwise; a picture that is kept for a test must not be learned
        parts = [at for at in others if len(_parts(cells[at])) > 1]
        split = parts[0] if len(parts) == 1 else None
    flags = {at: of for at in others for known, of in _FLAGS.items() if tables.called(names[at], (known,))}
    return Columns(tuple(names), files, labels, split, {} if split is not None else flags, hot)


def is_picture(cell: Any) -> bool:
    """Whether a cell has the name of a picture file."""
    return isinstance(cell, str) and cell.lower().endswith(tuple(ENDINGS))


def _holds_bytes(cell: Any) -> bool:
    """Whether a cell of Parquet has a picture in it, as Hugging Face's have."""
    return isinstance(cell, dict) and "bytes" in cell


def _one_hot(names: Sequence[str], cells: Sequence[Sequence[Any]], others: Sequence[int]) -> tuple[int, ...]:
    """The columns of classes, if each row has one 1 in them and else 0; nothing where that is not so."""
    known = (*tables.IDS, *tables.SPLITS, *_FLAGS)
    hot = [at for at in others if not tables.called(names[at], known) and all(_number(cell) in (0, 1) for cell in cells[at])]
    rows = zip(*(cells[at] for at in hot), strict=True)
    return tuple(hot) if len(hot) > 1 and all(sum(map(_number, row)) == 1 for row in rows) else ()


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _parts(column: Sequence[Any]) -> set[str]:
    """The parts that a column names, if it names nothing else."""
    found = {part_of(cell.strip()) if isinstance(cell, str) else None for cell in column}
    return set() if None in found else {part for part in found if part is not None}


def _said(text: Any, unsaid: str, path: Path, row: int) -> str:
    part = part_of(str(text).strip()) if text not in (None, "") else unsaid
    if part is None:
        wanted = "; ".join(f"{part}: {', '.join(names)}" for part, names in PARTS.items())
        raise DataError(f"{path}: row {row}: the split is {cut(str(text), 40)!r}; expected {wanted}")
    return part


def _yes(cell: Any, name: str, path: Path, row: int) -> bool:
    text = "" if cell is None else str(cell).strip().lower()
    if text not in _YES + _NO:
        raise DataError(f"{path}: row {row}: {name} is {cut(text, 40)!r}; expected true or false")
    return text in _YES
