"""What can be wrong with data."""

from __future__ import annotations

from pathlib import Path

from toile.errors import ToileError


class DataError(ToileError):
    """Data that cannot be read or does not fit: the message names the file, what was found and what was expected."""


class DatasetUnavailable(DataError):
    """A registered data set that was neither found nor downloaded."""


class DamagedSnapshot(DataError):
    """A kept data set that is not what was kept.

    Args:
        path: the file, or the folder where it cannot be said of which.
        why: what is wrong with it.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why = path, why
