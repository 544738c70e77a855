"""Runs in one file, to move them between machines: a tar archive whose manifest has the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from toile.errors import ToileError
from toile.store import atomic
from toile.store.run import FILES, MODELS, Run, lacking
from toile.store.store import Store
from toile.study.strict import is_table
from toile.study.trial import Trial

MANIFEST = "manifest.json"
_LARGEST = 2**31


class PackError(ToileError):
    """An archive that is not what it says it is. Nothing of it is kept."""


def pack(runs: Iterable[Run], path: Path) -> int:
    """Write runs to one archive, in one step; how many there are.

    Data sets are not packed: the other machine needs them only to train, and has them by their own names.
    """
    chosen = list(runs)
    atomic.write(path, packed(chosen))
    return len(chosen)


def packed(runs: Iterable[Run]) -> bytes:
    """The archive that `pack` writes."""
    files = {f"{run.fingerprint}/{path.name}": path.read_bytes() for run in runs for path in run.files()}
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in {MANIFEST: json.dumps(manifest, indent=1).encode(), **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def unpack(archive: Path | bytes, store: Store, *, held: Collection[str] = ()) -> list[str]:
    """Bring an archive's runs into a store, each by one rename, after everything was checked.

    Args:
        archive: a file of `pack`, or the content of one.
        held: fingerprints that the caller has claimed; the others are claimed here.

    Returns:
        Fingerprints of the runs that the store did not have.

    Raises:
        PackError: not an archive of `pack`, a file that is missing, too many or not the one that was packed, or a run whose
            folder is not named by its trial's fingerprint.
    """
    files = _checked(archive)
    new = [fingerprint for fingerprint in sorted({name.split("/")[0] for name in files}) if store.get(fingerprint) is None]
    for fingerprint in new:
        with nullcontext(store.work(fingerprint)) if fingerprint in held else store.claim(fingerprint) as work:
            if store.get(fingerprint) is None:
                for name in _names(files, fingerprint):
                    (work / "run" / name).write_bytes(files[f"{fingerprint}/{name}"])
                store.commit(fingerprint)
    return new


def _checked(source: Path | bytes) -> dict[str, bytes]:
    """The archive's files, every one of them the one that was packed."""
    path, content = ("the archive", io.BytesIO(source)) if isinstance(source, bytes) else (source, None)
    try:
        with tarfile.open(None if content else path, fileobj=content) as archive:
            # Nothing is extracted by name: members are read into memory, so a path in the archive leads nowhere.
            entries = [entry for entry in archive if entry.isfile() and entry.size <= _LARGEST]
            files = {entry.name: opened.read() for entry in entries if (opened := archive.extractfile(entry))}
        manifest: Any = json.loads(files.pop(MANIFEST))
    except (OSError, tarfile.TarError, KeyError, ValueError, EOFError) as error:
        raise PackError(f"{path} is no archive of runs: {error}") from None
    if not is_table(manifest) or set(manifest) != set(files):
        odd = sorted(set(manifest) ^ set(files)) if is_table(manifest) else [MANIFEST]
        raise PackError(f"{path} is not whole: {', '.join(odd[:3])} missing or too many")
    for name, content in files.items():
        if not re.fullmatch(rf"[0-9a-f]{{64}}/({'|'.join(map(re.escape, FILES + MODELS))})", name):
            raise PackError(f"{path}: {name} is no file of a run")
        if hashlib.sha256(content).hexdigest() != manifest[name]:
            raise PackError(f"{path}: {name} is not what was packed; its SHA-256 differs")
    fingerprints = {name.split("/")[0] for name in files}
    for fingerprint in fingerprints:
        if missing := lacking(_names(files, fingerprint)):
            raise PackError(f"{path}: run {fingerprint[:12]} has no {', '.join(missing)}")
        if Trial.parse(files[f"{fingerprint}/trial.json"].decode()).fingerprint != fingerprint:
            raise PackError(f"{path}: run {fingerprint[:12]} is named by another fingerprint than its trial has")
    return files


def _names(files: Iterable[str], fingerprint: str) -> list[str]:
    """The files of one run among those of an archive."""
    return [name for folder, _, name in (path.partition("/") for path in files) if folder == fingerprint]
