"""What is being trained in a store now, seen from outside: nothing is written, and no lock is taken.

A work folder says what is trained (`trial.json`), and its checkpoint how far it is: the history up to the last whole epoch. So
all trainings are seen alike, whoever started them: this machine's, a cluster's, another version's. That somebody works there is
told by the lock of the claim, as far as the system lists its locks (`/proc/locks`); elsewhere by how fresh the files are.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from toile.store.store import Store
from toile.study.fields.strict import is_array, is_table

FRESH = 900.0  # seconds without a sign of life, where locks cannot be listed, after which a training counts as interrupted
RECENT = 5  # epochs from which the speed is told
LOCKS = Path("/proc/locks")
# How an archive that is damaged fails.
_UNREAD = (OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Begun:
    """A training that has begun.

    `history` is that of the last checkpoint, `written` when that was made (seconds since 1970; None before the first epoch's
    end), `at_work` whether somebody trains it now.
    """

    fingerprint: str
    trial: dict[str, Any]
    history: list[dict[str, float]]
    written: float | None
    at_work: bool

    def plain(self) -> dict[str, Any]:
        """As JSON holds it, with `epochs`, `seconds_left` (at most; None before the first epoch's end) and what it is."""
        recipe, architecture = self.trial.get("recipe", {}), self.trial.get("architecture", {})
        epochs = 1 if self.trial.get("learner") == "classical" else recipe.get("epochs", 1)
        seconds = [row["seconds"] for row in self.history[-RECENT:] if "seconds" in row]
        return {
            "fingerprint": self.fingerprint,
            "architecture": architecture.get("name", ""),
            "dataset": self.trial.get("dataset", {}).get("content", ""),
            "seed": self.trial.get("seed"),
            "fold": None if self.trial.get("fold") is None else self.trial["fold"] + 1,
            "epoch": len(self.history),
            "epochs": epochs,
            "history": self.history,
            "written": self.written,
            "at_work": self.at_work,
            "seconds_an_epoch": fmean(seconds) if seconds else None,
            "seconds_left": fmean(seconds) * (epochs - len(self.history)) if seconds else None,
        }


class Working:
    """The trainings of a store that have begun and are no runs yet; what is read is kept until the files change."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._read: dict[Path, tuple[tuple[int, int], Any]] = {}

    def look(self) -> list[Begun]:
        """Those at work first, then by fingerprint."""
        held = held_files()
        found = []
        for fingerprint in self.store.unfinished():
            if self.store.get(fingerprint) is None and (one := self._begun(fingerprint, held)) is not None:
                found.append(one)
        there = {one.fingerprint for one in found}
        self._read = {path: kept for path, kept in self._read.items() if path.parent.name in there}
        return sorted(found, key=lambda one: (not one.at_work, one.fingerprint))

    def _begun(self, fingerprint: str, held: set[tuple[int, int]] | None) -> Begun | None:
        folder = self.store.work(fingerprint)
        trial = self._kept(folder / "trial.json", _json)
        if not is_table(trial):
            return None
        checkpoint = folder / "checkpoint.npz"
        state = self._kept(checkpoint, _state)
        history = state.get("history") if is_table(state) else None
        written = _written(checkpoint)
        lock = self.store.work_folder / f"{fingerprint}.lock"
        if held is not None:
            at_work = is_held(_identity(lock), held)
        else:
            last = max(filter(None, (written, _written(folder / "trial.json"))), default=0.0)
            at_work = time.time() - last < FRESH
        return Begun(fingerprint, trial, history if is_array(history) else [], written, at_work)

    def _kept(self, path: Path, read: Any) -> Any:
        """What `read` made of a file, read again when it has been replaced; None where there is none, or something else."""
        try:
            of = path.stat()
            stamp = (of.st_mtime_ns, of.st_size)
            if (before := self._read.get(path)) is None or before[0] != stamp:
                self._read[path] = before = (stamp, read(path))
        except _UNREAD:  # gone in this moment, or not what toile writes
            return None
        return before[1]


def held_files() -> set[tuple[int, int]] | None:
    """Device and inode of every file that some process of this system has locked; None where the system does not list them."""
    try:
        lines = LOCKS.read_text("ascii").splitlines()
    except (OSError, ValueError):
        return None
    found = set()
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and "->" not in fields and fields[5].count(":") == 2:  # others wait, or are of no file
            major, minor, inode = fields[5].split(":")
            found.add((os.makedev(int(major, 16), int(minor, 16)), int(inode)))
    return found


def is_held(file: tuple[int, int] | None, held: set[tuple[int, int]]) -> bool:
    """Whether a file, by device and inode, is among those that are locked.

    On a file system without a device of its own (its major number is 0), such as btrfs, files may have another number than the
    list has for it: where the list does not know their device at all, the inode alone tells.
    """
    if file is None or file in held:
        return file is not None
    device, inode = file
    if os.major(device) or any(of == device for of, _ in held):
        return False
    return any(other == inode and not os.major(of) for of, other in held)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        of = path.stat()
    except OSError:
        return None
    return of.st_dev, of.st_ino


def _written(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _state(path: Path) -> Any:
    """What a checkpoint says of its training: of an archive of arrays, the one that holds JSON. The weights are not read."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return json.loads(stored["state"].tobytes())
