"""CSV or TSV of pixels, plain or .gz: an image a line with its label, as label,pixel1..pixel784; the label may be last"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.reading import tables
from toile.data.reading.checks import as_dataset
from toile.data.reading.limits import Budget, plain
from toile.text import cut, listed

_CHUNK = 4096  # lines read at a time: as floats, all 60,000 would take half a gigabyte
_MOST = 1 << 20  # pixel columns
_PIXEL = re.compile(r"([a-z _.\-]*)(\d+)(?:x(\d+))?")  # pixel1, px_001, 28x28, 0
_OVER = 1.1  # fractions that resizing has left above 1
_MANY = 1000  # classes that a column may have which nobody calls a label


@dataclass(frozen=True)
class _Columns:
    """Which columns are what.

    Args:
        count: of all.
        pixels: their positions, in order.
        size: (height, width), where their names tell it.
        label, ids: positions, or None.
        header: whether the first line is one.
        between: the character between cells.
    """

    count: int
    pixels: tuple[int, ...]
    size: tuple[int, int] | None
    label: int | None
    ids: int | None
    header: bool
    between: str


def matches(path: Path) -> bool:
    return tables.is_table(path)


def read(
    path: Path,
    test_path: Path | None,
    class_names: tuple[str, ...] | None,
    *,
    size: int | tuple[int, int] | None = None,
    label: str | None = None,
) -> Dataset:
    budget = Budget()
    train, test = (None if one is None else _labelled(one, size, label, budget) for one in (path, test_path))
    assert train is not None
    if test is not None and "f" in (train[0].dtype.kind, test[0].dtype.kind) and max(train[0].max(), test[0].max()) <= _OVER:
        # Fractions, of which one file has none but 0 and 1.
        train, test = ((pixels.astype(np.float32), labels) for pixels, labels in (train, test))
    return as_dataset(path.name.partition(".")[0], path, train, test, class_names)


def unlabelled(path: Path, count: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Ids, where there are some, and pixels `(n, count)`, as Kaggle hands digits out. Labels of a file that has them, as a data
    set's own files have, are ignored, whatever their column is called."""
    columns, pixels, _, ids = _arrays(path, None, Budget(), count)
    if columns.ids is None:
        return None, pixels
    if any(re.fullmatch(r"[+-]?0\d+", one) for one in ids):
        return np.array(ids), pixels  # 007 is a name
    if all(re.fullmatch(r"[+-]?\d{1,18}", one) for one in ids):
        return np.array(list(map(int, ids)), np.int64), pixels  # as floats, long ones would lose their last digits
    return _numbers(ids), pixels


def _labelled(
    path: Path, size: int | tuple[int, int] | None, label: str | None, budget: Budget
) -> tuple[np.ndarray, np.ndarray]:
    columns, pixels, labels, _ = _arrays(path, label, budget)
    return pixels.reshape(-1, *_shape(pixels.shape[1], size or columns.size, path)), _numbers(labels)


def _arrays(
    path: Path, label: str | None, budget: Budget, count: int | None = None
) -> tuple[_Columns, np.ndarray, list[str], list[str]]:
    """The columns; pixels `(n, pixels)`, uint8 or, if they are fractions, float32; the texts of the labels, and of the ids.

    Args:
        count: of the pixels, where it is known and no labels are needed.
    """
    plain(path)
    labels: list[str] = []
    ids: list[str] = []
    parts: list[np.ndarray] = []
    with reading(path, tables.NO_TEXT), tables.opened(path) as file:
        first = file.readline(tables.LONGEST)
        columns, start = _columns(first, path, label, count), 1
        some = ([] if columns.header else [first]) + tables.lines(file, _CHUNK)
        start += int(columns.header)
        if columns.label is None and (count is None or (not columns.header and len(columns.pixels) == count + 1)):
            columns = _unnamed(columns, some, path)
        for pixels, of_lines in _parts(file, some, start, columns, path, budget):
            parts.append(pixels)
            for texts, at in ((labels, columns.label), (ids, columns.ids)):
                texts += [cells[at].strip() for cells in of_lines] if at is not None else []
    if not parts:
        raise DataError(f"{path}: no line after the header; expected one image a line")
    fractions = [part for part in parts if part.dtype != np.uint8]
    if fractions and max(float(part.max()) for part in parts) > _OVER:
        raise DataError(f"{path}: some lines have fractions, others whole numbers above 1; expected 0..255, or 0..1 in all")
    return columns, np.concatenate(parts), labels, ids


