"""What a trial needs that is not in its JSON, by the hash of its content: found in one machine's store, kept in another's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from toile.data.dataset import Dataset
from toile.errors import ToileError
from toile.models import architectures, backbones
from toile.store import atomic, checked, pack
from toile.store.checked import Damaged
from toile.store.store import Store
from toile.study.trial import Trial

CHECKPOINT = "checkpoint.npz"


@dataclass(frozen=True)
class Need:
    """One thing that a trial needs.

    Args:
        kind: the data set, the run that the trial begins with, the file of weights that its options name, the one that Keras
            downloaded for its backbone, or the checkpoint that it goes on from.
        content: the data set's hash, the run's fingerprint, or the SHA-256 of the file.
        file: the name that Keras's cache has for it; of a checkpoint, the trial's fingerprint.
    """

    kind: Literal["dataset", "run", "weights", "backbone", "checkpoint"]
    content: str
    file: str = ""

    def __str__(self) -> str:
        return f"the {self.kind} {self.file or self.content[:12]}"

    def is_in(self, store: Store) -> bool:
        """Whether a trial that uses `store` on this machine finds it."""
        if self.kind == "checkpoint":
            return (path := self._path(store)).is_file() and checked.sha256(path) == self.content
        if self.kind != "backbone":
            return self._sound(store)
        path = self._path(store)
        if path.is_file() and backbones.content(str(path)) != self.content:
            raise ToileError(f"{path} is another file than where the trial comes from; its SHA-256 differs")
        return path.is_file()

    def read(self, store: Store) -> Dataset | bytes:
        """Its content, for `keep` on another machine.

        Raises:
            Damaged: it is not what was kept.
        """
        if self.kind == "dataset":
            return Dataset.open(store.data_folder / self.content, mmap=False, verify=True)
        if self.kind == "run":
            if (run := store.get(self.content)) is None:
                raise ToileError(f"{self} is not in the store {store.root}")
            return pack.packed([run])
        return self._path(store).read_bytes()

    def keep(self, store: Store, content: Dataset | bytes) -> None:
        """Keep what `read` gave, in one step, if it is what its hash says.

        Raises:
            ToileError: it is something else; nothing is kept.
        """
        if self.kind not in ("backbone", "checkpoint") and (there := self._path(store)).exists() and not self._sound(store):
            store.set_aside(there, Damaged(there, "it is not what was sent here"))
        if isinstance(content, Dataset):
            dataset = replace(content)  # which forgets the hash that was sent along, and so makes it anew
            self._verify(dataset.content)
            dataset.save(store.data_folder / self.content)
        elif self.kind == "run":
            pack.unpack(content, store)
        else:
            self._verify(hashlib.sha256(content).hexdigest())
            path = self._path(store)
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(path, content)

    def _sound(self, store: Store) -> bool:
        """Whether a store has it, and as it was written."""
        try:
            if self.kind == "dataset":
                store.dataset(self.content)
            elif self.kind == "weights":
                store.weights(self.content)
            else:
                return (run := store.get(self.content)) is not None and not run.damages()
        except ToileError:
            return False
        return True

    def _path(self, store: Store) -> Path:
        places = {
            "dataset": store.data_folder / self.content, "run": store.runs_folder / self.content,
            "weights": store.weights_path(self.content), "checkpoint": store.work(self.file) / CHECKPOINT,
        }  # fmt: skip
        return places.get(self.kind) or backbones.keras_folder() / self.file

    def _verify(self, found: str) -> None:
        if found != self.content:
            raise ToileError(f"{self} arrived as something else: its hash is {found[:12]}")


def begun(store: Store, fingerprint: str) -> list[Need]:
    """The checkpoint that a trial goes on from, if it was begun in this store."""
    path = store.work(fingerprint) / CHECKPOINT
    return [Need("checkpoint", checked.sha256(path), fingerprint)] if path.is_file() else []


def needs(trial: Trial) -> list[Need]:
    """What a trial needs, as far as this machine has it. (ImageNet weights that Keras never downloaded here, it downloads.)"""
    found = [Need("dataset", trial.dataset.content)]
    found += [Need("run", parent) for parent in trial.parents]
    if trial.architecture.weights:
        found.append(Need("weights", trial.architecture.weights))
    if path := architectures.downloaded(trial.architecture.name, trial.architecture.options):
        digest = backbones.content(str(path))
        assert digest is not None  # it has none for names only
        found.append(Need("backbone", digest, path.name))
    return found
