"""The store: the folder of runs.

STORE/runs/<fingerprint>/    complete runs, and only those: a folder comes here by one rename, with the hash of each file
STORE/work/<fingerprint>/    runs in the making: the checkpoint, the worker's output, `run/` with the finished files
STORE/work/<fingerprint>.lock   held by the process that works there; the system drops it when that process dies
STORE/holds/                 what the studies that are being carried out are going to need; `toile.store.claims` says more
STORE/data/<content>/        each data set that was trained on, once, as memory-mapped arrays
STORE/weights/               files of weights that trials begin with, by the hash of their content
STORE/features/<key>/        what a frozen backbone makes of the images, computed once: `features.npy`, the lock of who computes
                             it, and an empty file <fingerprint> for each trial that trained on it
STORE/damaged/               what was not what had been written, and was set aside, with the reason beside it
STORE/reports/               reports, where no other place was asked for; previews/ has images of theirs that were augmented
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from toile.data.dataset import Dataset
from toile.errors import Misuse, ToileError
from toile.store import atomic, checked, datasets
from toile.store.aside import set_aside
from toile.store.checked import Damaged
from toile.store.claims import Claims
from toile.store.run import FILES, MODELS, Run, lacking, write_manifest
from toile.store.usual import usual
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec
from toile.study.trial import Trial


class Store:
    """A folder of runs, made when it is first written to.

    What a run is asked for is compared with what was written (`toile.store.run.Run`). Verbs about many runs ask `sound`: one
    that is damaged is named once and left out, and stops nobody else.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.runs_folder = self.root / "runs"
        self.work_folder = self.root / "work"
        self.data_folder = self.root / "data"
        self.weights_folder = self.root / "weights"
        self.features_folder = self.root / "features"
        self.damaged_folder = self.root / "damaged"
        self.trash_folder = self.root / "trash"
        self.reports_folder = self.root / "reports"
        self.claims = Claims(self.root, self.work_folder)
        self._sound: dict[tuple[str, int, int], Run] = {}  # by `Run.place`
        self._left_out: dict[tuple[str, int, int], Damaged] = {}

    @classmethod
    def at(cls, path: Path | str | None = None) -> Self:
        """The store at `path`, else at `$TOILE_STORE`, else `./toile-runs`.

        Raises:
            ToileError: there is something else than a folder.
        """
        store = cls(Path(path or usual()))
        if store.root.exists() and not store.root.is_dir():
            raise ToileError(f"{store.root} is no store: a folder is wanted, and it is a file")
        return store

    def prepare(self) -> None:
        """Make the folders, so that a store that cannot be written to is an error before anything trains."""
        try:
            for folder in (self.runs_folder, self.work_folder, self.data_folder, self.weights_folder, self.reports_folder):
                folder.mkdir(parents=True, exist_ok=True)
            if self.work_folder.stat().st_dev != (runs := self.runs_folder).stat().st_dev:  # as where one is a link
                raise ToileError(f"no run can be renamed from {self.work_folder} to {runs}: these are on two disks")
        except OSError as error:
            raise ToileError(f"cannot write to the store {self.root}: {error.strerror or error}") from None

    # Runs

    def get(self, fingerprint: str) -> Run | None:
        """The run with this fingerprint, or None. It is complete by construction; reading tells whether it is as it was."""
        folder = self.runs_folder / fingerprint
        return Run(folder) if folder.is_dir() else None

    def sound(self, fingerprint: str, judged: Mapping[str, int] | None = None) -> Run | None:
        """The run with this fingerprint, if its figures are what was written; None where there is none, or a damaged one, which
        is named on standard error, once.

        Args:
            judged: how many images each split has; then probabilities are read, and have to be of so many.
        """
        run = self.get(fingerprint)
        if run is None or (place := run.place) in self._left_out:
            return None
        try:
            if place not in self._sound:
                run.check_figures()
                self._sound[place] = run
            if judged is not None:
                for split in (*run.splits(), *({"test"} & judged.keys())):
                    run.probabilities(split, judged.get(split))
        except Damaged as error:
            self._left_out[place] = error
            checked.say_left_out(fingerprint, error)
            return None
        return self._sound[place]

    def damaged(self, fingerprint: str) -> Damaged | None:
        """Why the run with this fingerprint is left out, if it is there and is."""
        return None if self.sound(fingerprint) or (run := self.get(fingerprint)) is None else self._left_out.get(run.place)

    def runs(self) -> list[Run]:
        """All runs, by fingerprint."""
        entries = sorted(self.runs_folder.iterdir()) if self.runs_folder.is_dir() else []
        return [Run(folder) for folder in entries if re.fullmatch(r"[0-9a-f]{64}", folder.name)]

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
        with self.claims.claim(fingerprint, waiting):
            folder = self.work(fingerprint)
            try:
                (folder / "run").mkdir(parents=True, exist_ok=True)
                yield folder
            finally:
                if self.get(fingerprint):
                    shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def hold(self, trials: Iterable[Trial]) -> Generator[None]:
        """Keep what trials need, their work too, from being taken for garbage: from before it is made until they are runs.

        Raises:
            ToileError: the store cannot be written to.
        """
        self.prepare()
        with self.claims.hold(trials):
            yield

    def commit(self, fingerprint: str) -> Run:
        """Turn `work/<fingerprint>/run` into a run: everything to the disk, the hash of each file too, then one rename.

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
        write_manifest(made)  # which syncs the folder
        with atomic.named(run, made):
            made.rename(run)
        atomic.sync_folder(self.runs_folder)
        return Run(run)

    def unfinished(self) -> list[str]:
        """Fingerprints with a work folder: being trained, interrupted or failed."""
        entries = self.work_folder.iterdir() if self.work_folder.is_dir() else ()
        return sorted(path.name for path in entries if path.is_dir())

    # Data sets

    def keep(self, dataset: Dataset, spec: DatasetSpec, listing: str | None = None) -> None:
        """Keep a data set's images once, under the hash of its content, and remember by what words it was asked for.

        One that is there and damaged is named, set aside, and kept anew.

        Args:
            listing: of the files that it was read from; see `toile.data.reading.listing`.
        """
        folder = self.data_folder / dataset.content
        if folder.is_dir():
            try:
                datasets.opened(folder)
            except Damaged as error:
                checked.say(f"{error}; it is in {self.set_aside(folder, error)} now, and the data set is kept anew")
        dataset.save(folder)
        with self.claims.short():
            datasets.remember(self.data_folder, spec, dataset, listing)

    def audit(self, dataset: Dataset, spec: SplitSpec | None = None) -> dict[str, Any]:
        """What `toile.data.audits.audit.audit` finds in a data set's parts, which it brings or a split makes."""
        return datasets.audited(self.data_folder, dataset, spec)

    def dataset(self, content: str) -> Dataset:
        """The kept data set, memory-mapped, after its arrays were hashed again, once in a process.

        Raises:
            ToileError: it was never kept here.
            Damaged: it is not what was kept.
        """
        folder = self.data_folder / content
        if not folder.is_dir():
            raise ToileError(f"the store {self.root} has no data set {content[:12]}; `toile run` keeps it there")
        return datasets.opened(folder)

    def kept(self, spec: DatasetSpec) -> Dataset | None:
        """The data set that `spec` meant when it was last trained on, hashed; None if there is none, or it is damaged."""
        return datasets.kept(self.data_folder, spec)

    def unchanged(self, spec: DatasetSpec, listing: str | None) -> Dataset | None:
        """The data set that `spec` meant when its files were as `listing` says; None if there is none, or a damaged one."""
        return datasets.kept(self.data_folder, spec, listing) if listing is not None else None

    # Weights and features

    def keep_weights(self, path: Path, content: str) -> None:
        """Keep a file of weights once, under the hash of its content.

        Raises:
            ToileError: the file has another content.
        """
        try:
            self.weights(content)
        except Damaged as error:
            if error.path.exists():
                checked.say(f"{error}; it is in {self.set_aside(error.path, error)} now, and kept anew")
            found = path.read_bytes()
            if hashlib.sha256(found).hexdigest() != content:
                raise ToileError(f"{path} has changed since the study was planned; plan it again") from None
            atomic.write(error.path, found)

    def weights_path(self, content: str) -> Path:
        """Where a file of weights is kept."""
        return self.weights_folder / f"{content}.weights.h5"

    def weights(self, content: str) -> Path:
        """A kept file of weights, after it was hashed.

        Raises:
            Damaged: it is not there, or is something else.
        """
        path = self.weights_path(content)
        checked.check_plain(path)
        try:
            found = checked.sha256(path)
        except OSError as error:
            raise checked.lost(path, error) from None
        checked.compare(path, found, content)
        return path

    def features(self, key: str, fingerprint: str) -> Path:
        """The folder of features of this key, marked as those that the trial of this fingerprint learns from."""
        folder = self.features_folder / key
        with self.claims.short():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / fingerprint).touch()
        return folder

    # What is damaged

    def set_aside(self, path: Path, why: Damaged) -> Path:
        """Move what is damaged to `damaged/`, by one rename, with the reason beside it; where it is now."""
        with self.claims.short():
            return set_aside(path, self.damaged_folder / path.parent.name, why)
