"""Which columns of a table of pixels are what: by their names, and where they have none by what is in them"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toile.data.errors import DataError
from toile.data.reading import tables
from toile.text import cut, listed

_MOST = 1 << 20  # pixel columns
_PIXEL = re.compile(r"([a-z _.\-]*)(\d+)(?:x(\d+))?")  # pixel1, px_001, 28x28, 0
# What a study may say where columns have no names.
_ENDS = {"first": 0, "last": -1}
_MANY = 1000  # classes that a column may have which nobody calls a label
_IDS = 2  # lines, above which a column that counts them has no labels
_FEW = 100  # numbers of labels with gaps; pixels at the edge of photographs have more
# Share of the images in which a pixel at the edge is as the one beside it, and their correlation, from which on it is no label.
_SAME, _TOGETHER = 0.75, 0.5


@dataclass(frozen=True)
class Columns:
    """Which columns are what.

    Args:
        count: of all.
        pixels: their positions, in order.
        size: (height, width), where their names tell it.
        label, ids: positions, or None.
        header: whether the first line is one.
        between: the character between cells.
        colours: whether the names say that the three colours of a pixel are next to each other.
    """

    count: int
    pixels: tuple[int, ...]
    size: tuple[int, int] | None
    label: int | None
    ids: int | None
    header: bool
    between: str
    colours: bool = False


def by_first_line(first: str, path: Path, label: str | None, count: int | None) -> Columns:
    """What the first line tells."""
    between = tables.delimiter(first)
    if first.count(between) > _MOST:
        raise DataError(f"{path}: line 1: {first.count(between):,} columns; expected at most {_MOST:,} of pixels")
    names = [name.strip().strip('"').lower() for name in tables.cells(first, between, path, 1)]
    numbers = [at for at, name in enumerate(names) if is_number(name)]
    words = len(names) - len(numbers)
    if len(names) == 1:
        raise DataError(f"{path}: line 1 begins with {cut(names[0], 40)!r}; expected several columns: label,pixel1,pixel2,…")
    counted = [float(names[at]) for at in numbers]
    if words <= 2 and counted not in ([float(at) for at in range(len(counted))], [at + 1.0 for at in range(len(counted))]):
        if label is not None and label not in _ENDS:
            raise DataError(
                f"{path}: line 1 has no names of columns, so none is called {label!r}; leave `label` out, or say which column "
                "has the labels: first or last"
            )
        at = None if label is None else _ENDS[label] % len(names)
        return Columns(len(names), tuple(place for place in range(len(names)) if place != at), None, at, None, False, between)
    at = tables.column(names, tables.LABELS, "label", path, label)
    known = [place for place, name in enumerate(names) if tables.called(name, tables.IDS)]
    named = [
        place for place in known if not tables.called(names[place], tables.COUNTERS)
    ]  # beside which pandas counts the rows
    ids = next(iter(named or known), None)
    pixels = [place for place in range(len(names)) if place not in (at, *known)]
    odd = [place for place in pixels if _PIXEL.fullmatch(names[place]) is None]
    if count is not None and at is None and len(odd) == 1 and len(pixels) == count + 1:
        pixels.remove(odd[0])  # which the study calls the label
    size = _in_order([names[place] for place in pixels], path, count is None and at is None)
    colours = _colours([_PIXEL.fullmatch(names[place]) for place in pixels]) is not None
    return Columns(len(names), tuple(pixels), size, at, ids, True, between, colours)


def _in_order(names: list[str], path: Path, unsure: bool) -> tuple[int, int] | None:
    """(height, width), where names such as 1x1 tell it.

    Raises:
        DataError: these are not the columns of all pixels in their order.
    """
    found = [_PIXEL.fullmatch(name) for name in names]
    if "pixels" in names:
        raise DataError(
            f"{path}: line 1: the column 'pixels' has all pixels of an image in one cell, which is not read; expected one "
            "column a pixel: pixel1,pixel2,…"
        )
    if odd := [name for name, match in zip(names, found, strict=True) if match is None]:
        way = f'; if it has the labels, write `label = "{odd[0]}"` in the study\'s data set' if unsure else "; take it out"
        raise DataError(
            f"{path}: line 1: column {cut(odd[0], 40)!r} is neither a label ({listed(tables.LABELS, 4)}), an id "
            f"({listed(tables.IDS, 4)}) nor a pixel (pixel1, 1x1, 0){way}; if this is a list of "
            "pictures, call the column of their files `filename`"
        )
    if (colours := _colours(found)) is not None:  # red1,green1,blue1,red2: as one column a pixel
        names, found = names[::3], colours
    pixels = [(int(match[2]), None if match[3] is None else int(match[3])) for match in found if match]
    if pixels and pixels[0][1] is not None:
        begin = pixels[0][0]
        high, wide = pixels[-1][0] - begin + 1, (pixels[-1][1] or 0) - begin + 1
        if pixels != [(begin + row, begin + column) for row in range(high) for column in range(wide)]:
            raise DataError(f"{path}: line 1: the columns {names[0]} to {names[-1]} are not all pixels, row by row")
        return high, wide
    begin = pixels[0][0] if pixels and pixels[0][0] in (0, 1) else 1
    prefix = found[0][1] if found and found[0] else ""
    for number, (name, match) in enumerate(zip(names, found, strict=True), begin):
        if match is not None and (int(match[2]) != number or match[3] is not None or match[1] != prefix):
            wanted = f"{prefix}{number}"
            raise DataError(f"{path}: line 1: column {cut(name, 40)!r} where {wanted} belongs; a column is missing or extra")
    return None


def _colours(found: list[re.Match[str] | None]) -> list[re.Match[str] | None] | None:
    """The columns of the first colour, where there are three names for each number, always in the same order."""
    first = [(match[1], match[3]) for match in found[:3] if match]
    if len({name for name, _ in first}) < 3 or len(found) % 3:
        return None
    threes = [[match for match in found[at : at + 3] if match] for at in range(0, len(found), 3)]
    same = all([(one[1], one[3]) for one in three] == first and len({one[2] for one in three}) == 1 for three in threes)
    return list(found[::3]) if same else None


def unnamed(columns: Columns, lines: list[str], path: Path, *, with_ids: bool = False) -> Columns:
    """Which column has the labels where none is called so: the first or the last, if one of them looks like labels.

    Args:
        with_ids: whether the first column may have ids in place of labels: whole numbers, each one more than the last, or a
            word of its own in each line.

    Raises:
        DataError: none of them does, or both may have them: a wrong choice would train on wrong classes in silence.
    """
    names = "first and last" if not columns.header else "named ones"
    rows = [tables.cells(line, columns.between, path, 1) for line in lines if line.strip()]
    if with_ids and not columns.header and (_counts(rows, columns.pixels[0]) or _names(rows, columns.pixels[0])):
        return replace(columns, ids=columns.pixels[0], pixels=columns.pixels[1:])
    sides = {columns.pixels[0]: columns.pixels[1], columns.pixels[-1]: columns.pixels[-2]}  # an end: the column beside it
    # What counts the lines has ids: as labels it would make a class of each image.
    counted = [at for at in sides if len(rows) > _IDS and _counts(rows, at)]
    ends = [at for at in sides if rows and all(_like_label(rows, at)) and at not in counted]
    if len(ends) == 1:
        other = next((at for at in sides if at != ends[0]), ends[0])
        # Of pixels that are 0 or 1 all look like labels, and labels like none of them.
        if {row[sides[ends[0]]].strip() for row in rows} == {row[ends[0]].strip() for row in rows}:
            ends = []
        elif other != ends[0] and _maybe_label(rows, other, sides[other]):
            ends.append(other)
    if len(ends) != 1 or columns.header:
        said = '`label = "…"` with the name of another' if columns.header else '`label = "first"`, or "last",'
        way = "" if with_ids else f"; or {said} in the study's data set"
        said = "both look like labels" if len(ends) > 1 else "none looks like labels"
        said = f"{said}, as what counts the lines is taken for ids" if counted else said
        raise DataError(
            f"{path}: which column has the labels? Of the {names} {said}; expected a header such as label,pixel1,pixel2,…, "
            f"with the label called {listed(tables.LABELS, 4)}{way}"
        )
    pixels = tuple(at for at in columns.pixels if at != ends[0])
    return replace(columns, label=ends[0], pixels=pixels)


def _counts(rows: list[list[str]], at: int) -> bool:
    """Whether a column counts the lines, from any number on."""
    texts = [row[at].strip() if len(row) > at else "" for row in rows]
    if len(texts) < 2 or not all(re.fullmatch(r"\d{1,18}", text) for text in texts):
        return False
    return list(map(int, texts)) == list(range(int(texts[0]), int(texts[0]) + len(texts)))


def _names(rows: list[list[str]], at: int) -> bool:
    """Whether a column has a word of its own in each of several lines, as the names of files are."""
    texts = {row[at].strip() for row in rows if len(row) > at}
    return len(texts) == len(rows) > _IDS and not any(map(is_number, texts))


def _maybe_label(rows: list[list[str]], at: int, beside: int) -> bool:
    """Whether a column may have labels with gaps, such as 3 and 8: few whole numbers that do not go with the pixel beside it,
    as the numbers of a pixel do."""
    if any(len(row) <= max(at, beside) for row in rows):
        return False
    texts, others = ([row[place].strip() for row in rows] for place in (at, beside))
    few = len(set(texts))
    if not 2 <= few <= min(_FEW, len(rows) // 2) or not all(map(is_number, texts + others)) or set(texts) == set(others):
        return False
    one, other = (np.array(list(map(float, column))) for column in (texts, others))
    if (one < 0).any() or (one != np.floor(one)).any() or float((one == other).mean()) >= _SAME:
        return False
    return not other.std() or abs(float(np.corrcoef(one, other)[0, 1])) < _TOGETHER


def _like_label(rows: list[list[str]], at: int) -> Iterator[bool]:
    texts = [row[at].strip() if len(row) > at else "" for row in rows]
    found = {text for text in texts if text}
    yield len(found) > 1 or len(rows) == 1
    if all(map(is_number, found)):
        numbers = sorted(float(text) for text in found)
        yield len(numbers) <= _MANY and numbers in (
            [float(n) for n in range(len(numbers))],
            [n + 1.0 for n in range(len(numbers))],
        )
    else:
        yield not any(map(is_number, found))


def is_number(text: str) -> bool:
    try:
        return len(text) < 400 and math.isfinite(float(text))
    except ValueError:
        return False
