"""What reading may cost: only plain files are opened, and what all files of a data set come to together is bounded."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path

from toile.data.errors import DataError
from toile.errors import Misuse, said
from toile.text import brief

VARIABLE = "TOILE_DATA_LIMIT"
_GIB = 1 << 30
_DEFAULT = 2.0
_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)  # fmt: skip


class Budget:
    """The bytes that the files of one data set may still unpack to.

    A bound for each file alone bounds nothing where there may be any number of them, so one budget goes through all readings of
    a data set, and is asked before memory is set aside.

    Args:
        what: is read, for messages.

    Raises:
        Misuse: `$TOILE_DATA_LIMIT` is no number above 0.
    """

    def __init__(self, what: str = "the data set") -> None:
        self.what = what
        self.most = self.left = _allowed()

    def take(self, count: int, source: object) -> None:
        """Count `count` bytes that `source` is about to come to.

        Raises:
            DataError: with them it is too much.
        """
        self.left -= count
        if self.left < 0:
            raise DataError(
                f"{source}: {self.what} unpacks to {(self.most - self.left) / _GIB:,.2f} GiB or more; at most "
                f"{self.most / _GIB:g} GiB are read, so that a small file cannot fill the memory. If it is meant to be so "
                f"large: {VARIABLE}={math.ceil((self.most - self.left) / _GIB) + 1} toile … (a number of GiB)"
            )


def plain(path: Path) -> int:
    """The size in bytes of a plain file, told without opening it: to open a pipe or a device may wait for ever.

    Raises:
        DataError: there is none, or it is something else.
    """
    mode, size = _stat(path)
    if not stat.S_ISREG(mode):
        raise DataError(f"{path}: {_kind(mode)}; expected a plain file")
    return size


def plain_or_folder(path: Path) -> None:
    """Refuse what is neither a plain file nor a folder.

    Raises:
        DataError: there is none, or it is something else.
    """
    mode, _ = _stat(path)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(f"{path}: {_kind(mode)}; expected a plain file or a folder")


def anchored(path: str, beside: Path) -> Path:
    """What a study says as a path, as it means the same from every folder.

    Args:
        beside: the study's folder, from which relative ones start.

    Raises:
        Misuse: it can be no path: a zero byte, links in a circle, `~` of nobody, too long a name.
    """
    try:
        found = (beside / Path(path).expanduser()).resolve()
        found.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise Misuse(f"{brief(path, 200)} is no path ({said(error)})") from error
    return found


def _allowed() -> int:
    text = os.environ.get(VARIABLE) or str(_DEFAULT)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise Misuse(f"${VARIABLE} is a number of GiB above 0, such as 4, got {text!r}")
    return int(number * _GIB)


def _stat(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in its name
        raise DataError(f"{path}: cannot be read ({said(error)})") from error
    return found.st_mode, found.st_size


def _kind(mode: int) -> str:
    return next((name for test, name in _KINDS if test(mode)), "no file")
