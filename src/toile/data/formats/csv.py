"""CSV in Kaggle's form: a header label,pixel1..pixel784, then one image a line; square images, pixels 0..255"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from toile.data.checks import as_dataset
from toile.data.dataset import Dataset
from toile.data.errors import DataError

_CHUNK = 4096  # lines read at a time
_LONGEST = 1 << 24  # characters of a line: a file without line ends must not fill the memory


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    train = _arrays(path)
    test = _arrays(test_path) if test_path is not None else None
    return as_dataset(path.stem, path, train, test, class_names)


def unlabelled(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Ids and pixels of a file with `id` where the label would be, or with nothing there, as Kaggle hands digits out. (The test
    file of Fashion-MNIST there has labels; they are ignored.)"""
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline(_LONGEST).partition(",")[0].strip().strip('"').lower()
    if first in ("pixel0", "pixel1"):
        return None, _arrays(path, None)[0]
    pixels, ids = _arrays(path, "label" if first == "label" else "id")
    return None if first == "label" else ids, pixels


def _arrays(path: Path, first: str | None = "label") -> tuple[np.ndarray, np.ndarray]:
    """Pixels and the column before them, which is called `first`; None for pixels alone."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            columns = _columns(file.readline(_LONGEST), path, first)
            parts = list(_parts(file, columns, path, bare=first is None))
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    if not parts:
        raise DataError(f"{path}: no line after the header; expected one image a line")
    side = math.isqrt(columns - (first is not None))
    pixels = np.concatenate([pixels for pixels, _ in parts]).reshape(-1, side, side, 1)
    return pixels, np.concatenate([labels for _, labels in parts])


def _columns(header: str, path: Path, wanted: str | None) -> int:
    """How many columns there are, with the first, which is the label's or the id's, if there is such a one."""
    names = [name.strip().strip('"').lower() for name in header.split(",")]
    before = 0 if wanted is None else 1
    if wanted is not None and names[0] != wanted:
        raise DataError(f"{path}: line 1 begins with {names[0][:40]!r}; expected the header {wanted},pixel1,pixel2,…")
    first = 0 if names[before : before + 1] == ["pixel0"] else 1
    for number, name in enumerate(names[before:], first):
        if name != f"pixel{number}":
            raise DataError(f"{path}: line 1: column {name[:40]!r} where pixel{number} belongs; a column is missing or extra")
    count = len(names) - before
    if count == 0 or math.isqrt(count) ** 2 != count:
        raise DataError(f"{path}: line 1: {count} pixel columns; expected a square number, such as 784")
    return len(names)


def _parts(file: TextIO, columns: int, path: Path, *, bare: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels and labels, some thousand lines at a time: as floats, all 60,000 would take half a gigabyte. Of `bare` pixels the
    first stands for the label too."""
    start = 2
    while lines := list(islice(iter(lambda: file.readline(_LONGEST), ""), _CHUNK)):
        if any(not line.strip() for line in lines):
            at = next(at for at, line in enumerate(lines) if not line.strip())
            if any(line.strip() for line in lines[at:]) or file.read().strip():
                raise DataError(f"{path}: line {start + at} is empty; expected {columns} numbers")
            lines = lines[:at]
            if not lines:
                return
        try:
            table = np.loadtxt(lines, delimiter=",", dtype=np.float32, ndmin=2, comments=None)
        except ValueError:
            table = None
        if table is None or table.shape[1] != columns or not _sound(table, bare):
            raise _blame(lines, start, columns, path, bare)
        yield table[:, 0 if bare else 1 :].astype(np.uint8), table[:, 0].astype(np.int64)
        start += len(lines)


def _sound(table: np.ndarray, bare: bool) -> bool:
    """Whether all is whole, no label negative, no pixel beyond 0..255 (NaN fails every comparison)."""
    return bool(
        np.all(table == np.floor(table)) and np.all(table >= 0) and np.all(table[:, 0 if bare else 1 :] <= 255)
    ) and bool(np.all(table[:, 0] < 2**24))


def _blame(lines: list[str], start: int, columns: int, path: Path, bare: bool) -> DataError:
    """The error for the first line that is wrong."""
    for number, line in enumerate(lines, start):
        cells = line.strip().split(",")
        if len(cells) != columns:
            return DataError(f"{path}: line {number} has {len(cells)} columns; expected {columns}, as the header")
        for column, cell in enumerate(cells):
            name, most = ("label", 2**24 - 1) if column == 0 and not bare else (f"pixel column {column + bare}", 255)
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if not (value == math.floor(value) if math.isfinite(value) else False) or not 0 <= value <= most:
                return DataError(f"{path}: line {number}: {name} is {cell.strip()[:40]!r}; expected an integer in 0..{most:,}")
    return DataError(f"{path}: lines {start} to {start + len(lines) - 1} cannot be read; expected {columns} plain integers")
