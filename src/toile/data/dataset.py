"""A data set in memory: uint8 images with integer labels, and the hash of its content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import FileNames, ImageArray, Index, Labels
from toile.data.errors import DataError
from toile.pictures.form import Form

_RECORD, _NAMES = "dataset.json", "names.json"
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Images:
    """Images with their labels.

    Args:
        images: uint8 `(n, height, width, channels)`, 0..255.
        labels: int64 `(n,)`, 0..classes - 1.
        names: `(n,)` strings, by which their owner finds the pictures: paths of files within the data set, with /; None where
            they have none.
    """

    images: ImageArray
    labels: Labels
    names: FileNames | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Index | slice) -> Images:
        return Images(self.images[index], self.labels[index], None if self.names is None else self.names[index])


@dataclass(frozen=True)
class LeftOut:
    """A file that could not be read, and why, in one line."""

    name: str
    why: str


@dataclass(frozen=True)
class Dataset:
    """Training images, and test images where the data set brings its own.

    Args:
        name: as the user calls it, for display.
        train: the images to learn from (before any split).
        test: the images to be judged by, or None where a split has to draw them.
        class_names: one a class, in the order of the labels.
        validation: images that whoever made the data set keeps for validation, or None.
        form: how its pictures became images; None for what is no data set of a study.
        first: the number that the data set's own files have for the first class.
        left_out: its files that could not be read, where the study says to leave them out.
    """

    name: str
    train: Images
    test: Images | None
    class_names: tuple[str, ...]
    validation: Images | None = None
    form: Form | None = None
    first: int = 0
    left_out: tuple[LeftOut, ...] = field(default=(), repr=False)

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.train.images.shape[1:]

    @property
    def parts(self) -> dict[str, Images]:
        """The parts that it brings, by name."""
        return {name: part for name in PARTS if (part := getattr(self, name)) is not None}

    @cached_property
    def content(self) -> str:
        """SHA-256 of all images and labels, in order. Names do not count: they decide no result."""
        digest = hashlib.sha256(b"toile dataset 1")
        # Validation images came later: without them the hash is as it was.
        for split in (self.train, self.test, *((self.validation,) if self.validation is not None else ())):
            if split is None:
                digest.update(b"|none")
                continue
            for array, dtype in ((split.images, "u1"), (split.labels, "<i8")):
                digest.update(f"|{array.shape}{dtype}|".encode())
                digest.update(np.ascontiguousarray(array, dtype=dtype).data)
        return digest.hexdigest()

    def save(self, folder: Path) -> Path:
        """Keeps a snapshot in `folder`: a .npy for the images and one for the labels of each part, and dataset.json; names.json
        where the images have names.

        The folder appears whole or not at all. One that holds the same content already is kept (only its names and its form are
        brought up to date), so several processes may save the same data set at once.

        Raises:
            DataError: `folder` exists and is something else.
        """
        folder = Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        record = self.about() | {"content": self.content}
        names = {name: part.names.tolist() for name, part in self.parts.items() if part.names is not None}
        if not folder.exists():
            part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            try:
                part.chmod(0o755)  # mkdtemp's 0o700 would lock out those who share the store
                for split, images in self.parts.items():
                    _write_array(part / f"{split}-images.npy", images.images, np.uint8)
                    _write_array(part / f"{split}-labels.npy", images.labels, np.int64)
                if names:
                    _write_record(part / _NAMES, names)
                _write_record(part / _RECORD, record)
                # Someone else may have been faster: the rename onto his full folder fails, and his is as good as ours.
                with contextlib.suppress(OSError):
                    part.rename(folder)
                    _sync_folder(folder.parent)
                    return folder
            finally:
                shutil.rmtree(part, ignore_errors=True)
        stored = _read_record(folder)
        if stored["content"] != self.content:
            raise DataError(
                f"{folder}: holds another data set ({stored['name']!r}, content {stored['content'][:12]}); "
                f"expected content {self.content[:12]}, or no such folder"
            )
        if names and _read_names(folder) != names:
            _write_record(folder / _NAMES, names)
        if stored != record:
            _write_record(folder / _RECORD, record)
        return folder

    def about(self) -> dict[str, Any]:
        """What is known of it besides its images, as JSON holds it; nothing of it is part of the content."""
        return {
            "name": self.name,
            "class_names": list(self.class_names),
            "form": None if self.form is None else self.form.plain(),
            "first": self.first,
            "left_out": [[one.name, one.why] for one in self.left_out],
        }

    def told(self, about: dict[str, Any]) -> Dataset:
        """The same images, of which something else is known: what `about` gave. What it lacks, as one that an earlier version
        wrote, stays as it is; a form is made from the images then.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        form = about.get("form")
        made = Dataset(
            str(about["name"]),
            self.train,
            self.test,
            tuple(map(str, about["class_names"])),
            self.validation,
            Form.of(self.train.images) if form is None else Form.parse(form),
            int(about.get("first", 0)),
            tuple(LeftOut(str(name), str(why)) for name, why in about.get("left_out", ())),
        )
        if "content" in self.__dict__:
            made.__dict__["content"] = self.content
        return made

    @classmethod
    def open(cls, folder: Path, mmap: bool = True, verify: bool = False) -> Dataset:
        """Opens what `save` kept.

        Args:
            folder: as given to `save`.
            mmap: map the images into memory read-only instead of reading them.
            verify: hash the arrays again instead of believing dataset.json.

        Raises:
            DataError: no snapshot, or a damaged one.
        """
        folder = Path(folder)
        record, names = _read_record(folder), _read_names(folder)
        splits: dict[str, Images] = {}
        for split in PARTS:
            if split != "train" and not (folder / f"{split}-images.npy").exists():
                continue
            try:
                images = np.load(folder / f"{split}-images.npy", mmap_mode="r" if mmap else None, allow_pickle=False)
                labels = np.load(folder / f"{split}-labels.npy", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise DataError(f"{folder}: the {split} arrays cannot be read ({error}); delete the folder") from error
            called = as_names(names[split]) if split in names else None
            lengths = {len(labels), len(images), len(labels if called is None else called)}
            if images.dtype != np.uint8 or images.ndim != 4 or labels.ndim != 1 or len(lengths) > 1:
                raise DataError(f"{folder}: the {split} arrays do not belong together; delete the folder")
            splits[split] = Images(images, labels, called)
        dataset = cls(record["name"], splits["train"], splits.get("test"), (), splits.get("validation"))
        try:
            dataset = dataset.told(record)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder}: a damaged {_RECORD} ({error}); delete the folder") from error
        if not verify:
            dataset.__dict__["content"] = record["content"]
        elif dataset.content != record["content"]:
            raise DataError(f"{folder}: content {dataset.content[:12]}, expected {record['content'][:12]}; delete it")
        return dataset


def as_names(names: Sequence[str]) -> FileNames:
    """Strings of any length as `(n,)`, for `Images`."""
    made = np.empty(len(names), object)
    made[:] = names
    return made


def _write_array(path: Path, array: NDArray[Any], dtype: type) -> None:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array, dtype=dtype), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _write_record(path: Path, record: dict[str, Any]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump(record, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        return record | {"name": record["name"], "class_names": list(record["class_names"]), "content": record["content"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: not a stored data set; expected a folder with a {_RECORD} ({error})") from error


def _read_names(folder: Path) -> dict[str, list[str]]:
    """The names of the images of each part that has them."""
    try:
        found = json.loads((folder / _NAMES).read_text("utf-8"))
        return {split: list(map(str, names)) for split, names in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{folder}: a damaged {_NAMES} ({error}); delete the folder") from error


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power cut; where folders cannot be opened (Windows) there is nothing to do."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
