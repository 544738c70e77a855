"""NumPy .npz: x_train, y_train, x_test, y_test (Keras), or train_images …, or x and y, or images and labels"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np

from toile.data import numpy_files
from toile.data.checks import as_dataset
from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.limits import Budget, plain
from toile.text import listed

_BOTH = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
_ONE = (("x", "y"), ("images", "labels"))


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    budget = Budget()
    train, test = _arrays(path, budget)
    if test_path is not None:
        if test is not None:
            raise DataError(f"{path}: brings test images of its own; leave out test_path ({test_path})")
        test, more = _arrays(test_path, budget)
        if more is not None:
            raise DataError(f"{test_path}: holds train and test; expected one set: x and y, or images and labels")
    return as_dataset(path.stem, path, train, test, class_names)


def _arrays(path: Path, budget: Budget) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray] | None]:
    plain(path)
    with reading(path, "cannot be read as .npz"):
        if not zipfile.is_zipfile(path):  # np.load would take a bare .npy, or a pickle, for what it is
            raise DataError(f"{path}: not a .npz file (a zip of .npy files), or a truncated one")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            names = _chosen(members, path)
            for name in names:  # no member unpacks to more than the archive's directory says
                budget.take(members[name].file_size, f"{path}, {name}")
            found = []
            for name in names:
                with archive.open(members[name]) as file:
                    found.append(numpy_files.read(cast("numpy_files.Stream", file), members[name].file_size, f"{path}, {name}"))
    return (found[0], found[1]), ((found[2], found[3]) if len(found) == 4 else None)


def _chosen(keys: Iterable[str], path: Path) -> tuple[str, ...]:
    """The names of the arrays to be read: images and labels, then perhaps those of the test part."""
    there = set(keys)
    for names in (*_BOTH, *_ONE):
        if there.issuperset(names):
            return names
    for names in _BOTH:
        if there.issuperset(names[:2]) and not there.intersection(names[2:]):
            return names[:2]
    allowed = "; ".join(", ".join(names) for names in (*_BOTH, *_ONE))
    raise DataError(f"{path}: holds {listed(sorted(there)) or 'nothing'}; expected one of these sets: {allowed}")
