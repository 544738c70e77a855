"""NumPy .npz: x_train, y_train, x_test … (Keras), train_images …, X and y, images and labels; also val_… and class_names"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.reading import numpy_files
from toile.data.reading.checks import as_dataset
from toile.data.reading.limits import Budget, plain
from toile.text import listed

# Short for the test part only where images and labels are both called so: `ts` may be times.
_SHORT = {"tst", "ts", "te"}
# What arrays are called, word by word and in any case: `x_train`, `TrainImages`, `test_data`.
_PARTS = {
    "train": {"train", "training", "trn", "tr"}, "validation": {"val", "valid", "validation", "dev"},
    "test": {"test", "testing", "tst", "ts", "te"},
}  # fmt: skip
_IMAGES = {"x", "image", "images", "img", "imgs", "data", "features", "pixels", "pictures"}
_LABELS = {"y", "label", "labels", "target", "targets", "class", "classes", "category", "categories"}
# Words of arrays that tell something about images and labels, and are none of their own: `image_ids` and `label_ids`.
_ABOUT = {"id", "ids", "num", "count", "counts", "index", "indices", "file", "files", "path", "paths", "size", "shape", "map"}
_EXPECTED = "x_train, y_train, x_test, y_test; or train_images, train_labels, …; or x, y; or images, labels"
Pair = tuple[np.ndarray, np.ndarray]


@dataclass
class _Found:
    """Arrays by what they are: of each part the names of its images and labels; of the classes' names, if it has some; and
    sentences about images with labels that are not read."""

    images: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    names: str | None = None
    unread: tuple[str, ...] = ()


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    budget = Budget()
    parts, names, unread = _parts(path, budget)
    if test_path is not None:
        if "test" in parts:
            raise DataError(f"{path}: brings test images of its own; leave out test_path ({test_path})")
        apart, others, more = _parts(test_path, budget)
        unread += more
        if names is not None and others is not None and names != others:  # labels are positions among these
            raise DataError(
                f"{test_path}: calls its classes {listed(others, 6)}, and {path.name} calls them {listed(names, 6)}; expected "
                "the same names in the same order, as a label of one file would be another class in the other"
            )
        if len(apart) > 1:
            raise DataError(f"{test_path}: holds {' and '.join(apart)}; expected one set: x and y, or images and labels")
        parts["test"] = next(iter(apart.values()))
    if "train" not in parts:
        raise DataError(f"{path}: holds {' and '.join(parts)} images, and none to train on; expected {_EXPECTED}")
    called = class_names if class_names is not None else names
    labels = [pair[1] for pair in parts.values()]
    first, note = _positions(names, labels, path) if class_names is None and names is not None else (None, ())
    made = as_dataset(path.stem, path, parts["train"], parts.get("test"), called, first, parts.get("validation"))
    return replace(made, notes=(*unread, *note, *made.notes))


def _positions(names: tuple[str, ...], labels: Sequence[np.ndarray], path: Path) -> tuple[int | None, tuple[str, ...]]:
    """0 where labels are positions among the names that the file has for them, though these are numbers too: they are sorted as
    texts (0, 1, 10, 2), as programs list the names of folders, and there is one for each label from 0; else None. And what to
    say where labels could be the one or the other."""
    if not all(name.isascii() and name.isdecimal() for name in names) or list(names) == sorted(names, key=int):
        return None, ()
    if not all(one.dtype.kind in "iu" and one.size > 0 and one.min() >= 0 and one.max() < len(names) for one in labels):
        return None, ()
    positions = list(names) == sorted(names)
    note = f"{path.name} calls its classes {listed(names, 6)}, and its labels could be these numbers or positions among them"
    used = np.unique(np.concatenate(list(map(np.ravel, labels)))).tolist()
    either = {str(label) for label in used} <= set(names) and any(names[label] != str(label) for label in used)
    taken = "positions, because the names are sorted as texts" if positions else "the numbers, because the names are not sorted"
    return (0 if positions else None), ((f"{note}; they are taken for {taken}",) if either else ())


def _parts(path: Path, budget: Budget) -> tuple[dict[str, Pair], tuple[str, ...] | None, tuple[str, ...]]:
    """Images and labels of the parts that there are; what the classes are called, if it says so; and what is not read."""
    plain(path)
    with reading(path, "cannot be read as .npz"):
        if not zipfile.is_zipfile(path):  # np.load would take a bare .npy, or a pickle, for what it is
            raise DataError(f"{path}: not a .npz file (a zip of .npy files), or a truncated one")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            found = _chosen(members, path)
            chosen = {part: (images, found.labels[part]) for part, images in found.images.items()}
            wanted = [name for pair in chosen.values() for name in pair] + ([found.names] if found.names else [])
            for name in wanted:  # no member unpacks to more than the archive's directory says
                budget.take(members[name].file_size, f"{path}, {name}")
            parts = {part: (_member(archive, members[x], path), _member(archive, members[y], path))
                     for part, (x, y) in chosen.items()}  # fmt: skip
            names = _member(archive, members[found.names], path) if found.names else None
    if names is not None and (names.ndim != 1 or names.dtype.kind not in "US"):
        raise DataError(f"{path}, {found.names}: {names.dtype} of shape {names.shape}; expected text, one name a class")
    if names is not None and names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "backslashreplace")
    if names is None or (_split(found.names or "") == ["names"] and len(names) == len(next(iter(parts.values()))[1])):
        return parts, None, found.unread  # as many as there are images: they are theirs
    return parts, tuple(names.tolist()), found.unread


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    with archive.open(info) as file:
        source = f"{path}, {info.filename.removesuffix('.npy')}"
        return numpy_files.read(cast("numpy_files.Stream", file), info.file_size, source)


def _chosen(keys: Iterable[str], path: Path) -> _Found:
    """Which arrays are read. Others, such as indices, are left alone."""
    found, there = _Found(), sorted(keys)
    if set(there) == {"arr_0", "arr_1"}:  # `np.savez(path, images, labels)`
        return _Found({"train": "arr_0"}, {"train": "arr_1"})
    labelled = {key for key in there if _words(key) & _LABELS and not _is_names(key)}
    short = {word for word in _SHORT if len({bool(_words(key) & _LABELS) for key in there if word in _words(key)}) == 2}
    alone = [key for key in there if _words(key) & (_SHORT - short)]
    there = [key for key in there if key not in alone] or there
    for key in sorted(
        there, key=lambda key: not _plain(key)
    ):  # those that are called so and nothing else take their places first
        words = _words(key)
        part = next((part for part, names in _PARTS.items() if words & names), "train")
        # `classes` are labels where there are no others, and else the names of the classes.
        if _is_names(key) or ("_".join(_split(key)) in ("classes", "categories") and len(labelled) > 1):
            found.names = max(found.names or "", key)
            continue
        kind = None if "names" in words else found.labels if words & _LABELS else found.images if words & _IMAGES else None
        if kind is None:
            continue
        if part in kind and _plain(key) == _plain(kind[part]):
            raise DataError(f"{path}: {kind[part]} and {key} could both be the same of the {part} part; leave one of them out")
        if part not in kind or _plain(key):  # beside `y` there may be `num_classes`, beside `images` `image_ids`
            kind[part] = key
    for part, key in {**found.labels, **found.images}.items():
        if (part in found.images) != (part in found.labels):
            other = "labels" if part in found.images else "images"
            raise DataError(f"{path}: holds {listed(there)}; {key} has no {other} beside it; expected {_EXPECTED}")
    if not found.images:
        raise DataError(f"{path}: holds {listed(there) or 'nothing'}; expected {_EXPECTED}")
    found.unread = (*_unread(there, found, path), *_without_labels(alone if alone != there else [], path))
    return found


def _unread(there: list[str], found: _Found, path: Path) -> Iterator[str]:
    """A sentence for every word that both images and labels are called by which are not read: they may be a part that was
    meant to be tested on, under a word that is no part's here."""
    pairs: dict[frozenset[str], tuple[list[str], list[str]]] = {}
    known = _IMAGES | _LABELS | set().union(*_PARTS.values())
    for key in there:
        words = _words(key)
        own = frozenset(words - known)
        if own and not own & (_ABOUT | {"names"}) and key not in (*found.images.values(), *found.labels.values()):
            of_kind = pairs.setdefault(own, ([], []))
            if kind := words & (_IMAGES | _LABELS):
                of_kind[bool(kind & _LABELS)].append(key)
    for own, (images, labels) in pairs.items():
        if images and labels:
            said = f"{path.name}: {listed(images + labels, 6)} are not read, because {'_'.join(sorted(own))!r} is no part"
            yield f"{said}; if they are one, call them x_val and y_val, or x_test and y_test"


def _without_labels(alone: list[str], path: Path) -> Iterator[str]:
    """A sentence for images that may be those to test on, had they labels beside them."""
    for key in alone:
        if _words(key) & _IMAGES and not _words(key) & (_ABOUT | {"names"}):
            short = next(word for word in _split(key) if word in _SHORT)
            yield f"{path.name}: {key} is not read, because it has no labels beside it; if it is to test on, add y_{short}"


def _split(key: str) -> list[str]:
    """`xTrain`, `X_train`, `train-images` as words in lower case."""
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower())


def _words(key: str) -> set[str]:
    return set(_split(key))


def _is_names(key: str) -> bool:
    """Whether it has the names of the classes: `class_names`, `label_names`; those of files or features are of no use."""
    words = _words(key)
    return "names" in words and (len(words) == 1 or bool(words & _LABELS))


def _plain(key: str) -> bool:
    """Whether it is called by its kind and its part, and nothing else."""
    return _words(key) <= _IMAGES | _LABELS | set().union(*_PARTS.values())
