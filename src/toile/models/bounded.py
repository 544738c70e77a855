"""A bound on what the small archive of a stored model may unpack to, looked at before anything of it is unpacked."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

from toile.errors import ToileError

# Weights hardly shrink, and what else is in such a file is small: a model of ours unpacks to twice its size at most.
MOST_TIMES, ALWAYS_ALLOWED = 20, 2**26


def check(path: Path) -> None:
    """Refuse a `.keras` or `.skops` file that is made to fill the memory. Python's `zipfile` reads no more than is declared.

    Raises:
        ToileError: its files declare more than 20 times its own size, and more than 64 MiB.
        zipfile.BadZipFile, OSError: it cannot be read.
    """
    with ZipFile(path) as archive:
        declared = sum(entry.file_size for entry in archive.infolist())
    most = max(MOST_TIMES * path.stat().st_size, ALWAYS_ALLOWED)
    if declared > most:
        raise ToileError(f"{path} unpacks to {declared / 2**20:,.0f} MiB; a model of its size may have {most / 2**20:,.0f} MiB")
