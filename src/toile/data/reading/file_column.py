"""Which column of a list names the files of its pictures, where several could."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toile.data.reading import tables
from toile.pictures.files import ENDINGS


def is_picture(cell: Any) -> bool:
    """Whether a cell has the name of a picture file."""
    return isinstance(cell, str) and cell.lower().endswith(tuple(ENDINGS))


def file_column(names: Sequence[str], cells: Sequence[Sequence[Any]], path: Path) -> tuple[int | None, tuple[str, ...]]:
    """Its position, None where there is none; and what to say where another one names other files.

    Columns that are called so come first. One of another name, in a language of its own perhaps, is known by the names of
    pictures in it. An id is the name of a file only where nothing else is, and a number that counts the rows, as pandas writes
    it, only where there is no id: it would be found too where files are called 0.png, 1.png, and have the label of another row.
    """
    pictures = [at for at, column in enumerate(cells) if column and all(map(is_picture, column))]
    found = _called(names, tables.FILES)
    if not found and len(pictures) == 1:
        found = pictures
    found = found or _ids(names, cells) or _called(names, tables.COUNTERS)
    if not found:
        return None, ()
    chosen, *others = found
    others = [at for at in others if cells[at] and list(map(_stem, cells[at])) != list(map(_stem, cells[chosen]))]
    pictured = [at for at in others if at in pictures]
    if pictured and chosen not in pictures and (_numbers(cells[chosen]) or not _distinct(cells[chosen])):
        chosen, others = pictured[0], [chosen, *(at for at in others if at != pictured[0])]
    # Beside names of pictures only others such are files; a title or a place on the web is none.
    others = [
        at for at in others if at in pictures or (chosen not in pictures and _numbers(cells[at]) <= _numbers(cells[chosen]))
    ]
    return chosen, tuple(
        f"files are named by the column {names[chosen]!r} of {path.name}, and not by {names[other]!r}, which has others"
        for other in others
    )


def _ids(names: Sequence[str], cells: Sequence[Sequence[Any]]) -> list[int]:
    """Columns of ids: first those of which each row has its own, as of one picture several rows may tell something; of these
    such that do not just count the rows, and those of pictures."""
    found = _called(names, ("id", *tables.PICTURE_IDS))

    def rank(at: int) -> tuple[bool, bool, bool]:
        return not _distinct(cells[at]), _counts(cells[at]), not tables.called(names[at], tables.PICTURE_IDS)

    return sorted(found, key=rank)


def _counts(column: Sequence[Any]) -> bool:
    """Whether it is 0, 1, 2 … or 1, 2, 3 …"""
    return any(all(str(cell).strip() == str(at) for at, cell in enumerate(column, first)) for first in (0, 1))


def _numbers(column: Sequence[Any]) -> bool:
    return all(str(cell).strip().isdecimal() for cell in column)


def _distinct(column: Sequence[Any]) -> bool:
    """Whether no two rows have the same, as those of one folder have."""
    return len(set(map(str, column))) == len(column)


def _called(names: Sequence[str], wanted: tuple[str, ...]) -> list[int]:
    return [at for at, name in enumerate(names) if tables.called(name, wanted)]


def _stem(cell: Any) -> Any:
    """The name of a file without its folders and its ending, as another column may have it."""
    if not isinstance(cell, str):
        return cell
    name = posixpath.basename(cell.replace("\\", "/"))
    return name.rpartition(".")[0] if is_picture(name) else name
