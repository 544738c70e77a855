"""CSV in Kaggle's form: a header label,pixel1..pixel784, then one image a line; square images, pixels 0..255"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from toile.data.checks import as_dataset
from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.limits import Budget, plain

_CHUNK = 4096  # lines read at a time
_LONGEST = 1 << 24  # characters read at a time: a file without line ends must not fill the memory
_MOST = 1 << 20  # pixel columns
_FIRST = ("pixel0", "pixel1")  # the first of them, as some count


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    budget = Budget()
    _, train = _arrays(path, ("label",), budget)
    test = _arrays(test_path, ("label",), budget)[1] if test_path is not None else None
    return as_dataset(path.stem, path, train, test, class_names)


def unlabelled(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Ids and pixels of a file with `id` where the label would be, or with nothing there, as Kaggle hands digits out. (The test
    file of Fashion-MNIST there has labels; they are ignored.)"""
    first, (pixels, ids) = _arrays(path, ("id", "label", *_FIRST), Budget())
    return ids if first == "id" else None, pixels


def _arrays(path: Path, wanted: tuple[str, ...], budget: Budget) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
    """What the first column is called, one of the wanted; the pixels `(n, side, side, 1)`; and the first column's numbers,
    which are pixels too where it is called so."""
    plain(path)
    with reading(path, "cannot be read as UTF-8 text"), path.open(encoding="utf-8-sig") as file:
        first, columns = _columns(file.readline(_LONGEST), path, wanted)
        parts = list(_parts(file, columns, path, budget, before=int(first not in _FIRST)))
    if not parts:
        raise DataError(f"{path}: no line after the header; expected one image a line")
    side = math.isqrt(columns - int(first not in _FIRST))
    pixels = np.concatenate([pixels for pixels, _ in parts]).reshape(-1, side, side, 1)
    return first, (pixels, np.concatenate([labels for _, labels in parts]))


def _columns(header: str, path: Path, wanted: tuple[str, ...]) -> tuple[str, int]:
    """What the first column is called, the label's or the id's if there is such a one, and how many columns there are."""
    if header.count(",") > _MOST:
        raise DataError(f"{path}: line 1: {header.count(','):,} pixel columns; expected at most {_MOST:,}")
    names = [name.strip().strip('"').lower() for name in header.split(",")]
    if names[0] not in wanted:
        raise DataError(f"{path}: line 1 begins with {names[0][:40]!r}; expected the header {wanted[0]},pixel1,pixel2,…")
    before = int(names[0] not in _FIRST)
    first = 0 if names[before : before + 1] == ["pixel0"] else 1
    for number, name in enumerate(names[before:], first):
        if name != f"pixel{number}":
            raise DataError(f"{path}: line 1: column {name[:40]!r} where pixel{number} belongs; a column is missing or extra")
    count = len(names) - before
    if count == 0 or math.isqrt(count) ** 2 != count:
        raise DataError(f"{path}: line 1: {count} pixel columns; expected a square number, such as 784")
    return names[0], len(names)


def _some(file: TextIO) -> list[str]:
    """The next lines, some thousand of them or fewer long ones; nothing at the end."""
    lines, characters = [], 0
    while len(lines) < _CHUNK and characters < _LONGEST and (line := file.readline(_LONGEST)):
        lines.append(line)
        characters += len(line)
    return lines


def _parts(file: TextIO, columns: int, path: Path, budget: Budget, before: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels and the first column, some thousand lines at a time: as floats, all 60,000 would take half a gigabyte. There are
    `before` columns before the pixels."""
    start = 2
    while lines := _some(file):
        if (at := next((at for at, line in enumerate(lines) if not line.strip()), None)) is not None:
            rest = iter(lambda: file.readline(_LONGEST), "")
            if any(line.strip() for line in chain(lines[at:], rest)):
                raise DataError(f"{path}: line {start + at} is empty; expected {columns} numbers")
            lines = lines[:at]
            if not lines:
                return
        budget.take(len(lines) * columns, path)
        try:
            table = np.loadtxt(lines, delimiter=",", dtype=np.float32, ndmin=2, comments=None)
        except ValueError:
            table = None
        if table is None or table.shape[1] != columns or not _sound(table, before):
            raise _blame(lines, start, columns, path, before)
        yield table[:, before:].astype(np.uint8), table[:, 0].astype(np.int64)
        start += len(lines)


def _sound(table: np.ndarray, before: int) -> bool:
    """Whether all is whole, no label negative, no pixel beyond 0..255 (NaN fails every comparison)."""
    return bool(np.all(table == np.floor(table)) and np.all(table >= 0) and np.all(table[:, before:] <= 255)) and bool(
        np.all(table[:, 0] < 2**24)
    )


def _blame(lines: list[str], start: int, columns: int, path: Path, before: int) -> DataError:
    """The error for the first line that is wrong."""
    for number, line in enumerate(lines, start):
        cells = line.strip().split(",")
        if len(cells) != columns:
            return DataError(f"{path}: line {number} has {len(cells)} columns; expected {columns}, as the header")
        for column, cell in enumerate(cells):
            pixel = column + 1 - before
            name, most = (f"pixel column {pixel}", 255) if pixel > 0 else ("label", 2**24 - 1)
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if not (value == math.floor(value) if math.isfinite(value) else False) or not 0 <= value <= most:
                return DataError(f"{path}: line {number}: {name} is {cell.strip()[:40]!r}; expected an integer in 0..{most:,}")
    return DataError(f"{path}: lines {start} to {start + len(lines) - 1} cannot be read; expected {columns} plain integers")
