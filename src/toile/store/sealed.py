"""Files with their SHA-256 behind their content, which readers of `.npy` and of zip files do not mind: one file, so that no
moment has the one without the other."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from toile.errors import said
from toile.store import atomic, checked
from toile.store.checked import Damaged

DIGEST = hashlib.sha256().digest_size
_PIECE = 2**20


class _Hashing:
    """A file to write to, which hashes what is written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, content: Any) -> int:
        self.sha256.update(content)
        return self.file.write(content)


@contextmanager
def writing(path: Path) -> Generator[_Hashing]:
    """As `toile.store.atomic.writing`; the hash is put behind what was written."""
    with atomic.writing(path) as file:
        hashing = _Hashing(file)
        yield hashing
        file.write(hashing.sha256.digest())


def check(path: Path) -> None:
    """Compare a sealed file with its hash, a piece at a time.

    Raises:
        Damaged: it is missing, cannot be read, or is not what was written.
    """
    checked.check_plain(path)
    try:
        with path.open("rb") as file:
            left, found = path.stat().st_size - DIGEST, hashlib.sha256()
            while left > 0 and (piece := file.read(min(left, _PIECE))):
                found.update(piece)
                left -= len(piece)
            expected = file.read(DIGEST)
    except OSError as error:
        raise checked.lost(path, error) from None
    if left < 0 or found.digest() != expected:
        raise Damaged(path, "it is not what was written: its SHA-256, behind it, differs")


def array(path: Path) -> tuple[np.ndarray, bool]:
    """An array in a `.npy` file, memory-mapped, read-only; and whether the file is sealed: earlier ones are not.

    Raises:
        Damaged: it is missing, is no array, or is not what was written.
    """
    checked.check_plain(path)
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        behind = path.stat().st_size - found.offset - math.prod(found.shape) * found.itemsize
    except OSError as error:
        raise checked.lost(path, error) from None
    except Exception as error:  # a header is a Python literal, which fails in as many ways as a parser can
        raise Damaged(path, f"it is no array: {said(error)}") from None
    if behind:
        check(path)
    return found, bool(behind)
