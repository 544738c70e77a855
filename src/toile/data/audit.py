"""What a look at the data shows: counts, statistics, duplicates, and what is suspicious."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Hashes, ImageArray, Marked, Positions
from toile.data.dataset import Dataset, Images

MNIST_TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_MNIST_MEAN, _FASHION_MEAN = 33.3, 72.9  # of all training pixels, 0..255
REVISION = 1  # raised when the same images come to be told otherwise
_PAIRS = 10  # index pairs that are listed; the counts are of all
_IMBALANCE = 10  # largest class over smallest, from which on a warning is due


def audit(dataset: Dataset) -> dict[str, Any]:
    """Looks a data set over. 70,000 images take about half a second.

    An image repeats another where every pixel is the same. `within` counts the images that repeat an earlier one of
    their part; `train_and_test` counts the test images that are in the training part too.

    Returns:
        What JSON can hold:
        `name`, `content`, `image_shape`, `dtype`, `classes`, `class_names`;
        `train` and `test` (None where there is none), each `{"images", "counts" (one a class), "mean", "std" (of the
        pixels, 0..255), "constant" (images of one colour), "duplicates"}`;
        `train_and_test`: duplicates, or None;
        `warnings`: sentences.
        Duplicates are `{"images", "label_disagrees", "pairs": [[i, j], …]}`: how many repeat another, how many of
        those under another label than the first one, and the first ten as indices (train, then test, where between both).
    """
    train_hashes = _hashes(dataset.train)
    parts: dict[str, Any] = {"train": _part(dataset.train, train_hashes, dataset.classes), "test": None}
    between = None
    if dataset.test is not None:
        test_hashes = _hashes(dataset.test)
        parts["test"] = _part(dataset.test, test_hashes, dataset.classes)
        between = _between(dataset.train, dataset.test, train_hashes, test_hashes)
    result = {
        "name": dataset.name,
        "content": dataset.content,
        "image_shape": list(dataset.image_shape),
        "dtype": str(dataset.train.images.dtype),
        "classes": dataset.classes,
        "class_names": list(dataset.class_names),
        **parts,
        "train_and_test": between,
    }
    result["warnings"] = [*_reading(dataset), *_warnings(result)]
    return result


def _hashes(images: Images) -> Hashes:
    """`(n,)` 16-byte digests of the images, as a comparable type."""
    rows = np.ascontiguousarray(images.images).reshape(len(images), -1)
    digests = b"".join(hashlib.blake2b(row.data, digest_size=16).digest() for row in rows)
    return np.frombuffer(digests, "S1").view("V16")


def _part(images: Images, hashes: Hashes, classes: int) -> dict[str, Any]:
    flat = images.images.reshape(len(images), -1)
    # A histogram gives mean and deviation exactly, in integers, without a float copy of the images.
    histogram = np.bincount(flat.ravel(), minlength=256) if flat.size < 2**24 else _histogram(flat)
    values = np.arange(256)
    mean = float(histogram @ values) / flat.size
    variance = float(histogram @ values**2) / flat.size - mean**2
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    earliest = first[inverse.ravel()]
    repeats = np.flatnonzero(earliest != np.arange(len(images)))
    originals = earliest[repeats]
    return {
        "images": len(images),
        "counts": np.bincount(images.labels, minlength=classes).tolist(),
        "mean": mean,
        "std": max(variance, 0.0) ** 0.5,
        "constant": int(np.count_nonzero(_constant(images.images))),
        "duplicates": _duplicates(originals, repeats, images.labels, images.labels),
    }


def _histogram(flat: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Counts of 0..255, in chunks: bincount makes an int64 of every pixel."""
    step = max(1, 2**22 // flat.shape[1])
    counts = np.zeros(256, np.int64)
    for at in range(0, len(flat), step):
        counts += np.bincount(flat[at : at + step].ravel(), minlength=256)
    return counts


def _constant(images: ImageArray) -> Marked:
    flat = images.reshape(len(images), -1, images.shape[3])
    return (flat.min(axis=1) == flat.max(axis=1)).all(axis=1)


def _between(train: Images, test: Images, train_hashes: Hashes, test_hashes: Hashes) -> dict[str, Any]:
    known, first = np.unique(train_hashes, return_index=True)
    place = np.searchsorted(known, test_hashes).clip(max=len(known) - 1)
    repeats = np.flatnonzero(known[place] == test_hashes)
    return _duplicates(first[place[repeats]], repeats, train.labels, test.labels)


def _duplicates(
    originals: Positions, repeats: Positions, original_labels: NDArray[np.int64], repeat_labels: NDArray[np.int64]
) -> dict[str, Any]:
    return {
        "images": len(repeats),
        "label_disagrees": int(np.count_nonzero(original_labels[originals] != repeat_labels[repeats])),
        "pairs": [[int(i), int(j)] for i, j in zip(originals[:_PAIRS], repeats[:_PAIRS], strict=True)],
    }


def _warnings(found: dict[str, Any]) -> list[str]:
    train, test, between = found["train"], found["test"], found["train_and_test"]
    warnings = [*_taken_for_fashion(found)]
    for name, part in (("train", train), ("test", test)):
        if part is None:
            continue
        duplicates, counts = part["duplicates"], part["counts"]
        if duplicates["images"]:
            warnings.append(
                f"{duplicates['images']:,} of {part['images']:,} {name} images repeat an earlier one"
                + (f", {duplicates['label_disagrees']:,} under another label" if duplicates["label_disagrees"] else "")
            )
        empty = [found["class_names"][label] for label, count in enumerate(counts) if count == 0]
        if empty:
            warnings.append(f"no {name} image of {', '.join(empty[:10])}{' …' if len(empty) > 10 else ''}")
        used = [count for count in counts if count]
        if max(used) >= _IMBALANCE * min(used) and len(used) > 1:
            warnings.append(f"{name} classes are far from balanced: {min(used):,} to {max(used):,} images")
        if part["constant"]:
            warnings.append(f"{part['constant']:,} {name} images are of one colour, with nothing on them")
    if between is not None and between["images"]:
        warnings.append(
            f"{between['images']:,} of {test['images']:,} test images are in the training images too"
            + (f", {between['label_disagrees']:,} under another label" if between["label_disagrees"] else "")
        )
    return warnings


def _reading(dataset: Dataset) -> list[str]:
    """What was decided when the files were read, and might not be what their owner means."""
    said, left_out, full = [], dataset.left_out, dataset.form.full if dataset.form else None
    if left_out:
        few = "; ".join(f"{one.name} ({one.why})" for one in left_out[:_PAIRS])
        files = "1 file was" if len(left_out) == 1 else f"{len(left_out):,} files were"
        said.append(f'{files} left out, as on_error = "skip" says: {few}{" …" if len(left_out) > _PAIRS else ""}')
    if full is not None and full not in (1, 255, 65535):
        said.append(f"pictures of more than 8 bits hold numbers up to {full:g} only, which was taken for full light")
    return said


def _taken_for_fashion(found: dict[str, Any]) -> list[str]:
    """MNIST's digits under Fashion-MNIST's name: the files have the same names, and published results were mixed up."""
    names = {name.lower() for name in found["class_names"]}
    fashion = "fashion" in found["name"].lower() or len(names & {"pullover", "ankle boot", "sneaker", "trouser"}) >= 2
    if not fashion:
        return []
    counts, mean = found["train"]["counts"], found["train"]["mean"]
    if tuple(counts) == MNIST_TRAIN_COUNTS:
        return ["these are MNIST's digits, not Fashion-MNIST: the training images a class are MNIST's, 5,923, 6,742, …"]
    if found["image_shape"] == [28, 28, 1] and abs(mean - _MNIST_MEAN) < 3:
        return [
            f"these may be MNIST's digits, not Fashion-MNIST: the mean pixel is {mean:.1f}; "
            f"MNIST's is {_MNIST_MEAN}, Fashion-MNIST's {_FASHION_MEAN}"
        ]
    return []
