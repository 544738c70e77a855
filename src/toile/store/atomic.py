"""Writes that either happened or did not: to a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

_LONG = 200  # bytes of a name, of the 255 that it may have, to which something can be added
# What file systems of networks and virtual machines say that know no such call for folders. (SQLite and PostgreSQL go on too.)
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


@contextmanager
def named(path: Path, temporary: Path | None = None) -> Generator[None]:
    """Errors of the system that name no file, as those of an open one on a full disk, or a `temporary` one, name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (error.filename is None or str(error.filename) == str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last through a loss of power. (Windows has no such call; its renames are journaled.)"""
    if os.name == "nt":
        return
    with named(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise
        finally:
            os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the content of `path` last through a loss of power."""
    with named(path), path.open("rb+") as file:
        os.fsync(file.fileno())


def write(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content` in one step. A reader sees the old file or the new one, whole.

    Raises:
        OSError: the disk is full, or the folder is not there or not writable; it names `path`, and the old file is untouched.
    """
    with writing(path) as file:
        # Halves of characters, of which a file's name may consist, are spelt as JSON and Python do: no encoding has them.
        file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)


def deliver(path: Path, content: bytes | str) -> None:
    """`write` of what somebody asked for under this name, with the folders that the name has and that are not there."""
    make_folder_of(path)
    write(path, content)


def make_folder_of(path: Path) -> None:
    """Make the folders that a name has and that are not there.

    Raises:
        OSError: they cannot be made; it names `path`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # what is there is a file
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


@contextmanager
def writing(path: Path) -> Generator[BinaryIO]:
    """A file to write piece by piece, which takes the place of `path` in one step if nothing was raised. See `write`.

    A link stays one: the file that it leads to is replaced. What is no file, such as a pipe or `/dev/stdout`, cannot be
    replaced without being taken from all others who use it; it is written to as it is.
    """
    if path.is_dir():  # which may have no name to put something beside, as `.`
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        with named(path), path.open("wb") as file:
            yield file
        return
    place = Path(os.path.realpath(path)) if path.is_symlink() else path
    # Neither the number of the process nor that of the thread would do: containers and machines that share a store have the
    # same ones, and two who write to one temporary file put a torn one in its place.
    name = place.name if len(os.fsencode(place.name)) <= _LONG else ""
    temporary = place.with_name(f"{name}.{os.urandom(6).hex()}.tmp")
    try:
        with named(path, temporary):
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place)
    except BaseException:
        with suppress(OSError):  # the first error says more
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(place.parent)


def write_json(path: Path, content: Any) -> None:
    """`write` of readable JSON. NaN is refused: JSON has none."""
    write(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
