"""Looking through a whole store: which files are not what was written, and setting them aside."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import Timeout

from toile.errors import refused, said
from toile.store import checked, datasets, sealed
from toile.store.checked import Damaged
from toile.store.run import LATER, Run, write_manifest

if TYPE_CHECKING:
    from toile.store.store import Store

# What in a run without a manifest its own files contradict, and what of it could not be looked at, or nothing.
Contradictions = Callable[[Run], tuple[list[Damaged], str]]


@dataclass(frozen=True)
class Checked:
    """One thing of a store, as it was found.

    Args:
        kind: `run`, `later figures` (of a run), `data set`, `weights`, `features`, `work` or `record` (of what words mean a
            data set).
        path: what is set aside if it is damaged.
        damages: what is wrong, file by file.
        unchecked: why it cannot be told whether it is what was written, where that is so.
        done: what was done about it, if anything was.
    """

    kind: str
    path: Path
    damages: tuple[Damaged, ...] = ()
    unchecked: str = ""
    done: str = ""

    @property
    def state(self) -> Literal["sound", "unchecked", "damaged"]:
        return "damaged" if self.damages else "unchecked" if self.unchecked else "sound"


def check(store: Store, contradictions: Contradictions, *, repair: bool = False) -> Iterator[Checked]:
    """Read everything that a store has, and compare it with what was written.

    Args:
        contradictions: looks at a run of before manifests, which has no hashes.
        repair: whether to move what is damaged to `damaged/`, and to write the manifest that a run lacks if nothing contradicts
            it. What somebody works on is left alone.
    """
    # Hashing lets go of Python's lock, so threads are enough to keep all cores at it.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        runs = threads.map(partial(_run, contradictions), store.runs())
        for found in chain(runs, *(look(store) for look in (_later, _data, _weights, _features, _work))):
            # What somebody took away while it was read, as another `check --repair` or `gc`, is not damaged.
            if found.state == "sound" or os.path.lexists(found.path):
                yield _repaired(store, found) if repair else found


def _repaired(store: Store, found: Checked) -> Checked:
    if found.state == "sound":
        return found
    try:
        if found.kind not in ("run", "work"):
            return _set_aside(store, found)
        with store.claims.of(found.path.name).acquire(timeout=0):
            if found.kind == "run" and found.state == "unchecked":
                write_manifest(found.path)
                return replace(found, done="a manifest of what it is now was written")
            return _set_aside(store, found)
    except Timeout:
        return replace(found, done="somebody works there; it was left alone")
    except OSError as error:  # somebody else's, or another was faster
        return replace(found, done=f"it was left alone: {refused(error)}")


def _set_aside(store: Store, found: Checked) -> Checked:
    if not found.damages:
        return found
    if not all(error.movable for error in found.damages):
        return replace(found, done="it may not be read; it was left alone")
    return replace(found, done=f"it is in {store.set_aside(found.path, found.damages[0])} now")


def _run(contradictions: Contradictions, run: Run) -> Checked:
    damages, unchecked = run.damages(), ""
    if not damages and run.manifest is None:
        try:
            _check_zip(run.model_path)
            damages, left = contradictions(run)
        except Damaged as error:
            damages, left = [error], ""
        unchecked = f"it is of before manifests; {left or 'its metrics are those of its probabilities'}"
    return Checked("run", run.folder, tuple(damages), unchecked)


def _later(store: Store) -> Iterator[Checked]:
    """Figures that runs got later. Damaged ones are set aside alone: the run itself is whole, and gets them again."""
    for run in store.runs():
        try:
            there = checked.is_there(run.folder / LATER)
        except Damaged:
            continue  # the run itself is said to be
        if there:
            yield Checked("later figures", run.folder / LATER, _raised(run.check_later))


def _check_zip(path: Path) -> None:
    """Compare a stored model, which is a zip file, with the checksums that zip files have: they tell of accidents alone."""
    try:
        with zipfile.ZipFile(path) as file:
            wrong = file.testzip()
    except Exception as error:  # there are many ways of being no zip file
        wrong = said(error)
    if wrong:
        raise Damaged(path, f"it is no whole zip file: {wrong}")


def _data(store: Store) -> Iterator[Checked]:
    for path in _entries(store.data_folder):
        if path.name == datasets.ASKED:
            yield Checked("record", path, _raised(lambda path=path: checked.read_json(path)))
        elif path.is_dir() and not path.name.startswith("."):  # those are being written
            yield Checked("data set", path, _raised(lambda path=path: datasets.opened(path, again=True)))


def _weights(store: Store) -> Iterator[Checked]:
    for path in _entries(store.weights_folder):
        content = path.name.partition(".")[0]
        if path == store.weights_path(content):
            yield Checked("weights", path, _raised(lambda content=content: store.weights(content)))


def _features(store: Store) -> Iterator[Checked]:
    for folder in _entries(store.features_folder):
        try:
            if checked.is_there(path := folder / "features.npy"):
                _, hashed = sealed.array(path)
                yield Checked("features", folder, unchecked="" if hashed else "they are of before features had a hash")
        except Damaged as error:
            yield Checked("features", folder, (error,))


def _work(store: Store) -> Iterator[Checked]:
    for fingerprint in store.unfinished():
        path = store.work(fingerprint) / "checkpoint.npz"
        with store.claims.idle(fingerprint) as idle:
            if not idle:
                continue  # who works there looks at the checkpoint himself before he believes it
            damages = _raised(lambda path=path: checked.is_there(path) and sealed.check(path))
        yield Checked("work", path.parent, damages)


def _raised(look: Callable[[], object]) -> tuple[Damaged, ...]:
    try:
        look()
    except Damaged as error:
        return (error,)
    return ()


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
