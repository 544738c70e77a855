"""Runs in one file, to move them between machines: a tar archive whose manifest has the SHA-256 of every file.

An archive may come from a stranger. Nothing in it is extracted by name; what it unpacks to is bounded by its own size, whatever
it says; and its runs have to look like runs before the first is brought in.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from toile.errors import ToileError, said
from toile.store import atomic, checked, shape
from toile.store.run import FILES, MODELS, Run, lacking
from toile.store.store import Store
from toile.study.fields.strict import is_table
from toile.study.trial import Trial

MANIFEST = "manifest.json"
# Weights and probabilities hardly shrink, so nothing honest unpacks to more than these times its size, or to more files.
MOST_TIMES, ALWAYS_ALLOWED = 20, 2**26
MOST_FILES = 100_000
_PIECE = 2**20
_NAME = re.compile(rf"[0-9a-f]{{64}}/({'|'.join(map(re.escape, FILES + MODELS))})")
_LOOKS: dict[str, Callable[[bytes], Any]] = {
    "metrics.json": lambda content: shape.metrics(json.loads(content)),
    "provenance.json": lambda content: shape.provenance(json.loads(content)),
    "history.csv": shape.history,
    "probabilities.npz": shape.probabilities,
}


class PackError(ToileError):
    """An archive that is not what it says it is. Nothing of it is kept."""


def pack(runs: Iterable[Run], path: Path) -> int:
    """Write runs to one archive, in one step; how many there are. Those that are damaged are named, and left out.

    Data sets are not packed: the other machine needs them only to train, and has them by their own names.
    """
    chosen: list[Run] = []
    for run in runs:
        if damages := run.damages():
            checked.say_left_out(run.fingerprint, damages[0])
        else:
            chosen.append(run)
    atomic.make_folder_of(path)
    with atomic.writing(path) as file:
        _write(chosen, file)
    return len(chosen)


def packed(runs: Iterable[Run]) -> bytes:
    """The archive that `pack` writes.

    Raises:
        Damaged: a run is not what was written.
    """
    chosen = list(runs)
    for damage in (damage for run in chosen for damage in run.damages()):
        raise damage
    buffer = io.BytesIO()
    _write(chosen, buffer)
    return buffer.getvalue()


def _write(runs: list[Run], file: BinaryIO) -> None:
    paths = {f"{run.fingerprint}/{path.name}": path for run in runs for path in run.files()}
    hashes = {name: checked.sha256(path) for name, path in paths.items()}
    with tarfile.open(fileobj=file, mode="w") as archive:
        manifest = json.dumps(hashes, indent=1).encode()
        archive.addfile(_entry(MANIFEST, len(manifest)), io.BytesIO(manifest))
        for name, path in paths.items():
            with path.open("rb") as content:
                archive.addfile(_entry(name, path.stat().st_size), content)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


def unpack(source: Path | bytes, store: Store, *, held: Collection[str] = ()) -> list[str]:
    """Bring an archive's runs into a store, each by one rename, after everything was checked.

    Args:
        source: a file of `pack`, which may have been packed once more by gzip, or the content of one.
        held: fingerprints that the caller has claimed; the others are claimed here.

    Returns:
        Fingerprints of the runs that the store did not have.

    Raises:
        PackError: not an archive of `pack`; a file that is missing, too many, not the one that was packed, or looks like no
            file of a run; more than an archive of its size may unpack to; or a run whose folder is not named by its trial's
            fingerprint.
    """
    with _opened(source) as archive:
        archive.check()
        new = [fingerprint for fingerprint in archive.runs() if store.get(fingerprint) is None]
        for fingerprint in new:
            trained = f"run {fingerprint[:12]} is being trained here; waiting for that to end"
            claim = partial(store.claim, fingerprint, partial(checked.say, trained))
            with nullcontext(store.work(fingerprint)) if fingerprint in held else claim() as work:
                if store.get(fingerprint) is None:
                    for name in archive.files_of(fingerprint):
                        archive.copy(f"{fingerprint}/{name}", work / "run" / name)
                    store.commit(fingerprint)
    return sorted(new)


class _Bounded(io.RawIOBase):
    """A file of which nothing beyond `most` bytes is ever read, whatever an archive asks for."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, most: int, name: str) -> None:
        self.file, self.most, self.archive = file, most, name

    def _bound(self, position: int) -> None:
        if position > self.most:
            raise PackError(f"{self.archive} unpacks to more than {self.most:,} bytes, which no archive of its size does")

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int = -1, /) -> bytes:
        self._bound(self.tell() + size if size >= 0 else self.most + 1)
        return self.file.read(size)

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        self._bound(position if whence == io.SEEK_SET else self.most + 1)
        return self.file.seek(position)


@contextmanager
def _opened(source: Path | bytes) -> Generator[_Archive]:
    name = "the archive" if isinstance(source, bytes) else str(source)
    try:
        # A device or a pipe is read to no end, and has no size to bound it by.
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise PackError(f"{name} is no archive of runs: it is no file")
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    except OSError as error:
        raise PackError(f"{name} is no archive of runs: {error.strerror or error}") from None
    with file:
        packed_again = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        bounded = _Bounded(gzip.GzipFile(fileobj=file) if packed_again else file, max(MOST_TIMES * size, ALWAYS_ALLOWED), name)
        yield _Archive(bounded, name)


