"""NumPy .npy with a pickled {'features': pixels, 'target': labels from 1}; read without running the pickle"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.reading import numpy_files
from toile.data.reading.checks import as_dataset
from toile.data.reading.flat_colours import neighbours
from toile.data.reading.limits import Budget, plain
from toile.data.reading.pickled import read_object
from toile.text import listed

_FIRST = 1  # the second document's targets are 1..classes


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".npy"


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    budget = Budget()
    train = _arrays(path, budget)
    test = _arrays(test_path, budget) if test_path is not None else None
    return as_dataset(path.stem, path, train, test, class_names, first=_FIRST)


def unlabelled(path: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray | None, np.ndarray]:
    """Ids and pixels of a dictionary with 'features' and, if it has them, 'id'; or pixels alone, a plain array."""
    size = plain(path)
    with reading(path, "cannot be read"), path.open("rb") as file:
        if not numpy_files.header(file, path)[2].hasobject:
            file.seek(0)
            Budget().take(size, path)
            pixels = numpy_files.read(file, size, path)
            neighbours(pixels, shape, path)
            return None, pixels
    content = _content(path, {"features"}, Budget())
    features, ids = content["features"], content.get("id")
    if ids is not None and not (isinstance(ids, np.ndarray) and ids.shape == (len(features),)):
        raise DataError(f"{path}: 'id' is no array of {len(features)} numbers, one an image")
    neighbours(features, shape, path)
    return ids, features


def _arrays(path: Path, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    content = _content(path, {"features", "target"}, budget)
    return content["features"], content["target"]


def _content(path: Path, wanted: set[str], budget: Budget) -> dict[str, np.ndarray]:
    """The dictionary, with at least the wanted arrays, each of one dimension or more."""
    budget.take(plain(path), path)  # a pickle is not compressed: what it holds is in it as it is
    with reading(path, "cannot be read"), path.open("rb") as file:
        shape, _, dtype = numpy_files.header(file, path)
        if dtype != np.dtype(object):
            raise DataError(
                f"{path}: an array {shape} of {dtype} without labels; expected a pickled dictionary with 'features' "
                "and 'target' (for arrays with labels use .npz)"
            )
        if shape != ():
            raise DataError(f"{path}: an array {shape} of objects; expected one dictionary, saved by np.save")
        content = read_object(file, path)
    said = " and ".join(map(repr, sorted(wanted)))
    if not isinstance(content, dict) or not wanted.issubset(content):
        got = f"the keys {listed(content)}" if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: {got}; expected a dictionary with {said}")
    if not all(isinstance(content[key], np.ndarray) and content[key].ndim for key in wanted):
        raise DataError(f"{path}: not all numeric arrays, expected of {said}")
    return content
