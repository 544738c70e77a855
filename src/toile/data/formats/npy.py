"""NumPy .npy with a pickled {'features': pixels, 'target': labels from 1}; read without running the pickle"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toile.data.checks import as_dataset
from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.pickled import read_object

_FIRST = 1  # the second document's targets are 1..classes


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".npy"


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    train = _arrays(path)
    test = _arrays(test_path) if test_path is not None else None
    return as_dataset(path.stem, path, train, test, class_names, first=_FIRST)


def unlabelled(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Ids and pixels of a dictionary with 'features' and, if it has them, 'id'; or pixels alone, a plain array."""
    if (plain := _plain(path)) is not None:
        return None, plain
    content = _content(path, {"features"})
    features, ids = content["features"], content.get("id")
    if ids is not None and not (isinstance(ids, np.ndarray) and ids.shape == (len(features),)):
        raise DataError(f"{path}: 'id' is no array of {len(features)} numbers, one an image")
    return ids, features


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    content = _content(path, {"features", "target"})
    return content["features"], content["target"]


def _plain(path: Path) -> np.ndarray | None:
    """A plain array; None for what else a file may hold, as a pickled object."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def _content(path: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """The dictionary, with at least the wanted arrays."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
            if dtype != np.dtype(object):
                raise DataError(
                    f"{path}: an array {shape} of {dtype} without labels; expected a pickled dictionary with 'features' "
                    "and 'target' (for arrays with labels use .npz)"
                )
            if shape != ():
                raise DataError(f"{path}: an array {shape} of objects; expected one dictionary, saved by np.save")
            content = read_object(file, path)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a whole .npy file ({error})") from error
    said = " and ".join(map(repr, sorted(wanted)))
    if not isinstance(content, dict) or not wanted.issubset(content):
        got = f"the keys {', '.join(map(str, content))}" if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: {got}; expected a dictionary with {said}")
    if not all(isinstance(content[key], np.ndarray) for key in wanted):
        raise DataError(f"{path}: not all numeric arrays, expected of {said}")
    return content
