"""The store: the folder of runs.

STORE/runs/<fingerprint>/    complete runs, and only those: a folder comes here by one rename
STORE/work/<fingerprint>/    runs in the making: the checkpoint, the worker's output, `run/` with the finished files
STORE/work/<fingerprint>.lock   held by the process that works there; the system drops it when that process dies
STORE/data/<content>/        each data set that was trained on, once, as memory-mapped arrays
STORE/weights/               files of weights that trials begin with, by the hash of their content
STORE/features/<key>/        what a frozen backbone makes of the images, computed once: `features.npy`, the lock of who computes
                             it, and an empty file <fingerprint> for each trial that trained on it
STORE/reports/               reports, where no other place was asked for
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from toile.data.audit import REVISION, audit
from toile.data.dataset import Dataset
from toile.errors import Misuse, ToileError
from toile.store import atomic
from toile.store.run import FILES, MODELS, Run, lacking
from toile.study.spec import DatasetSpec

DEFAULT = "toile-runs"


class Store:
    """A folder of runs, made when it is first written to."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.runs_folder = self.root / "runs"
        self.work_folder = self.root / "work"
        self.data_folder = self.root / "data"
        self.weights_folder = self.root / "weights"
        self.features_folder = self.root / "features"
        self.reports_folder = self.root / "reports"

    @classmethod
    def at(cls, path: Path | str | None = None) -> Store:
        """The store at `path`, else at `$TOILE_STORE`, else `./toile-runs`."""
        return cls(Path(path or os.environ.get("TOILE_STORE") or DEFAULT))

    def prepare(self) -> None:
        """Make the folders, so that a store that cannot be written to is an error before anything trains."""
        try:
            for folder in (self.runs_folder, self.work_folder, self.data_folder, self.weights_folder, self.reports_folder):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ToileError(f"cannot write to the store {self.root}: {error.strerror or error}") from None

    # Runs

    def get(self, fingerprint: str) -> Run | None:
        """The run with this fingerprint, or None. (A folder in `runs/` is complete by construction.)"""
        folder = self.runs_folder / fingerprint
        return Run(folder) if folder.is_dir() else None

    def runs(self) -> list[Run]:
        """All runs, by fingerprint."""
        if not self.runs_folder.is_dir():
            return []
        return [Run(folder) for folder in sorted(self.runs_folder.iterdir()) if re.fullmatch(r"[0-9a-f]{64}", folder.name)]

    def find(self, prefix: str) -> Run:
        """The one run whose fingerprint begins with `prefix` (at least 6 digits).

        Raises:
            Misuse: no run begins so, or several do.
        """
        found = [run for run in self.runs() if len(prefix) >= 6 and run.fingerprint.startswith(prefix)]
        if len(found) == 1:
            return found[0]
        why = f"{len(found)} runs begin so" if found else "at least 6 digits of the fingerprint of a stored run are wanted"
        raise Misuse(f"no single run {prefix!r} in {self.root}: {why}")

    def work(self, fingerprint: str) -> Path:
        """The folder in which the run is made."""
        return self.work_folder / fingerprint

    @contextmanager
    def claim(self, fingerprint: str, waiting: Callable[[], None] = lambda: None) -> Generator[Path]:
        """Hold the only right to work on `fingerprint`; gives its work folder, with whatever an earlier try left in it.

        The lock is the operating system's: it ends with the process that holds it, however that ends.

        Args:
            waiting: called once if somebody else holds it; then it waits for that one to end. (Who waited asks `get`
                first: the other one may have finished the run.)

        Raises:
            ToileError: the store cannot be written to.
        """
        self.prepare()
        lock = self._lock(fingerprint)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            folder = self.work(fingerprint)
            (folder / "run").mkdir(parents=True, exist_ok=True)
            yield folder
        finally:
            if self.get(fingerprint):
                shutil.rmtree(self.work(fingerprint), ignore_errors=True)
            lock.release()

    def commit(self, fingerprint: str) -> Run:
        """Turn `work/<fingerprint>/run` into a run: everything to the disk, then one rename.

        The checkpoint lies beside that folder and goes only after the rename, when the claim ends, so no moment loses both.

        A run that is there already stays as it is. To be called by who holds the claim.

        Raises:
            ToileError: a file is missing. Nothing is renamed then.
            OSError: the disk is full or broken. Nothing is renamed then; the finished files lie where they were.
        """
        made, run = self.work(fingerprint) / "run", self.runs_folder / fingerprint
        if run.is_dir():
            return Run(run)
        if missing := lacking([path.name for path in made.glob("*") if path.is_file()]):
            raise ToileError(f"run {fingerprint[:12]} is not complete: {', '.join(missing)} missing in {made}")
        for path in made.iterdir():
            if path.name in FILES + MODELS:
                atomic.sync_file(path)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()  # what a write that was cut off left behind
        atomic.sync_folder(made)
        made.rename(run)
        atomic.sync_folder(self.runs_folder)
        return Run(run)

    def unfinished(self) -> list[str]:
        """Fingerprints with a work folder: being trained, interrupted or failed."""
        if not self.work_folder.is_dir():
            return []
        return sorted(path.name for path in self.work_folder.iterdir() if path.is_dir())

    # Data sets

    def keep(self, dataset: Dataset, spec: DatasetSpec, listing: str | None = None) -> None:
        """Keep a data set's images once, under the hash of its content, and remember by what words it was asked for.

        Args:
            listing: of the files that it was read from; see `toile.data.listing`.
        """
        dataset.save(self.data_folder / dataset.content)
        about = dataset.about()
        asked, answer = self._asked(), {"content": dataset.content, "classes": about.pop("class_names"), **about}
        if (before := asked.get(_words(spec), {})).get("content") == dataset.content:
            listing = listing or before.get("listing")
        answer |= {} if listing is None else {"listing": listing}
        if asked.get(_words(spec)) != json.loads(json.dumps(answer)):
            atomic.write_json(self.data_folder / "asked.json", {**asked, _words(spec): answer})

    def audit(self, dataset: Dataset) -> dict[str, Any]:
        """What `toile.data.audit.audit` finds in a data set: looked for once, and kept beside the images if they are kept."""
        path = self.data_folder / dataset.content / "audit.json"
        asked = {"revision": REVISION, **dataset.about()}
        with suppress(OSError, ValueError):
            kept = json.loads(path.read_text("utf-8"))
            if kept["asked"] == asked:
                return kept["found"]
        found = audit(dataset)
        with suppress(OSError):  # not kept here, or a store that may only be read
            atomic.write_json(path, {"asked": asked, "found": found})
        return found

    def dataset(self, content: str) -> Dataset:
        """The kept data set, memory-mapped.

        Raises:
            ToileError: it was never kept here.
        """
        folder = self.data_folder / content
        if not folder.is_dir():
            raise ToileError(f"the store {self.root} has no data set {content[:12]}; `toile run` keeps it there")
        return Dataset.open(folder)

    def kept(self, spec: DatasetSpec) -> Dataset | None:
        """The data set that `spec` meant when it was last trained on, or None."""
        answer = self._asked().get(_words(spec))
        if answer is None or not (self.data_folder / answer["content"]).is_dir():
            return None
        # Names are no part of the content: the same images may have been kept under others.
        return self.dataset(answer["content"]).told({**answer, "class_names": answer["classes"]})

    def unchanged(self, spec: DatasetSpec, listing: str | None) -> Dataset | None:
        """The data set that `spec` meant when its files were as `listing` says, or None."""
        asked = self._asked().get(_words(spec), {})
        return self.kept(spec) if listing is not None and asked.get("listing") == listing else None

    def _asked(self) -> dict[str, dict[str, Any]]:
        try:
            return json.loads((self.data_folder / "asked.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}

    # Weights

    def keep_weights(self, path: Path, content: str) -> None:
        """Keep a file of weights once, under the hash of its content."""
        if not self.weights(content).is_file():
            atomic.write(self.weights(content), path.read_bytes())

    def weights(self, content: str) -> Path:
        """Where a file of weights is kept."""
        return self.weights_folder / f"{content}.weights.h5"

    # Cleaning

    def garbage(self) -> list[Path]:
        """What no run and no work in progress needs: work that nobody holds, and data sets, weights and features of others."""
        idle: list[Path] = []
        trials: dict[str, dict[str, Any]] = {}
        for fingerprint in self.unfinished():
            try:
                with self._lock(fingerprint).acquire(timeout=0):
                    idle.append(self.work(fingerprint))
            except Timeout:
                with suppress(FileNotFoundError):  # it has just begun, or is finished by now and a run
                    trials[fingerprint] = json.loads((self.work(fingerprint) / "trial.json").read_text("utf-8"))
        # Asked last, so that work which is finished meanwhile counts as a run.
        trials |= {run.fingerprint: run.trial for run in self.runs()}
        data = {trial["dataset"]["content"] for trial in trials.values()}
        weights = {self.weights(content) for trial in trials.values() if (content := trial["architecture"].get("weights"))}
        return [
            *idle,
            *(folder for folder in _entries(self.data_folder) if folder.is_dir() and folder.name not in data),
            *(file for file in _entries(self.weights_folder) if file not in weights),
            *(folder for folder in _entries(self.features_folder) if not any((folder / name).exists() for name in trials)),
        ]

    def remove(self, path: Path) -> None:
        """Delete one piece of garbage.

        Raises:
            ToileError: somebody has begun to work there since `garbage` was asked.
        """
        if path.parent != self.work_folder:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            return
        lock = self._lock(path.name)
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(path)
                with suppress(OSError):  # Windows deletes no open file; an empty one does no harm
                    Path(lock.lock_file).unlink()
        except Timeout:
            raise ToileError(f"{path} is being worked on; it stays") from None

    def _lock(self, fingerprint: str) -> FileLock:
        return FileLock(self.work_folder / f"{fingerprint}.lock")


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _words(spec: DatasetSpec) -> str:
    return spec.model_dump_json(exclude_defaults=True)
