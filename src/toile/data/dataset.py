"""A data set in memory: uint8 images with integer labels, and the hash of its content."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from toile.arrays import Positions
from toile.data.errors import DamagedSnapshot, DataError
from toile.data.images import Images, LeftOut, as_names
from toile.data.snapshot import RECORD, hash_of, read_array, read_record, sync_folder, write_array, write_record
from toile.pictures.form import Form
from toile.pictures.learned import form_of

PARTS = ("train", "validation", "test")
_WEIGHTS = "train-weights.npy"


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
        numbers: those that they have for all classes, where these have gaps and no name of a class tells them.
        left_out: its files that could not be read, where the study says to leave them out.
        notes: what was decided when it was read that its owner should know, in sentences.
        groupings: groups of its training images by `toile.data.parts.groups.digest`; those that splits need are kept beside it.
    """

    name: str
    train: Images
    test: Images | None
    class_names: tuple[str, ...]
    validation: Images | None = None
    form: Form | None = None
    first: int = 0
    left_out: tuple[LeftOut, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    groupings: Mapping[str, Positions] = field(default_factory=dict, repr=False)
    numbers: tuple[int, ...] = ()

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
        """SHA-256 of all images, labels and weights, in order. Names do not count: they decide no result."""
        digest = hashlib.sha256(b"toile dataset 1")
        # Validation images came later: without them the hash is as it was.
        for split in (self.train, self.test, *((self.validation,) if self.validation is not None else ())):
            if split is None:
                digest.update(b"|none")
                continue
            for array, dtype in ((split.images, "u1"), (split.labels, "<i8")):
                digest.update(f"|{array.shape}{dtype}|".encode())
                digest.update(np.ascontiguousarray(array, dtype=dtype).data)
        if self.train.weights is not None:  # which came later too
            digest.update(b"|weights|")
            digest.update(np.ascontiguousarray(self.train.weights, dtype="<f4").data)
        return digest.hexdigest()

    def save(self, folder: Path) -> Path:
        """Keeps a snapshot in `folder`: a .npy for the images and one for the labels of each part, one for weights, and
        dataset.json, with
        the SHA-256 of each file and of what it says itself.

        The folder appears whole or not at all. One that holds the same content already is kept (only its names and its form
        are brought up to date), so several processes may save the same data set at once.

        Raises:
            DataError: `folder` exists and is something else, or what was written is not what `content` says: the images
                have changed since they were hashed.
        """
        folder = Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        names = {name: part.names.tolist() for name, part in self.parts.items() if part.names is not None}
        columns = {name: column.tolist() for name, column in (self.train.columns or {}).items()}
        groupings = {name: groups.tolist() for name, groups in self.groupings.items()}
        of_parts = {
            part: {name: column.tolist() for name, column in images.columns.items()}
            for part, images in self.parts.items()
            if part != "train" and images.columns
        }
        others = {"names": names, "columns": columns, "columns_of": of_parts, "groupings": groupings}
        record = {**self.about(), "content": self.content, **{key: value for key, value in others.items() if value}}
        if not folder.exists():
            # Not `tempfile.mkdtemp`, whose folder is its maker's alone: those who share a store have what its umask gives them.
            part = folder.with_name(f".{folder.name}.{os.urandom(6).hex()}")
            part.mkdir()
            try:
                for split, images in self.parts.items():
                    write_array(part / f"{split}-images.npy", images.images, np.uint8)
                    write_array(part / f"{split}-labels.npy", images.labels, np.int64)
                if self.train.weights is not None:
                    write_array(part / _WEIGHTS, self.train.weights, np.float32)
                if replace(self).content != self.content:  # a new one, which hashes the arrays again
                    raise DataError(f"data set {self.name!r} is not what it was: its images changed while they were read")
                record["files"] = {path.name: hash_of(path) for path in sorted(part.iterdir())}
                write_record(part / RECORD, record)
                try:
                    part.rename(folder)
                except OSError:
                    # Someone else may have been faster: the rename onto his full folder fails, and his is as good as ours.
                    if not folder.is_dir():
                        raise
                else:
                    sync_folder(folder.parent)
                    return folder
            finally:
                shutil.rmtree(part, ignore_errors=True)
        stored = read_record(folder)
        if stored["content"] != self.content:
            raise DataError(
                f"{folder}: holds another data set ({stored['name']!r}, content {stored['content'][:12]}); "
                f"expected content {self.content[:12]}, or no such folder"
            )
        if groupings:
            record["groupings"] = {**stored.get("groupings", {}), **groupings}
        if {**stored, **record} != stored:
            write_record(folder / RECORD, {**stored, **record})
        return folder

    def about(self) -> dict[str, Any]:
        """What is known of it besides its images, as JSON holds it; nothing of it is part of the content."""
        return {
            "name": self.name,
            "class_names": list(self.class_names),
            "form": None if self.form is None else self.form.plain(),
            "first": self.first,
            "left_out": [[one.name, one.why] for one in self.left_out],
            **({"notes": list(self.notes)} if self.notes else {}),
            **({"numbers": list(self.numbers)} if self.numbers else {}),
        }

    def told(self, about: dict[str, Any]) -> Dataset:
        """The same images, of which something else is known: what `about` gave. What an earlier version had not written is as
        it was then; the form is that of the images.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        form = about.get("form")
        made = replace(
            self,
            name=str(about["name"]),
            class_names=tuple(map(str, about["class_names"])),
            form=form_of(self.train.images) if form is None else Form.parse(form),
            first=int(about.get("first", 0)),
            left_out=tuple(LeftOut(str(name), str(why)) for name, why in about.get("left_out", ())),
            notes=tuple(map(str, about.get("notes", ()))),
            numbers=tuple(map(int, about.get("numbers", ()))),
        )
        if "content" in self.__dict__:
            made.__dict__["content"] = self.content  # or it would be hashed once more
        return made

    def _with(
        self, columns: dict[str, list[str]], groupings: dict[str, list[int]], of_parts: dict[str, dict[str, list[str]]]
    ) -> Dataset:
        """With what was kept of its training images, one thing an image; and with the columns of its other parts.

        Raises:
            ValueError: it is of other images.
        """
        grouped = {name: np.array(groups, np.int64) for name, groups in groupings.items()}
        if any(len(one) != len(self.train) for one in grouped.values()):
            raise ValueError("its groups are of other images")
        parts = {}
        for part, named in {"train": columns, **of_parts}.items():
            images = self.parts[part]
            made = {name: as_names(list(map(str, column))) for name, column in named.items()}
            if any(len(one) != len(images) for one in made.values()):
                raise ValueError("its columns are of other images")
            parts[part] = replace(images, columns=made or None)
        return replace(self, groupings=grouped, **parts)

    @classmethod
    def open(cls, folder: Path, mmap: bool = True, verify: bool = False) -> Dataset:
        """Opens what `save` kept.

        Args:
            folder: as given to `save`.
            mmap: map the images into memory read-only instead of reading them.
            verify: hash the arrays again instead of believing dataset.json.

        Raises:
            DamagedSnapshot: no snapshot, or a damaged one.
        """
        folder = Path(folder)
        record = read_record(folder)
        mode = "r" if mmap else None
        splits: dict[str, Images] = {}
        for split in PARTS:
            if split != "train" and not (folder / f"{split}-images.npy").exists():
                continue
            images, labels = (
                read_array(folder / f"{split}-images.npy", mode),
                read_array(folder / f"{split}-labels.npy", None),
            )
            names = as_names(record["names"][split]) if split in record["names"] else None
            if images.dtype != np.uint8 or images.ndim != 4 or labels.dtype != np.int64 or labels.shape != images.shape[:1]:
                raise DamagedSnapshot(folder, f"the {split} arrays do not belong together")
            if names is not None and len(names) != len(images):
                raise DamagedSnapshot(folder / RECORD, f"it has {len(names):,} names for {len(images):,} {split} images")
            splits[split] = Images(images, labels, names)
        if (folder / _WEIGHTS).exists():
            splits["train"] = replace(splits["train"], weights=read_array(folder / _WEIGHTS, None))
        dataset = cls(record["name"], splits["train"], splits.get("test"), (), splits.get("validation"))
        try:
            dataset = dataset._with(record.get("columns", {}), record.get("groupings", {}), record.get("columns_of", {}))
            dataset = dataset.told(record)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedSnapshot(folder / RECORD, f"it does not say what a data set is: {error}") from error
        if not verify:
            dataset.__dict__["content"] = record["content"]
        elif dataset.content != record["content"]:
            wrong = [name for name, expected in record["files"].items() if hash_of(folder / name) != expected]
            what = f"content {dataset.content[:12]}, expected {record['content'][:12]}"
            raise DamagedSnapshot(folder, f"{', '.join(wrong) or 'an array'} is not what was kept: {what}")
        return dataset
