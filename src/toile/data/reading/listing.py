"""Whether a folder or a list of pictures is as it was: known by names, sizes and times, without reading any."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toile.data import formats
from toile.errors import ToileError
from toile.pictures.files import shown, walk

if TYPE_CHECKING:
    from toile.study.data.dataset import DatasetSpec

REVISION = 7  # raised when the same files come to be read otherwise
# Times of files are as exact as a file system keeps them; a file that is written twice within that may look unchanged.
_SETTLED = 2.0


def _about(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a link that leads nowhere
        return entry.stat(follow_symlinks=False)


def listing(spec: DatasetSpec) -> str | None:
    """A digest of the files of a study's data set, where these are folders or lists of pictures: path, size and times of each.

    Returns:
        None for what is neither, cannot be read, or was changed in the last moments, so that the next change might not show.
    """
    if spec.path is None:
        return None
    paths = [Path(path) for path in (spec.path, spec.test_path) if path is not None]
    folders = [path for path in paths if path.is_dir()]
    try:
        known = formats.load(spec.format or formats.guess(paths[0]))
        if len(folders) < len(paths) and not hasattr(known, "sources"):
            return None
        digest, latest = hashlib.sha256(f"toile listing {REVISION}".encode()), 0
        for folder in (one.resolve() for one in folders):
            digest.update(b"|folder")
            for entry in walk(folder):
                latest = max(latest, _add(digest, shown(Path(entry.path), folder), _about(entry)))
        if hasattr(known, "sources"):
            inside = tuple(f"{folder}{os.sep}" for folder in folders)
            for path in known.sources(*paths, *[None] * (2 - len(paths)), label=spec.label):
                if not os.path.normpath(path).startswith(inside or "\0"):
                    latest = max(latest, _add(digest, str(path), path.stat()))
    except (OSError, ToileError):  # who reads it says what is wrong
        return None
    return digest.hexdigest() if latest < (time.time() - _SETTLED) * 1e9 else None


def _add(digest: Any, name: str, about: os.stat_result) -> int:
    """Take in a file; when it was last changed, in nanoseconds."""
    digest.update(f"|{name}|{about.st_size}|{about.st_mtime_ns}|{about.st_ctime_ns}".encode())
    return max(about.st_mtime_ns, about.st_ctime_ns)
