"""What can be wrong with data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toile.errors import ToileError, said


class DataError(ToileError):
    """Data that cannot be read or does not fit: the message names the file, what was found and what was expected."""


class DatasetUnavailable(DataError):
    """A registered data set that was neither found nor downloaded."""


@contextmanager
def reading(source: object, wrong: str, kind: type[ToileError] = DataError) -> Iterator[None]:
    """Around the calls by which a library reads a file from strangers, and around nothing else.

    No library says what it raises of a damaged file: `zipfile` alone has raised ten kinds of exception, some of them from the
    decompressors of the system, and NumPy's reader of headers those of Python's own parser. So all of them are taken.

    Args:
        source: the file, for the message.
        wrong: what an exception means, such as "not a whole .npz file".
        kind: the error to raise.

    Raises:
        ToileError: as `kind`, or the one that was raised inside.
    """
    try:
        yield
    except ToileError:
        raise
    except Exception as error:
        raise kind(f"{source}: {wrong} ({said(error)})") from error


class DamagedSnapshot(DataError):
    """A kept data set that is not what was kept.

    Args:
        path: the file, or the folder where it cannot be said of which.
        why: what is wrong with it.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why = path, why
