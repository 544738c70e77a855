"""The checksum of an ONNX file: a SHA-256 in its own metadata, of every other byte of it.

It is found and compared in the bytes of the file, so that whoever reads an export needs no package for ONNX, and before
anything parses what may be damaged.
"""

from __future__ import annotations

import hashlib

KEY = "toile-sha256"
DIGITS = 64
EMPTY = "0" * DIGITS
# How protobuf writes the entry's key and the length of its value; the digits follow.
_MARK = bytes([0x0A, len(KEY)]) + KEY.encode() + bytes([0x12, DIGITS])


def seal(content: bytes) -> bytes:
    """Put the checksum into a serialised ONNX model that has `EMPTY` under `KEY` in its metadata.

    Raises:
        ValueError: the model has no such entry, or several.
    """
    at = _place(content)
    if at is None:
        raise ValueError(f"the model has no metadata {KEY!r} to put a checksum into")
    return content[:at] + _digest(content, at) + content[at + DIGITS :]


def sealed(content: bytes) -> bool:
    """Whether an ONNX file has a checksum, and then the right one. False: it has none.

    Raises:
        ValueError: the checksum is another than that of the file, which is damaged.
    """
    at = _place(content)
    if at is None:
        return False
    if content[at : at + DIGITS] != _digest(content, at):
        raise ValueError("its SHA-256 is not the one that it was written with")
    return True


def _place(content: bytes) -> int | None:
    """Where the digits begin."""
    at = content.rfind(_MARK)
    if at < 0:
        return None
    if content.find(_MARK) != at:
        raise ValueError("it has several checksums")
    return at + len(_MARK)


def _digest(content: bytes, at: int) -> bytes:
    view, found = memoryview(content), hashlib.sha256()
    found.update(view[:at])
    found.update(view[at + DIGITS :])
    return found.hexdigest().encode()
