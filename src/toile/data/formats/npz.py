"""NumPy .npz: x_train, y_train, x_test, y_test (Keras) or train_images …, also x_val or val_images; x and y; images, labels"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from toile.data.checks import as_dataset
from toile.data.dataset import Dataset
from toile.data.errors import DataError

_BOTH = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
_VALIDATION = (("x_val", "y_val"), ("val_images", "val_labels"))
_ONE = (("x", "y"), ("images", "labels"))


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    train, test = _arrays(path)
    if test_path is not None:
        if test is not None:
            raise DataError(f"{path}: brings test images of its own; leave out test_path ({test_path})")
        test, more = _arrays(test_path)
        if more is not None:
            raise DataError(f"{test_path}: holds train and test; expected one set: x and y, or images and labels")
    return as_dataset(path.stem, path, train, test, class_names, validation=_validation(path))


def _validation(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """What a file brings for validation, as MedMNIST's do; None for nothing."""
    with np.load(path, allow_pickle=False) as stored:
        for images, labels in _VALIDATION:
            if (images in stored.files) != (labels in stored.files):
                raise DataError(f"{path}: holds only one of {images} and {labels}; expected both or neither")
            if images in stored.files:
                return stored[images], stored[labels]
    return None


def _arrays(path: Path) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray] | None]:
    try:
        if not zipfile.is_zipfile(path):  # np.load would take a bare .npy, or a pickle, for what it is
            raise DataError(f"{path}: not a .npz file (a zip of .npy files), or a truncated one")
        with np.load(path, allow_pickle=False) as stored:
            keys = set(stored.files)
            for names in (*_BOTH, *_ONE):
                if keys.issuperset(names):
                    arrays = [stored[name] for name in names]
                    return (arrays[0], arrays[1]), ((arrays[2], arrays[3]) if len(arrays) == 4 else None)
            for names in _BOTH:
                if keys.issuperset(names[:2]) and not keys.intersection(names[2:]):
                    return (stored[names[0]], stored[names[1]]), None
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        pickled = " (pickled objects are never loaded)" if "pickle" in str(error).lower() else ""
        raise DataError(f"{path}: cannot be read: {error}{pickled}; expected plain numeric arrays") from error
    allowed = "; ".join(", ".join(names) for names in (*_BOTH, *_ONE))
    raise DataError(f"{path}: holds {', '.join(sorted(keys)) or 'nothing'}; expected one of these sets: {allowed}")
