"""NumPy's .npy, header first: what a header declares is held against what is there before memory is set aside for it."""

from __future__ import annotations

import math
import warnings
from typing import Protocol

import numpy as np

from toile.data.errors import DataError, reading

_BLOCK = 1 << 20
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # as 2.0, but for names of fields, of which there are none here
}


class Stream(Protocol):
    """What is asked of an open file, plain or compressed."""

    def read(self, size: int = -1, /) -> bytes: ...

    def readinto(self, buffer: memoryview, /) -> int: ...

    def tell(self) -> int: ...


def filled(file: Stream, count: int) -> np.ndarray:
    """The next bytes, uint8 `(count,)`; fewer where there are fewer. Memory that is not filled is not used."""
    data, at = np.empty(count, np.uint8), 0
    while at < count and (more := file.readinto(data.data[at : at + _BLOCK])):
        at += more
    return data[:at]


def header(file: Stream, source: object) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the order is Fortran's, and dtype, of a file at its first byte; the file stands behind the header then.

    Raises:
        DataError: it is no .npy.
    """
    with reading(source, "not a whole .npy file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a damaged header looks like to Python's parser
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise DataError(f"{source}: .npy of version {version[0]}.{version[1]}; expected 1.0, 2.0 or 3.0")
        shape, fortran, dtype = _HEADERS[version](file)
    if any(side < 0 for side in shape):
        raise DataError(f"{source}: not a whole .npy file (an array of shape {shape})")
    return shape, fortran, dtype


def read(file: Stream, size: int, source: object) -> np.ndarray:
    """An array of plain numbers or text.

    Args:
        file: at its first byte.
        size: bytes that there are.
        source: the file, for messages.

    Raises:
        DataError: no .npy, Python objects, or not as many bytes as the header declares.
    """
    shape, fortran, dtype = header(file, source)
    if dtype.hasobject:
        wanted = "expected numbers, or text, which x.astype(str) makes of them"
        raise DataError(f"{source}: an array of objects (pickled objects are never loaded); {wanted}")
    with reading(source, "not a whole .npy file"):
        declared, there = math.prod(shape) * dtype.itemsize, size - file.tell()
        if declared != there:
            raise DataError(f"{source}: an array {shape} of {dtype} is {declared:,} bytes, the file holds {there:,}")
        data = filled(file, declared)
        if len(data) < declared or file.read(1):  # at its end a zip's checksum is compared
            raise DataError(f"{source}: an array {shape} of {dtype} is {declared:,} bytes, the file holds {len(data):,}")
        return data.view(dtype).reshape(shape, order="F" if fortran else "C")