class _Archive:
    """An archive that is read: first everything, to check it, then what is wanted of it."""

    def __init__(self, file: _Bounded, name: str) -> None:
        self.name = name
        self.entries: dict[str, tarfile.TarInfo] = {}
        self.hashes: dict[str, str] = {}
        with self._readable():
            self.tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - the file is closed by who opened it
            for entry in self.tar:
                if len(self.entries) == MOST_FILES or entry.issparse() or entry.name in self.entries:
                    raise PackError(f"{name}: too many files, or twice the same, or one with holes: {entry.name!r}")
                if entry.isfile():
                    self.entries[entry.name] = entry
        if MANIFEST not in self.entries:
            raise PackError(f"{name} is no archive of runs: it has no {MANIFEST}")

    @contextmanager
    def _readable(self) -> Generator[None]:
        """What fails in a broken archive, in as many ways as there are fields in a header, is one error."""
        try:
            yield
        except ToileError:
            raise
        except Exception as error:
            raise PackError(f"{self.name} is no archive of runs: {said(error)}") from None

    def runs(self) -> list[str]:
        """Fingerprints, in the archive's order, in which a packed one is read once."""
        return list(dict.fromkeys(name.split("/")[0] for name in self.entries if name != MANIFEST))

    def files_of(self, fingerprint: str) -> list[str]:
        return [name for folder, _, name in (path.partition("/") for path in self.entries) if folder == fingerprint]

    def check(self) -> None:
        """Read everything, and see that it is what was packed, and looks like runs.

        Raises:
            PackError: it is not, or does not.
        """
        self.hashes = self._manifest()
        if self.hashes.keys() != self.entries.keys() - {MANIFEST}:
            odd = sorted(self.hashes.keys() ^ (self.entries.keys() - {MANIFEST}))
            raise PackError(f"{self.name} is not whole: {', '.join(odd[:3])} missing or too many")
        for name in self.hashes:
            if not _NAME.fullmatch(name):
                raise PackError(f"{self.name}: {name} is no file of a run")
        for fingerprint in self.runs():
            if missing := lacking(self.files_of(fingerprint)):
                raise PackError(f"{self.name}: run {fingerprint[:12]} has no {', '.join(missing)}")
        for fingerprint in self.runs():
            found = {name: self._look(f"{fingerprint}/{name}") for name in self.files_of(fingerprint)}
            trial, figures, said = (found[name] for name in ("trial.json", "metrics.json", "probabilities.npz"))
            if None not in (trial, figures, said):
                shapes = {split: array.shape for split, array in said.items()}
                with self._of_a_run(f"{fingerprint}/metrics.json"):
                    shape.together(trial, figures, shapes, whole=True)

    def _manifest(self) -> dict[str, str]:
        with self._readable():
            found = json.loads(self._text(MANIFEST))
        if not is_table(found):
            raise PackError(f"{self.name} is not whole: {MANIFEST} missing or too many")
        return found

    def _look(self, path: str) -> Any:
        """Compare a file with its hash, and see that it looks like what it is: what it says, if it was read."""
        fingerprint, _, name = path.partition("/")
        if name not in (*_LOOKS, "trial.json") or (name in _LOOKS and self.entries[path].size > shape.LONG):
            for _ in self._pieces(path):
                pass
            return None
        content = b"".join(self._pieces(path)) if name in _LOOKS else self._text(path)
        with self._of_a_run(path):
            if name in _LOOKS:
                return _LOOKS[name](content)
            trial = shape.trial(json.loads(content))
            if Trial.parse(content.decode()).fingerprint != fingerprint:
                raise PackError(f"{self.name}: run {fingerprint[:12]} is named by another fingerprint than its trial has")
            return trial

    @contextmanager
    def _of_a_run(self, path: str) -> Generator[None]:
        """What cannot be of a run is one error."""
        try:
            yield
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PackError(f"{self.name}: {path} is no file of a run: {said(error)}") from None

    def _text(self, path: str) -> bytes:
        if self.entries[path].size > shape.LONG:
            raise PackError(f"{self.name}: {path} has {self.entries[path].size:,} bytes, at most {shape.LONG:,} are read")
        with self._readable():
            return b"".join(self._pieces(path))

    def _pieces(self, path: str) -> Iterator[bytes]:
        """A file's content. After the last piece it was compared with its hash.

        Raises:
            PackError: it is not the one that was packed.
        """
        found, left = hashlib.sha256(), self.entries[path].size
        with self._readable():
            file = self.tar.extractfile(self.entries[path])
        while left and file is not None:
            with self._readable():
                piece = file.read(min(left, _PIECE))
            if not piece:
                break
            found.update(piece)
            left -= len(piece)
            yield piece
        if path != MANIFEST and found.hexdigest() != self.hashes[path]:
            raise PackError(f"{self.name}: {path} is not what was packed; its SHA-256 differs")

    def copy(self, path: str, to: Path) -> None:
        """Write a file of the archive.

        Raises:
            OSError: the disk is full; it names the file.
        """
        with atomic.named(to), to.open("wb") as file:
            for piece in self._pieces(path):
                file.write(piece)
