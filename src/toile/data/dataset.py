"""A data set in memory: uint8 images with integer labels, and the hash of its content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import ImageArray, Index, Labels
from toile.data.errors import DataError

_RECORD = "dataset.json"


@dataclass(frozen=True)
class Images:
    """Images with their labels.

    Args:
        images: uint8 `(n, height, width, channels)`, 0..255.
        labels: int64 `(n,)`, 0..classes - 1.
    """

    images: ImageArray
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Index | slice) -> Images:
        return Images(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Dataset:
    """Training images, and test images where the data set brings its own.

    Args:
        name: as the user calls it, for display.
        train: the images to learn from (before any split).
        test: the images to be judged by, or None where a split has to draw them.
        class_names: one a class, in the order of the labels.
    """

    name: str
    train: Images
    test: Images | None
    class_names: tuple[str, ...]

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.train.images.shape[1:]

    @cached_property
    def content(self) -> str:
        """SHA-256 of all images and labels, in order. Names do not count: they decide no result."""
        digest = hashlib.sha256(b"toile dataset 1")
        for split in (self.train, self.test):
            if split is None:
                digest.update(b"|none")
                continue
            for array, dtype in ((split.images, "u1"), (split.labels, "<i8")):
                digest.update(f"|{array.shape}{dtype}|".encode())
                digest.update(np.ascontiguousarray(array, dtype=dtype).data)
        return digest.hexdigest()

    def save(self, folder: Path) -> Path:
        """Keeps a snapshot in `folder`: a .npy for the images and one for the labels of each split, and dataset.json.

        The folder appears whole or not at all. One that holds the same content already is kept (only its names are
        brought up to date), so several processes may save the same data set at once.

        Raises:
            DataError: `folder` exists and is something else.
        """
        folder = Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        record = {"name": self.name, "class_names": list(self.class_names), "content": self.content}
        if not folder.exists():
            part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            try:
                part.chmod(0o755)  # mkdtemp's 0o700 would lock out those who share the store
                for split, images in (("train", self.train), ("test", self.test)):
                    if images is not None:
                        _write_array(part / f"{split}-images.npy", images.images, np.uint8)
                        _write_array(part / f"{split}-labels.npy", images.labels, np.int64)
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
        if stored != record:
            _write_record(folder / _RECORD, record)
        return folder

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
        record = _read_record(folder)
        mode = "r" if mmap else None
        splits: dict[str, Images] = {}
        for split in ("train", "test"):
            if split == "test" and not (folder / "test-images.npy").exists():
                continue
            try:
                images = np.load(folder / f"{split}-images.npy", mmap_mode=mode, allow_pickle=False)
                labels = np.load(folder / f"{split}-labels.npy", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise DataError(f"{folder}: the {split} arrays cannot be read ({error}); delete the folder") from error
            if images.dtype != np.uint8 or images.ndim != 4 or labels.shape != images.shape[:1]:
                raise DataError(f"{folder}: the {split} arrays do not belong together; delete the folder")
            splits[split] = Images(images, labels)
        dataset = cls(record["name"], splits["train"], splits.get("test"), tuple(record["class_names"]))
        if not verify:
            dataset.__dict__["content"] = record["content"]
        elif dataset.content != record["content"]:
            raise DataError(f"{folder}: content {dataset.content[:12]}, expected {record['content'][:12]}; delete it")
        return dataset


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
        return {"name": record["name"], "class_names": list(record["class_names"]), "content": record["content"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: not a stored data set; expected a folder with a {_RECORD} ({error})") from error


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power cut; where folders cannot be opened (Windows) there is nothing to do."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
