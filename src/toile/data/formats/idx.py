"""IDX files as MNIST and Fashion-MNIST come in, plain or .gz: a folder with MNIST's or EMNIST's names, or an images file"""

from __future__ import annotations

import gzip
import math
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.reading.checks import as_dataset
from toile.data.reading.layout import loose
from toile.data.reading.limits import Budget, plain
from toile.data.reading.numpy_files import Stream, filled
from toile.pictures.files import folders

_UBYTE = 0x08
_IMAGES_NAME = re.compile(r"(.*)images([.-])idx3-ubyte(\.gz)?", re.DOTALL)
_TRAIN, _TEST = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
_SPELT = {"train": "train", "validation": "(?:val|valid|validation)", "test": "(?:t10k|test)"}


def matches(path: Path) -> bool:
    if path.is_dir():
        return bool(_images_in(_within(path)))
    return _IMAGES_NAME.fullmatch(path.name) is not None


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None, *, transpose: bool | None = None) -> Dataset:
    name, path = path.name, _within(path)
    test_path = None if test_path is None else _within(test_path)
    images = _chosen(path, "train")
    test_images = None if test_path is None and not path.is_dir() else _chosen(test_path or path, "test", images)
    own = _chosen(path, "validation", images) if path.is_dir() else None
    if images is None:
        raise DataError(f"{path}: no {_TRAIN}[.gz]; expected the four official IDX files")
    if path.is_dir() and test_path is None and test_images is None:
        alone = [one.name for one in path.iterdir() if re.fullmatch(r"(.*)(t10k|test)-labels([.-])idx1-ubyte(\.gz)?", one.name)]
        if alone:
            raise DataError(f"{path}: {alone[0]} without the images beside it; expected both or neither")
    if test_path is not None and test_images is None:
        raise DataError(f"{test_path}: no {_TEST}[.gz]; expected the test images and labels")
    budget = Budget()
    train, test, validation = (None if one is None else _pair(one, budget) for one in (images, test_images, own))
    if transpose:
        turned = (None if pair is None else (pair[0].swapaxes(1, 2), pair[1]) for pair in (train, test, validation))
        train, test, validation = turned
    assert train is not None
    mapping = None if class_names is not None else _mapping(images)
    dataset = as_dataset(name, path, train, test, class_names, validation=validation)
    if mapping is not None and all(name in mapping for name in dataset.class_names):
        names, numbers = tuple(mapping[name] for name in dataset.class_names), tuple(map(int, dataset.class_names))
        dataset = replace(dataset, class_names=names, numbers=numbers)
    if transpose is None and images.name.lower().startswith("emnist"):
        note = "EMNIST's files hold their images transposed; `transpose = true` in the study's data set turns them upright"
        dataset = replace(dataset, notes=(*dataset.notes, note))
    return dataset


def _within(path: Path) -> Path:
    """The folder itself, or the one within it that has the files: torchvision keeps them in MNIST/raw."""
    while path.is_dir() and not _images_in(path):
        inside = [one for one in folders(path) if one.name != "processed"]  # where it kept tensors once
        if len(inside) != 1 or loose(path):
            break
        path = inside[0]
    return path


def _images_in(folder: Path, part: str = "train") -> list[Path]:
    """The images files of a part in a folder: of MNIST, or of EMNIST, whose names begin with that of the set."""
    name = re.compile(rf"(.*-)?{_SPELT[part]}-images([.-])idx3-ubyte(\.gz)?", re.DOTALL)
    found = {
        one.name.removesuffix(".gz"): one for one in sorted(folder.iterdir()) if name.fullmatch(one.name) and one.is_file()
    }
    return list(found.values())


def _chosen(path: Path, part: str, beside: Path | None = None) -> Path | None:
    """The images of a part: a file, or the one of a folder; of several those of the same set as `beside`."""
    if not path.is_dir():
        return path
    found = _images_in(path, part)
    if beside is not None:
        begins = _begins(beside)
        found = [one for one in found if _begins(one) == begins]
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise DataError(
            f"{path}: several data sets: {names}; expected one: set path to one of these files, and test_path to its test "
            "images"
        )
    return found[0] if found else None


def _begins(images: Path) -> str:
    """The name of the set: `emnist-letters-`, or nothing."""
    return re.split(f"(?:{'|'.join(_SPELT.values())})-images", images.name)[0]


def _mapping(images: Path) -> dict[str, str] | None:
    """What EMNIST's labels mean, from the file `emnist-letters-mapping.txt` beside the images: a label and the codes of its
    characters in each line."""
    path = images.with_name(f"{_begins(images)}mapping.txt")
    if not _begins(images) or not path.is_file() or plain(path) > 1 << 16:
        return None
    with reading(path, "not a list of labels and codes of characters"):
        lines = [line.split() for line in path.read_text("ascii").splitlines() if line.strip()]
        return {label: " / ".join(dict.fromkeys(chr(int(code)) for code in codes)) for label, *codes in lines}


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
    wanted = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    labels = _find(images.parent, wanted)
    if labels is None:
        raise DataError(f"{images}: no labels beside it; expected {wanted}[.gz]")
    arrays = (_array(images, 3, budget), _array(labels, 1, budget))
    if len(arrays[0]) != len(arrays[1]):
        raise DataError(f"{images}: {len(arrays[0]):,} images, but {len(arrays[1]):,} labels in {labels.name}")
    return arrays


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
