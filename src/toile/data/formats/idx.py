"""IDX files as MNIST and Fashion-MNIST come in, plain or .gz: a folder with the four official names, or an images file"""

from __future__ import annotations

import gzip
import math
import re
import struct
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from toile.data.checks import as_dataset
from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.limits import Budget, plain
from toile.data.numpy_files import Stream, filled

_UBYTE = 0x08
_IMAGES_NAME = re.compile(r"(.*)images([.-])idx3-ubyte(\.gz)?", re.DOTALL)
_TRAIN, _TEST = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"


def matches(path: Path) -> bool:
    if path.is_dir():
        return _find(path, _TRAIN) is not None
    return _IMAGES_NAME.fullmatch(path.name) is not None


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    if path.is_dir():
        images = _find(path, _TRAIN)
        if images is None:
            raise DataError(f"{path}: no {_TRAIN}[.gz]; expected the four official IDX files")
        test_images = _find(test_path or path, _TEST) if (test_path or path).is_dir() else test_path
        if test_path is None and test_images is None and _find(path, _labels_name(_TEST)) is not None:
            raise DataError(f"{path}: {_labels_name(_TEST)} without {_TEST}; expected both or neither")
    else:
        images = path
        test_images = _find(test_path, _TEST) if test_path is not None and test_path.is_dir() else test_path
    if test_path is not None and test_images is None:
        raise DataError(f"{test_path}: no {_TEST}[.gz]; expected the test images and labels")
    budget = Budget()
    train = _pair(images, budget)
    test = _pair(test_images, budget) if test_images is not None else None
    return as_dataset(path.name, path, train, test, class_names)


def parse(file: BinaryIO, size: int, source: object, dimensions: int | None = None, budget: Budget | None = None) -> np.ndarray:
    """The array in an IDX file, gzipped or not.

    Args:
        file: open at its first byte; it can be sought.
        size: bytes that it has.
        source: the file, for messages.
        dimensions: how many the array must have; None for any.
        budget: what it may come to; one of its own where left out.

    Returns:
        uint8, the shape that the header declares.

    Raises:
        DataError: a damaged gzip, a wrong magic number, more or fewer bytes than the header declares, or too many.
    """
    # A gzip stream is unpacked only as far as the header says, and what it says is counted first: a bomb costs nothing.
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = cast("Stream", gzip.GzipFile(fileobj=file) if packed else file)
    with reading(source, "damaged or truncated gzip; expected a whole .gz file"):
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _UBYTE or not 1 <= head[3] <= 4:
            got = head.hex() or "missing"
            raise DataError(f"{source}: magic number {got}; expected 00000803 (images) or 00000801 (labels)")
        if dimensions is not None and head[3] != dimensions:
            raise DataError(f"{source}: magic number {head.hex()} ({head[3]} dimensions); expected 0000080{dimensions}")
        sizes = stream.read(4 * head[3])
        if len(sizes) < 4 * head[3]:
            raise DataError(f"{source}: the header is cut off after {4 + len(sizes)} bytes")
        shape = struct.unpack(f">{head[3]}I", sizes)
        expected, more, body = math.prod(shape), b"", np.empty(0, np.uint8)
        # Deflate shrinks by 1,032 at most: a header that declares more lies, whatever the budget.
        if expected <= (1032 if packed else 1) * size:
            (budget or Budget()).take(expected, source)
            body = filled(stream, expected)
            more = stream.read(1)  # at its end a gzip's checksum is compared
    if len(body) < expected or more:
        got = "more" if more else "fewer"
        raise DataError(f"{source}: the header declares {expected:,} bytes {shape}, the file holds {got}")
    return body.reshape(shape)


def _pair(images: Path, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    match = _IMAGES_NAME.fullmatch(images.name)
    if match is None:
        raise DataError(f"{images}: not the name of an IDX images file; expected …-images-idx3-ubyte[.gz]")
    wanted = _labels_name(images.name.removesuffix(".gz"))
    labels = _find(images.parent, wanted)
    if labels is None:
        raise DataError(f"{images}: no labels beside it; expected {wanted}[.gz]")
    arrays = (_array(images, 3, budget), _array(labels, 1, budget))
    if len(arrays[0]) != len(arrays[1]):
        raise DataError(f"{images}: {len(arrays[0]):,} images, but {len(arrays[1]):,} labels in {labels.name}")
    return arrays


def _labels_name(images_name: str) -> str:
    return images_name.replace("images", "labels").replace("idx3", "idx1")


def _find(folder: Path, name: str) -> Path | None:
    """`name` in `folder`, plain or .gz, also in the spelling `train-images.idx3-ubyte`."""
    head, _, tail = name.rpartition("-idx")
    plain = [name, f"{head}.idx{tail}"] if head else [name, name.replace(".idx", "-idx")]
    candidates = (folder / f"{stem}{ending}" for stem in plain for ending in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _array(path: Path, dimensions: int, budget: Budget) -> np.ndarray:
    size = plain(path)
    with reading(path, "cannot be read"), path.open("rb") as file:
        return parse(file, size, path, dimensions, budget)
