"""CSV or TSV of pixels, plain or .gz: an image a line with its label, as label,pixel1..pixel784; the label may be last"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.reading import tables
from toile.data.reading.checks import as_dataset
from toile.data.reading.flat_colours import neighbours
from toile.data.reading.limits import Budget, plain
from toile.data.reading.pixel_columns import Columns, by_first_line, is_number, unnamed
from toile.pictures.ranges import BEYOND
from toile.text import cut

_CHUNK = 4096  # lines read at a time: as floats, all 60,000 would take half a gigabyte
_OVER = 1 + BEYOND  # of fractions


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
    notes: list[str] = []
    found = [_labelled(one, size, label, budget, notes) for one in (path, test_path) if one is not None]
    pairs = list(zip([pixels for pixels, _ in found], _numbers(*(texts for _, texts in found)), strict=True))
    train, test = pairs[0], pairs[1] if len(pairs) > 1 else None
    if test is not None and "f" in (train[0].dtype.kind, test[0].dtype.kind) and max(train[0].max(), test[0].max()) <= _OVER:
        # Fractions, of which one file has none but 0 and 1.
        train, test = ((pixels.astype(np.float32), labels) for pixels, labels in (train, test))
    made = as_dataset(path.name.partition(".")[0], path, train, test, class_names)
    if path.name.lower().startswith("emnist"):
        notes.append(
            "EMNIST's files hold their images transposed, so what is learned of them says nothing of upright pictures; its "
            "IDX files are turned by `transpose = true` in the study's data set"
        )
    return replace(made, notes=(*notes, *made.notes))


def unlabelled(path: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray | None, np.ndarray]:
    """Ids, where there are some, and pixels `(n, count)`, as Kaggle hands digits out. Labels of a file that has them, as a data
    set's own files have, are ignored, whatever their column is called."""
    columns, pixels, _, ids = _arrays(path, None, Budget(), math.prod(shape))
    if not columns.colours:
        neighbours(pixels, shape, path)
    if columns.ids is None:
        return None, pixels
    if any(re.fullmatch(r"[+-]?0\d+", one) for one in ids):
        return np.array(ids), pixels  # 007 is a name
    if all(re.fullmatch(r"[+-]?\d{1,18}", one) for one in ids):
        return np.array(list(map(int, ids)), np.int64), pixels  # as floats, long ones would lose their last digits
    [found] = _numbers(ids)
    return found, pixels


def _labelled(
    path: Path, size: int | tuple[int, int] | None, label: str | None, budget: Budget, notes: list[str]
) -> tuple[np.ndarray, list[str]]:
    columns, pixels, labels, _ = _arrays(path, label, budget)
    shape = _shape(pixels.shape[1], size or columns.size, path)
    if shape[2] == 3 and not columns.colours:
        notes.append(_in_colour(pixels, shape, path))
    return pixels.reshape(-1, *shape), labels


def _in_colour(pixels: np.ndarray, shape: tuple[int, int, int], path: Path) -> str:
    """What to say of colours whose columns no name tells: in which order they are taken.

    Raises:
        DataError: they are clearly in the other one, all red, then all green, then all blue: pictures would be scrambled.
    """
    high, wide, _ = shape
    neighbours(pixels, shape, path, ". If they are, call the columns red1,green1,blue1,red2,…")
    taken = f"{path.name}: {pixels.shape[1]} columns are taken for {high} x {wide} pixels"
    return f"{taken}, the red, green and blue of each next to each other"


def _arrays(
    path: Path, label: str | None, budget: Budget, count: int | None = None
) -> tuple[Columns, np.ndarray, list[str], list[str]]:
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
        columns, start = by_first_line(first, path, label, count), 1
        some = ([] if columns.header else [first]) + tables.lines(file, _CHUNK)
        start += int(columns.header)
        if columns.label is None and (count is None or (not columns.header and len(columns.pixels) == count + 1)):
            columns = unnamed(columns, some, path, with_ids=count is not None)
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
    file: TextIO, some: list[str], start: int, columns: Columns, path: Path, budget: Budget
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


def _blame(rows: list[list[str]], start: int, columns: Columns, path: Path) -> DataError:
    """The error for the first number that is wrong."""
    for number, row in enumerate(rows, start):
        for pixel, at in enumerate(columns.pixels, 1):
            value = float(row[at]) if is_number(row[at].strip()) else math.nan
            if not (value == math.floor(value) if math.isfinite(value) else False) or not 0 <= value <= 255:
                said = f"pixel column {pixel} is {cut(row[at].strip(), 40)!r}"
                return DataError(
                    f"{path}: line {number}: {said}; expected an integer in 0..255, or fractions 0..1 in all columns"
                )
    return DataError(f"{path}: lines {start} to {start + len(rows) - 1} cannot be read; expected {columns.count} plain numbers")


def _numbers(*texts: list[str]) -> list[np.ndarray]:
    """Labels or ids of each file: numbers, where all of it are; else the texts. Where numbers would make one of what is written
    as two, `01` and `1`, or another of `1e1`, all files are texts."""
    names = any(re.fullmatch(r"\d+[eE]\d+", text) for one in texts for text in set(one))
    for one in texts:  # a file that writes all of them with zeros and another that writes none mean the same
        plain = [text for text in set(one) if re.fullmatch(r"\d+", text)]
        names = names or len({text.lstrip("0") or "0" for text in plain}) < len(plain)
    numbers = [not names and all(map(is_number, one)) for one in texts]
    return [np.array(list(map(float, one)) if number else one) for one, number in zip(texts, numbers, strict=True)]
