"""Whether a folder of files is as it was: known by names, sizes and times, without reading any."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from toile.pictures.files import shown, walk

if TYPE_CHECKING:
    from toile.study.dataset import DatasetSpec

REVISION = 2  # raised when the same files come to be read otherwise
# Times of files are as exact as a file system keeps them; a file that is written twice within that may look unchanged.
_SETTLED = 2.0


def _about(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a link that leads nowhere
        return entry.stat(follow_symlinks=False)


def listing(spec: DatasetSpec) -> str | None:
    """A digest of what is in the folders of a study's data set: path, size and times of each file.

    Returns:
        None for what is no folder, or was changed in the last moments, so that the next change might not show.
    """
    folders = [Path(path) for path in (spec.path, spec.test_path) if path is not None]
    if not folders or not all(folder.is_dir() for folder in folders):
        return None
    digest, latest = hashlib.sha256(f"toile listing {REVISION}".encode()), 0
    for folder in folders:
        digest.update(b"|folder")
        for entry in walk(folder):
            about = _about(entry)
            latest = max(latest, about.st_mtime_ns, about.st_ctime_ns)
            line = f"|{shown(Path(entry.path), folder)}|{about.st_size}|{about.st_mtime_ns}|{about.st_ctime_ns}"
            digest.update(line.encode())
    return digest.hexdigest() if latest < (time.time() - _SETTLED) * 1e9 else None
