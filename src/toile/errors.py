"""Errors meant for a person: one message that says what, what was got, what is allowed, and the nearest."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from itertools import islice

from toile.text import cut

_COMPARED, _LONG = 1000, 200  # names and characters at most: of more, to find the nearest would take seconds

_OF_WRITING = ("ENOSPC", "EDQUOT", "EROFS", "EFBIG")


class ToileError(Exception):
    """Something the user can mend. The CLI prints its message, no traceback, and exits with 1."""


class Misuse(ToileError):
    """The command or a file it reads asks for something impossible. The CLI exits with 2."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """`" (did you mean 'x'?)"` with the allowed name most like `name`, or nothing."""
    close = len(name) <= _LONG and difflib.get_close_matches(name, list(islice(allowed, _COMPARED)), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def said(error: Exception) -> str:
    """What an exception says, in one line that is not long; its name where it says nothing."""
    reason = getattr(error, "strerror", None) or str(error)
    if reason.startswith("(") and isinstance(error.args[0], str):  # what is said, and where, as a tuple
        reason = error.args[0]
    return cut((reason.strip().splitlines() or [type(error).__name__])[0], 200)


def refused(error: OSError) -> str:
    """What the system refused, in one line that names the file: `cannot write runs.tar: No space left on device`."""
    what = "cannot write" if errno.errorcode.get(error.errno or 0) in _OF_WRITING else "cannot read or write"
    # Of a rename, the second is the name that was wanted.
    name = next((str(name) for name in (error.filename2, error.filename) if name is not None), "")
    return f"{' '.join(filter(None, (what, name)))}: {error.strerror or error}"
