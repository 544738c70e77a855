"""NumPy .npz: x_train, y_train, x_test, y_test (Keras), or train_images …, also x_val or val_images; x, y; images, labels"""

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

# Part -> what its images and labels are called, as people call them. The first is the part that must be there.
_SETS = (
    {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")},
    {
        "train": ("train_images", "train_labels"),
        "validation": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
    },
    {"train": ("x", "y")},
    {"train": ("images", "labels")},
)
Pair = tuple[np.ndarray, np.ndarray]


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    budget = Budget()
    parts = _parts(path, budget)
    if test_path is not None:
        if "test" in parts:
            raise DataError(f"{path}: brings test images of its own; leave out test_path ({test_path})")
        apart = _parts(test_path, budget)
        if len(apart) > 1:
            raise DataError(f"{test_path}: holds {' and '.join(apart)}; expected one set: x and y, or images and labels")
        parts["test"] = apart["train"]
    return as_dataset(path.stem, path, parts["train"], parts.get("test"), class_names, validation=parts.get("validation"))


def _parts(path: Path, budget: Budget) -> dict[str, Pair]:
    """Images and labels of the parts that there are."""
    plain(path)
    with reading(path, "cannot be read as .npz"):
        if not zipfile.is_zipfile(path):  # np.load would take a bare .npy, or a pickle, for what it is
            raise DataError(f"{path}: not a .npz file (a zip of .npy files), or a truncated one")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            chosen = _chosen(members, path)
            for pair in chosen.values():  # no member unpacks to more than the archive's directory says
                for name in pair:
                    budget.take(members[name].file_size, f"{path}, {name}")
            return {part: (_member(archive, members[x], path), _member(archive, members[y], path))
                    for part, (x, y) in chosen.items()}  # fmt: skip


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    with archive.open(info) as file:
        source = f"{path}, {info.filename.removesuffix('.npy')}"
        return numpy_files.read(cast("numpy_files.Stream", file), info.file_size, source)


def _chosen(keys: Iterable[str], path: Path) -> dict[str, tuple[str, str]]:
    """Part -> the names of the arrays to be read, images and labels."""
    there = set(keys)
    for names in _SETS:
        if not there.issuperset(names["train"]):
            continue
        for pair in names.values():
            if len(there.intersection(pair)) == 1:
                raise DataError(f"{path}: holds only one of {pair[0]} and {pair[1]}; expected both or neither")
        return {part: pair for part, pair in names.items() if there.issuperset(pair)}
    allowed = "; ".join(", ".join(name for pair in names.values() for name in pair) for names in _SETS)
    raise DataError(f"{path}: holds {listed(sorted(there)) or 'nothing'}; expected one of these sets: {allowed}")
