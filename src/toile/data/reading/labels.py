"""Labels as people write them, brought to 0..classes - 1: numbers from 0 or from 1, numbers with gaps, words, one-hot rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels
from toile.data.errors import DataError
from toile.errors import nearest
from toile.text import cut, listed

MAX_CLASSES = 10_000  # more is a mistaken column, not a classification


@dataclass(frozen=True)
class Numbered:
    """Labels as numbers.

    Args:
        labels: those of each array, from 0.
        class_names: what they mean, in order.
        first: what the files have for the first class, where they have numbers; else 0.
    """

    labels: list[Labels]
    class_names: tuple[str, ...]
    first: int


def numbered(
    arrays: Sequence[NDArray[Any]], source: object, class_names: tuple[str, ...] | None = None, first: int | None = None
) -> Numbered:
    """Brings the labels of all parts to numbers from 0, by one rule for all parts together.

    Numbers from 0 without gaps are taken as they are. Others, such as 1..26 or 0..24 without 9, are names: a class that no
    image has is none. Where `class_names` say more than there is, as many as they name are classes, counted from 0. Words are
    sorted, by number where all are numbers, or in the order of `class_names` where these hold them all.

    Args:
        arrays: `(n,)` or `(n, 1)`, integers, floats that hold integers, or text; or `(n, classes)`, one-hot.
        source: the file, for messages.
        class_names: one a class; None for the labels themselves.
        first: the lowest label, where the format says so; then all from there to the highest are classes.

    Raises:
        DataError: another shape, fractions, NaN, a label below `first` or below 0, absurdly many classes, labels that do
            not fit `class_names`.
    """
    flat = [_flat(array, source) for array in arrays]
    width = max((array.shape[1] for array in arrays if _is_rows(array)), default=0)
    words = [one.dtype.kind in "US" for one in flat]
    if any(words) and not all(words):
        raise DataError(f"{source}: the labels of one part are text, those of another are numbers; expected one kind")
    if words and all(words):
        return _words(flat, source, class_names)
    numbers = [_whole(one, source, first or 0) for one in flat]
    present = np.unique(np.concatenate(numbers)) if numbers else np.empty(0, np.int64)
    if len(present) > MAX_CLASSES or (first is not None and len(present) and present[-1] >= MAX_CLASSES + first):
        raise DataError(f"{source}: {_many(present)}; expected at most {MAX_CLASSES:,} classes: is this the column of labels?")
    last = int(present[-1]) if len(present) else 0
    if first is not None or width:
        begin = first or 0
        count = max(last - begin + 1, width)
        names = class_names if class_names is not None else tuple(str(begin + label) for label in range(count))
        if count > len(names):
            raise DataError(_unnamed(source, last, len(names), begin))
        return Numbered([one - begin for one in numbers], names, begin)
    if class_names is not None and last < len(class_names):
        return Numbered(numbers, class_names, 0)
    if class_names is not None and len(class_names) != len(present):
        raise DataError(_unnamed(source, last, len(class_names), 0))
    names = class_names if class_names is not None else tuple(map(str, present.tolist()))
    return Numbered([np.searchsorted(present, one) for one in numbers], names, int(present[0]) if len(present) else 0)


def _is_rows(array: NDArray[Any]) -> bool:
    return array.ndim == 2 and array.shape[1] > 1


def _flat(array: NDArray[Any], source: object) -> NDArray[Any]:
    """`(n,)` of `(n,)`, `(n, 1)` or one-hot rows."""
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if not _is_rows(array):
        if array.ndim != 1:
            raise DataError(f"{source}: labels of shape {array.shape}; expected (n,): one an image, or (n, classes): one-hot")
        return array
    if array.shape[1] > MAX_CLASSES:
        raise DataError(f"{source}: labels of shape {array.shape}; expected at most {MAX_CLASSES:,} classes")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{source}: labels of shape {array.shape} of {array.dtype}; expected numbers, one-hot")
    one = ((array == 0) | (array == 1)).all(axis=1) & (array.sum(axis=1) == 1)
    if not one.all():
        at = int(np.argmin(one))
        said = "several are 1, and an image has one class here" if (array[at] == 1).sum() > 1 else "not one 1 and else 0"
        raise DataError(
            f"{source}: labels of shape {array.shape}: row {at} is {listed(array[at].tolist(), 6)} ({said}); expected (n,): "
            "one integer an image, or (n, classes): one-hot"
        )
    return array.argmax(axis=1)


def _whole(array: NDArray[Any], source: object, least: int) -> Labels:
    if array.dtype.kind == "f":
        wrong = ~np.isfinite(array) | (array != np.floor(array)) | (np.abs(array) >= 2.0**53)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise DataError(f"{source}: label {array[at]:g} of image {at}; expected an integer, or text")
    elif array.dtype.kind not in "biu":
        raise DataError(f"{source}: labels are {array.dtype}; expected integers, text or one-hot rows")
    if len(array) and array.min() < least:
        at = int(np.argmin(array))
        raise DataError(f"{source}: label {array[at]:g} of image {at}; expected {least} or more")
    if len(array) and array.max() >= 2**63:
        at = int(np.argmax(array))
        raise DataError(f"{source}: label {array[at]:g} of image {at}; expected less than {2**63:,}")
    return array.astype(np.int64)


def _words(arrays: list[NDArray[Any]], source: object, class_names: tuple[str, ...] | None) -> Numbered:
    texts = [
        np.char.strip(np.char.decode(array, "utf-8", "backslashreplace") if array.dtype.kind == "S" else array)
        for array in arrays
    ]
    for one in texts:
        if len(empty := np.flatnonzero(one == "")):
            raise DataError(f"{source}: the label of image {empty[0]} is empty; expected the name of its class")
    found: list[str] = np.unique(np.concatenate(texts)).tolist()
    if len(found) > MAX_CLASSES:
        raise DataError(f"{source}: {len(found):,} different labels, {listed(found, 3)}; expected at most {MAX_CLASSES:,}")
    numbers = all(name.isascii() and name.isdecimal() for name in found)
    order = sorted(found, key=lambda name: (int(name), name)) if numbers else found
    names = tuple(order)
    if class_names is not None and set(found) <= set(class_names):
        order, names = list(class_names), class_names
    elif class_names is not None:
        if len(class_names) != len(found):
            odd = next(name for name in found if name not in class_names)
            hint = nearest(odd, class_names)
            raise DataError(f"{source}: label {cut(odd, 60)!r} is not among the {len(class_names)} class names{hint}")
        names = class_names
    place = {name: label for label, name in enumerate(order)}
    first = int(order[0]) if numbers and order is not class_names else 0
    return Numbered([np.array([place[name] for name in one.tolist()], np.int64) for one in texts], names, first)


def _many(present: Labels) -> str:
    if len(present) > MAX_CLASSES:
        return f"{len(present):,} different labels, {present[0]} to {present[-1]}"
    return f"label {present[-1]}"


def _unnamed(source: object, last: int, names: int, first: int) -> str:
    return f"{source}: label {last}, but {names} class names; expected labels {first}..{names - 1 + first}"
