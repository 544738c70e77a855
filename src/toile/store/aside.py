"""Damaged files out of the way, where nothing looks for them, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

from toile.store import atomic
from toile.store.checked import Damaged


def set_aside(path: Path, folder: Path, why: Damaged) -> Path:
    """Move a file or a folder into another folder, by one rename, with the reason beside it.

    Returns:
        Where it is now: under its own name, with a number behind it where that is taken.

    Raises:
        OSError: it cannot be moved; it names a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number, there = 1, folder / path.name
    while there.exists():
        number += 1
        there = folder / f"{path.name}.{number}"
    reason = there.with_name(f"{there.name}.why.txt")
    atomic.write(reason, f"{why}\n")
    try:
        with atomic.named(path):
            path.rename(there)
    except OSError:
        reason.unlink()
        raise
    return there