def _columns(first: str, path: Path, label: str | None, count: int | None) -> _Columns:
    """What the first line tells."""
    between = tables.delimiter(first)
    if first.count(between) > _MOST:
        raise DataError(f"{path}: line 1: {first.count(between):,} columns; expected at most {_MOST:,} of pixels")
    names = [name.strip().strip('"').lower() for name in tables.cells(first, between, path, 1)]
    numbers = [at for at, name in enumerate(names) if _is_number(name)]
    words = len(names) - len(numbers)
    if len(names) == 1:
        raise DataError(f"{path}: line 1 begins with {cut(names[0], 40)!r}; expected several columns: label,pixel1,pixel2,…")
    counted = [float(names[at]) for at in numbers]
    if words <= 2 and counted not in ([float(at) for at in range(len(counted))], [at + 1.0 for at in range(len(counted))]):
        if label is not None:
            raise DataError(f"{path}: line 1 has no names of columns, so none is called {label!r}; leave `label` out")
        return _Columns(len(names), tuple(range(len(names))), None, None, None, False, between)
    at = tables.column(names, tables.LABELS, "label", path, label)
    ids = tables.column(names, tables.IDS, "id", path)
    pixels = [place for place in range(len(names)) if place not in (at, ids)]
    odd = [place for place in pixels if _PIXEL.fullmatch(names[place]) is None]
    if count is not None and at is None and len(odd) == 1 and len(pixels) == count + 1:
        pixels.remove(odd[0])  # which the study calls the label
    size = _in_order([names[place] for place in pixels], path, count is None and at is None)
    return _Columns(len(names), tuple(pixels), size, at, ids, True, between)


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
        way = f'; if it has the labels, write `label = "{odd[0]}"` in the study\'s data set' if unsure else ""
        raise DataError(
            f"{path}: line 1: column {cut(odd[0], 40)!r} is neither a label ({listed(tables.LABELS, 4)}), an id "
            f"({listed(tables.IDS[:4])}) nor a pixel (pixel1, 1x1, 0){way}"
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


def _unnamed(columns: _Columns, lines: list[str], path: Path) -> _Columns:
    """Which column has the labels where none is called so: the first or the last, if one of them looks like labels."""
    names = "first and last" if not columns.header else "named ones"
    rows = [tables.cells(line, columns.between, path, 1) for line in lines if line.strip()]
    ends = [at for at in (columns.pixels[0], columns.pixels[-1]) if rows and all(_like_label(rows, at))]
    if len(set(ends)) == 1:  # of pixels that are 0 or 1 all look like labels, and labels like none of them
        beside = columns.pixels[1] if ends[0] == columns.pixels[0] else columns.pixels[-2]
        if {row[beside].strip() for row in rows} == {row[ends[0]].strip() for row in rows}:
            ends = []
    if len(set(ends)) != 1 or columns.header:
        said = "both look like labels" if len(set(ends)) > 1 else "none looks like labels"
        raise DataError(
            f"{path}: which column has the labels? Of the {names} {said}; expected a header such as label,pixel1,pixel2,…, "
            f"with the label called {listed(tables.LABELS, 4)}"
        )
    pixels = tuple(at for at in columns.pixels if at != ends[0])
    return replace(columns, label=ends[0], pixels=pixels)


def _like_label(rows: list[list[str]], at: int) -> Iterator[bool]:
    texts = [row[at].strip() if len(row) > at else "" for row in rows]
    found = {text for text in texts if text}
    yield len(found) > 1 or len(rows) == 1
    if all(map(_is_number, found)):
        numbers = sorted(float(text) for text in found)
        yield len(numbers) <= _MANY and numbers in (
            [float(n) for n in range(len(numbers))],
            [n + 1.0 for n in range(len(numbers))],
        )
    else:
        yield not any(map(_is_number, found))


def _shape(count: int, size: int | tuple[int, int] | None, path: Path) -> tuple[int, int, int]:
    """(height, width, channels) of so many columns; colours are next to each other, as in red1,green1,blue1,red2,…"""
    if size is not None:
        high, wide = (size, size) if isinstance(size, int) else size
        channels = {high * wide: 1, 3 * high * wide: 3}.get(count)
        if channels is None:
            raise DataError(
                f"{path}: {count} pixel columns are no images of {high} x {wide}; expected {high * wide}, or three times"
            )
        return high, wide, channels
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if side * side * channels == count and side >= channels:
            return side, side, channels
    raise DataError(
        f"{path}: {count} pixel columns; expected a square number, such as 784, or three times one for colours; for "
        "other images write `size = [height, width]` in the study's data set"
    )


def _parts(
    file: TextIO, some: list[str], start: int, columns: _Columns, path: Path, budget: Budget
) -> Iterator[tuple[NDArray[Any], list[list[str]]]]:
    """Pixels and cells of some thousand lines at a time."""
    while some := tables.until_empty(file, some, start, path):
        budget.take(len(some) * columns.count, path)
        rows = [tables.cells(line, columns.between, path, number) for number, line in enumerate(some, start)]
        for number, row in enumerate(rows, start):
            if len(row) != columns.count:
                raise DataError(f"{path}: line {number} has {len(row)} columns; expected {columns.count}, as the first line")
        wanted: list[int] = list(columns.pixels)
        try:
            table = np.loadtxt(
                some, delimiter=columns.between, usecols=wanted, dtype=np.float32, ndmin=2, comments=None, quotechar='"'
            )
        except ValueError:
            table = None
        if table is None or table.shape != (len(rows), len(wanted)) or not _sound(table):
            raise _blame(rows, start, columns, path)
        whole = bool((table == np.floor(table)).all())
        yield (table.astype(np.uint8) if whole else table), rows
        start += len(some)
        some = tables.lines(file, _CHUNK)


def _sound(table: np.ndarray) -> bool:
    """Whether all is whole and in 0..255, or about 0..1 (NaN fails every comparison)."""
    least, most = table.min(), table.max()
    return bool(least >= 0 and most <= 255 and np.all(table == np.floor(table))) or bool(least >= 1 - _OVER and most <= _OVER)


def _blame(rows: list[list[str]], start: int, columns: _Columns, path: Path) -> DataError:
    """The error for the first number that is wrong."""
    for number, row in enumerate(rows, start):
        for pixel, at in enumerate(columns.pixels, 1):
            value = float(row[at]) if _is_number(row[at].strip()) else math.nan
            if not (value == math.floor(value) if math.isfinite(value) else False) or not 0 <= value <= 255:
                said = f"pixel column {pixel} is {cut(row[at].strip(), 40)!r}"
                return DataError(
                    f"{path}: line {number}: {said}; expected an integer in 0..255, or fractions 0..1 in all columns"
                )
    return DataError(f"{path}: lines {start} to {start + len(rows) - 1} cannot be read; expected {columns.count} plain numbers")


def _numbers(texts: list[str]) -> np.ndarray:
    """Numbers, where all are; else the texts."""
    return np.array([float(text) for text in texts]) if all(map(_is_number, texts)) else np.array(texts)


def _is_number(text: str) -> bool:
    try:
        return len(text) < 400 and math.isfinite(float(text))
    except ValueError:
        return False
