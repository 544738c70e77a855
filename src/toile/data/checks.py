"""What every format must deliver: uint8 images, labels 0..classes - 1, as many of one as of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import ImageArray, Labels
from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.study.dataset import MAX_PIXELS

MAX_CLASSES = 10_000  # more is a mistaken column, not a classification
_CHUNK = 4096  # images converted at a time, so that no second full-size float array comes to be


def as_images(arrays: Sequence[NDArray[Any]], source: object) -> list[ImageArray]:
    """Brings arrays of images to uint8.

    Integers must lie in 0..255. Floats lie in 0..1, and become `round(x * 255)`, or in 0..255, and are rounded; which of
    the two is decided once for all `arrays` together, so that train and test are treated alike.

    Args:
        arrays: each `(n, h, w)`, `(n, h, w, 1 or 3)`, or `(n, h * h)` for flattened square images.
        source: the file, for messages.

    Returns:
        For each array uint8 `(n, h, w, c)`.

    Raises:
        DataError: another shape or dtype, a value out of range, NaN.
    """
    shaped = [_shaped(array, source) for array in arrays]
    high = 0.0
    for array in shaped:
        if array.dtype == np.uint8 or array.dtype == np.bool_:
            continue
        if array.dtype.kind not in "iuf":
            raise DataError(f"{source}: pixels are {array.dtype}; expected uint8, or numbers in 0..1 or 0..255")
        least, most = float(array.min()), float(array.max())
        if not (np.isfinite(least) and np.isfinite(most)):
            raise DataError(f"{source}: pixels hold NaN or infinity; expected numbers in 0..1 or 0..255")
        if least < 0 or most > 255:
            raise DataError(f"{source}: pixels lie in {least:g}..{most:g}; expected 0..1 or 0..255")
        high = max(high, most)
    factor = 255.0 if high <= 1 else 1.0
    return [_uint8(array, factor) for array in shaped]


def _shaped(array: NDArray[Any], source: object) -> NDArray[Any]:
    shape = array.shape
    if array.ndim == 2:
        side = round(shape[1] ** 0.5)
        if side * side != shape[1]:
            raise DataError(f"{source}: flattened images of {shape[1]} pixels; expected a square number, such as 784")
        array = array.reshape(-1, side, side, 1)
    elif array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3):
        raise DataError(
            f"{source}: images of shape {shape}; expected (n, height, width), (n, height, width, 1 or 3) or (n, pixels)"
        )
    if array.shape[0] == 0 or array[0].size == 0:
        raise DataError(f"{source}: images of shape {shape}; expected at least one image with at least one pixel")
    if array.shape[1] * array.shape[2] > MAX_PIXELS:
        raise DataError(f"{source}: images of {array.shape[1]}x{array.shape[2]}; expected at most {MAX_PIXELS:,} pixels")
    return array


def _uint8(array: NDArray[Any], factor: float) -> ImageArray:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind in "iu":  # integers are what they are: a picture with pixels 0 and 1 only is nearly black
        return array.astype(np.uint8)
    out = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = np.rint(array[part].astype(np.float64) * factor)
    return out


def as_labels(array: NDArray[Any], source: object, first: int = 0) -> Labels:
    """Brings labels to int64 `(n,)`, counted from 0.

    Args:
        array: `(n,)` or `(n, 1)`, integers or floats that hold integers, `first` or more.
        source: the file, for messages.
        first: the lowest label of the format, which becomes 0.

    Raises:
        DataError: another shape, no integers, NaN, a label below `first`, absurdly many classes.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{source}: labels of shape {array.shape}; expected (n,): one integer an image")
    if array.dtype.kind == "f":
        wrong = ~np.isfinite(array) | (array != np.floor(array))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise DataError(f"{source}: label {array[at]:g} of image {at}; expected an integer")
    elif array.dtype.kind not in "iu":
        raise DataError(f"{source}: labels are {array.dtype}; expected integers")
    if len(array):
        least, most = array.min(), array.max()
        if least < first:
            at = int(np.argmin(array))
            raise DataError(f"{source}: label {least:g} of image {at}; expected {first} or more")
        if most >= MAX_CLASSES + first:
            at = int(np.argmax(array))
            raise DataError(f"{source}: label {most:g} of image {at}; expected less than {MAX_CLASSES:,}")
    return array.astype(np.int64) - first


def as_ids(array: np.ndarray, source: object) -> np.ndarray:
    """Brings the ids of images to int64 `(n,)`.

    Args:
        array: `(n,)`, integers or floats that hold integers.
        source: the file, for messages.

    Raises:
        DataError: something else.
    """
    if array.dtype.kind not in "iuf":
        raise DataError(f"{source}: ids are {array.dtype}; expected integers")
    fits = (array >= -(2**63)) & (array < 2**63)
    whole = fits & (array == np.floor(array))
    if not whole.all():
        at = int(np.argmin(whole))
        raise DataError(f"{source}: id {array[at]:g} of image {at}; expected an integer")
    return array.astype(np.int64)


def as_dataset(
    name: str,
    source: object,
    train: tuple[NDArray[Any], NDArray[Any]],
    test: tuple[NDArray[Any], NDArray[Any]] | None,
    class_names: tuple[str, ...] | None,
    first: int = 0,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> Dataset:
    """Puts a data set together from arrays, and checks that they fit each other.

    Args:
        name: for display.
        source: the file or folder, for messages.
        train: images and labels, as `as_images` and `as_labels` take them.
        test: likewise, or None.
        class_names: one a class; None for the labels themselves.
        first: the lowest label in the arrays.
        validation: as `test`.

    Raises:
        DataError: see `as_images` and `as_labels`; mismatched counts, image sizes that differ between the parts, labels beyond
            `class_names`.
    """
    given = {"train": train, "validation": validation, "test": test}
    splits = {name: pair for name, pair in given.items() if pair is not None}
    images = as_images([pair[0] for pair in splits.values()], source)
    parts: dict[str, Images] = {}
    for (split, pair), array in zip(splits.items(), images, strict=True):
        labels = as_labels(pair[1], source, first)
        if len(labels) != len(array):
            raise DataError(
                f"{source}: {len(array):,} {split} images, {len(labels):,} labels; expected as many of one as of the other"
            )
        if array.shape[1:] != images[0].shape[1:]:
            raise DataError(
                f"{source}: {split} images are {_size(array)}, train images are {_size(images[0])}; expected one size"
            )
        parts[split] = Images(array, labels)
    classes = max(int(part.labels.max()) for part in parts.values()) + 1
    if class_names is None:
        class_names = tuple(str(label + first) for label in range(classes))
    elif classes > len(class_names):
        raise DataError(
            f"{source}: label {classes - 1 + first}, but {len(class_names)} class names; "
            f"expected labels {first}..{len(class_names) - 1 + first}"
        )
    names = tuple(map(_text, class_names))
    return Dataset(_text(name), parts["train"], parts.get("test"), names, parts.get("validation"), first=first)


def _text(name: str) -> str:
    r"""A name of a file or a folder may be bytes that are no text, which no file of ours could hold: they become `\udcff`."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _size(array: NDArray[Any]) -> str:
    return "x".join(str(length) for length in array.shape[1:])
