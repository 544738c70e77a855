"""What every format must deliver: uint8 images, labels 0..classes - 1, as many of one as of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import ImageArray
from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.reading.labels import numbered
from toile.pictures.learned import form_of
from toile.pictures.ranges import BEYOND
from toile.study.data.dataset import MAX_PIXELS

_CHUNK = 4096  # images converted at a time, so that no second full-size float array comes to be
_CHANNELS = (1, 3)


def as_images(
    arrays: Sequence[NDArray[Any]], source: object, notes: list[str] | None = None, known: float | None = None
) -> list[ImageArray]:
    """Brings arrays of images to uint8.

    Integers must lie in 0..255. Floats lie in 0..1, and become `round(x * 255)`, or in 0..255, and are rounded; which of
    the two is decided once for all arrays of floats together, so that train and test are treated alike. Floats that are no
    whole numbers may lie outside by a tenth of the range, as resizing leaves them, and are cut.

    Args:
        arrays: each `(n, h, w)`, `(n, h, w, 1 or 3)`, `(n, 1 or 3, h, w)`, or `(n, h * h)` for flattened square images.
        source: the file, for messages.
        notes: what was decided that the owner of the images should know is added here, in sentences.
        known: full light of the floats of the data set that these images are like, 1 or 255; it is taken if it can be.

    Returns:
        For each array uint8 `(n, h, w, c)`.

    Raises:
        DataError: another shape or dtype, a value out of range, NaN.
    """
    shaped = [_shaped(array, source) for array in arrays]
    fractions = [array for array in shaped if array.dtype.kind == "f"]
    for array in shaped:
        if array.dtype.kind not in "biuf":
            raise DataError(f"{source}: pixels are {array.dtype}; expected uint8, or numbers in 0..1 or 0..255")
        if array.dtype.kind in "iu" and array.dtype != np.uint8:
            _within(int(array.min()), int(array.max()), source)
    factor = 255 / full_light(fractions, source, [] if notes is None else notes, known)
    return [_uint8(array, factor) for array in shaped]


def full_light(arrays: Sequence[NDArray[Any]], source: object, notes: list[str], known: float | None = None) -> float:
    """The number of floats that becomes 255: 1 or 255, for all arrays together; 255 where there are none.

    Args:
        source, notes, known: as `as_images` takes them.

    Raises:
        DataError: they lie in no range of pixels.
    """
    if not arrays:
        return 255.0
    least, most = min(float(array.min()) for array in arrays), max(float(array.max()) for array in arrays)
    if not (np.isfinite(least) and np.isfinite(most)):
        raise DataError(f"{source}: pixels hold NaN or infinity; expected numbers in 0..1 or 0..255")
    # Floats up to 1 are none of those up to 255, of which they would be black.
    strange = known is not None and known > 1 and least >= 0 and 0 < most <= 1 and not all(map(_is_whole, arrays))
    if known is not None and -BEYOND * known <= least and most <= (1 + BEYOND) * known and not strange:
        return known
    small = [float(array.max()) for array in arrays if 0 < array.max() <= 1 + BEYOND]
    if most > 1 + BEYOND and small and not all(_is_whole(array) for array in arrays if array.max() <= 1 + BEYOND):
        raise DataError(
            f"{source}: pixels have two ranges: those of one part go up to {max(small):.4g}, those of another to {most:.4g}; "
            "expected one for all parts, 0..1 or 0..255"
        )
    if least >= 0 and most <= 1:
        return 1.0
    # Below 0 only a tenth of what is there above: -1..1 is no overshoot of 0..255.
    for top in (1.0, 255.0) if least >= 0 or -least <= BEYOND * most else ():
        if -BEYOND * top <= least and most <= (1 + BEYOND) * top and (top > 1 or not all(map(_is_whole, arrays))):
            if least < 0 or most > top:
                said = f"pixels lie in {least:.4g}..{most:.4g}: taken for 0..{top:g}, and cut where they lie outside"
                notes.append(f"{said}, as resizing with cubic splines leaves them")
            return top
    _within(least, most, source)
    return 255.0


def _within(least: float, most: float, source: object) -> None:
    """Refuse what does not lie in 0..255, with the way out where it is known."""
    if least >= 0 and most <= 255:
        return
    way = ""
    if -1.5 <= least < 0 and most <= 1.5:
        way = "; they seem to be brought to -1..1: (x + 1) / 2 takes that back"
    elif least < 0 and most <= 127 and least >= -128:
        way = "; they seem to be signed or standardised: add what was subtracted, and multiply by what they were divided by"
    elif least >= 0 and most < 2**16:
        bits = next(bits for bits in (10, 12, 14, 16) if most < 2**bits)
        way = f"; they seem to have {bits} bits: x // {2 ** (bits - 8)} leaves the upper 8 of them"
    raise DataError(f"{source}: pixels lie in {least:g}..{most:g}; expected 0..1 or 0..255{way}")


def _is_whole(array: NDArray[Any]) -> bool:
    return all(
        bool((part == np.floor(part)).all()) for part in (array[at : at + _CHUNK] for at in range(0, len(array), _CHUNK))
    )


def _shaped(array: NDArray[Any], source: object) -> NDArray[Any]:
    shape = array.shape
    if array.ndim == 2:
        side = round(shape[1] ** 0.5)
        if side * side != shape[1]:
            raise DataError(
                f"{source}: flattened images of {shape[1]} pixels; expected a square number, such as 784, or images as (n, "
                "height, width) or (n, height, width, channels)"
            )
        array = array.reshape(-1, side, side, 1)
    elif array.ndim == 3:
        array = array[..., None]
    elif array.ndim == 4 and shape[3] not in _CHANNELS and shape[1] in _CHANNELS:  # channels first, as PyTorch has them
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in _CHANNELS:
        alpha = shape[-1:] in ((2,), (4,))
        way = "; the last channel of pictures with transparency is left out by x[..., :-1]" if alpha else ""
        if array.ndim == 4 and shape[2] in _CHANNELS:  # as MATLAB has them, and SVHN
            way = "; x.transpose(3, 0, 1, 2) brings images to the front that are numbered by the last axis"
        raise DataError(
            f"{source}: images of shape {shape}; expected (n, height, width), (n, height, width, 1 or 3), (n, 1 or 3, height, "
            f"width) or (n, pixels){way}"
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
        out[part] = np.clip(np.rint(array[part].astype(np.float64) * factor), 0, 255)
    return out


def as_ids(array: np.ndarray, source: object) -> np.ndarray:
    """Brings the ids of images to int64 `(n,)`, or leaves texts what they are.

    Args:
        array: `(n,)`, integers, floats that hold integers, or texts.
        source: the file, for messages.

    Raises:
        DataError: something else, or an id that is empty.
    """
    if array.dtype.kind == "U":
        if (empty := np.flatnonzero(array == "")).size:
            raise DataError(f"{source}: image {empty[0]} has no id")
        return array
    if array.dtype.kind not in "iuf":
        raise DataError(f"{source}: ids are {array.dtype}; expected integers or texts")
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
    first: int | None = None,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> Dataset:
    """Puts a data set together from arrays, and checks that they fit each other.

    Args:
        name: for display.
        source: the file or folder, for messages.
        train: images and labels, as `as_images` and `toile.data.reading.labels.numbered` take them.
        test: likewise, or None.
        class_names: one a class; None for the labels themselves.
        first: the lowest label, where the format says so; see `toile.data.reading.labels.numbered`.
        validation: as `test`.

    Raises:
        DataError: see `as_images` and `numbered`; mismatched counts, image sizes that differ between the parts.
    """
    given = {"train": train, "validation": validation, "test": test}
    splits = {name: pair for name, pair in given.items() if pair is not None}
    notes: list[str] = []
    images = as_images([pair[0] for pair in splits.values()], source, notes)
    found = numbered([pair[1] for pair in splits.values()], source, class_names, first)
    floats = [pair[0] for pair in splits.values() if pair[0].dtype.kind == "f"]
    fractions = full_light(floats, source, []) if floats else None
    parts: dict[str, Images] = {}
    for split, array, labels in zip(splits, images, found.labels, strict=True):
        if len(labels) != len(array):
            last = "; np.moveaxis(x, -1, 0) brings images to the front that are numbered by the last axis"
            raise DataError(
                f"{source}: {len(array):,} {split} images, {len(labels):,} labels; expected as many of one as of the other"
                f"{last if splits[split][0].shape[-1] == len(labels) else ''}"
            )
        if array.shape[1:] != images[0].shape[1:]:
            raise DataError(
                f"{source}: {split} images are {_size(array)}, train images are {_size(images[0])}; expected one size"
            )
        parts[split] = Images(array, labels)
    form = None if fractions is None else replace(form_of(parts["train"].images), fractions=fractions)
    return Dataset(
        _text(name), parts["train"], parts.get("test"), tuple(map(_text, found.class_names)), parts.get("validation"),
        form=form, first=found.first, notes=tuple(notes), numbers=found.numbers,
    )  # fmt: skip


def _text(name: str) -> str:
    r"""A name of a file or a folder may be bytes that are no text, which no file of ours could hold: they become `\udcff`."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _size(array: NDArray[Any]) -> str:
    return "x".join(str(length) for length in array.shape[1:])
