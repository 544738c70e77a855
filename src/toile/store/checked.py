"""What is stored is checked before it is believed: hashes of files, JSON that carries its own, and what damage is called."""

from __future__ import annotations

import hashlib
import json
import stat
import sys
from pathlib import Path
from typing import Any, TypeGuard

from toile.errors import ToileError, said
from toile.store import atomic
from toile.text import printable

_OWN = "sha256"


class Damaged(ToileError):
    """A stored file that is not what was written, or cannot be read.

    Args:
        path: the file.
        why: what is wrong with it.
        movable: whether it is to be set aside. (A file that may not be read is better made readable.)
    """

    def __init__(self, path: Path, why: str, *, movable: bool = True) -> None:
        super().__init__(f"{path} is damaged: {why}")
        self.path, self.why, self.movable = path, why, movable

    def advised(self, mend: str) -> str:
        """The message, and what mends it: `mend`, if the file is to be set aside."""
        return f"{self}; {mend if self.movable else 'it has to be made readable'}"


def sha256(path: Path) -> str:
    """Of a file's content, 64 hexadecimal digits; read a piece at a time."""
    with atomic.named(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path, expected: str | None = None) -> bytes:
    """A stored file's content.

    Args:
        expected: its SHA-256, where that is known.

    Raises:
        Damaged: it is missing, cannot be read, or is something else.
    """
    check_plain(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise lost(path, error) from None
    compare(path, hashlib.sha256(content).hexdigest(), expected)
    return content


def check_plain(path: Path) -> None:
    """
    Raises:
        Damaged: there is no such file, or there is something else, such as a pipe, which to open may wait for ever.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise lost(path, error) from None
    if not stat.S_ISREG(mode):
        raise Damaged(path, "it is no file")


def is_there(path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        Damaged: the system does not say, as of what lies in a folder that may not be read.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise lost(path, error) from None
    return True


def compare(path: Path, found: str, expected: str | None) -> None:
    """
    Raises:
        Damaged: `path` has another SHA-256 than the one that is expected.
    """
    if expected not in (None, found):
        raise Damaged(path, f"its SHA-256 begins with {found[:12]}, and {expected[:12]} was written")


def lost(path: Path, error: OSError) -> Damaged:
    """What a stored file is that the system does not give."""
    if isinstance(error, FileNotFoundError):
        return Damaged(path, "it is missing")
    return Damaged(path, f"it cannot be read: {error.strerror or error}", movable=not isinstance(error, PermissionError))


def parse_json(path: Path, content: bytes) -> Any:
    """What a stored JSON file says.

    Raises:
        Damaged: it is no JSON, or too deep to be any of ours.
    """
    try:
        return json.loads(content, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise Damaged(path, f"it is no JSON: {said(error)}") from None


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a JSON object that carries the hash of what it says, under `sha256`, in one step."""
    atomic.write_json(path, {**content, _OWN: _digest(content)})


def read_json(path: Path) -> tuple[dict[str, Any], bool]:
    """What `write_json` wrote, and whether it carried its hash: earlier files have none.

    Raises:
        Damaged: it is missing, is no such file, or says something else than was written.
    """
    found = parse_json(path, read(path))
    if not _is_table(found):
        raise Damaged(path, f"a JSON object is wanted, got {type(found).__name__}")
    own = found.pop(_OWN, None)
    if own is not None and own != _digest(found):
        raise Damaged(path, "it does not say what was written: its own SHA-256 differs")
    return found, own is not None


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_said: set[str] = set()


def say(text: str) -> None:
    """Name on standard error, once in a process, what is damaged while work goes on without it."""
    if text not in _said:
        _said.add(text)
        print(f"warning: {printable(text)}", file=sys.stderr, flush=True)


def say_left_out(fingerprint: str, error: Damaged) -> None:
    """Name a run that is damaged, and what to do about it."""
    what = error.advised("`toile check --repair` sets it aside, and `toile run` trains it anew")
    say(f"run {fingerprint[:12]} is left out: {what}")


def _is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """As in `toile.study.fields.strict`, which brings pydantic: whoever only asks an export has none."""
    return isinstance(value, dict)
