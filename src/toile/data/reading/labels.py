"""Labels as people write them, brought to 0..classes - 1: numbers from 0 or from 1, numbers with gaps, words, one-hot rows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels
from toile.data.errors import DataError
from toile.errors import nearest
from toile.text import composed, cut, listed

MAX_CLASSES = 10_000  # more is a mistaken column, not a classification
_LONG = 400  # digits: Python refuses to read numbers of ten times as many
_WHOLE = re.compile(r"(\d+)(\.0*)?", re.ASCII)
# What programs write where there is no value: the first are no names of classes, the others are none among numbers.
_NONE, _NONE_OF_NUMBERS = ("nan", "<na>"), ("none", "null", "na", "n/a")


@dataclass(frozen=True)
class Numbered:
    """Labels as numbers.

    Args:
        labels: those of each array, from 0.
        class_names: what they mean, in order.
        first: what the files have for the first class, where they have numbers; else 0.
        numbers: what they have for each class, where these are numbers with gaps and the classes have other names.
    """

    labels: list[Labels]
    class_names: tuple[str, ...]
    first: int
    numbers: tuple[int, ...] = ()


def numbered(
    arrays: Sequence[NDArray[Any]], source: object, class_names: tuple[str, ...] | None = None, first: int | None = None
) -> Numbered:
    """Brings the labels of all parts to numbers from 0, by one rule for all parts together.

    Numbers from 0 without gaps are taken as they are. Others, such as 1..26 or 0..24 without 9, are names: a class that no
    image has is none. Where `class_names` say more than there is, as many as they name are classes, counted from 0. Words are
    sorted, by number where all are numbers, or in the order of `class_names` where these hold them all. So are numbers where
    `class_names` are numbers.

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
    flat = [one.astype(str) if one.dtype.kind == "b" else one for one in flat]  # False and True are words
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
    there = list(map(str, present.tolist()))
    if class_names is not None and all(map(_is_decimal, class_names)) and set(there) <= set(class_names):
        place = np.array([class_names.index(name) for name in there], np.int64)
        return Numbered([place[np.searchsorted(present, one)] for one in numbers], class_names, int(class_names[0]))
    if class_names is not None and last < len(class_names):
        return Numbered(numbers, class_names, 0)
    if class_names is not None and len(class_names) != len(present):
        raise DataError(_unnamed(source, last, len(class_names), 0))
    names, begin = class_names if class_names is not None else tuple(there), int(present[0]) if len(present) else 0
    return Numbered([np.searchsorted(present, one) for one in numbers], names, begin, _gaps(present.tolist(), names))


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
        way = "" if array[at] != -1 else "; where -1 says that there is no label, leave such images out"
        raise DataError(f"{source}: label {array[at]:g} of image {at}; expected {least} or more{way}")
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
    written: list[str] = np.unique(np.concatenate(texts)).tolist()
    if len(written) > MAX_CLASSES:
        raise DataError(f"{source}: {len(written):,} different labels, {listed(written, 3)}; expected at most {MAX_CLASSES:,}")
    if none := _no_values(written):
        count = sum(int((one == none[0]).sum()) for one in texts)
        said = f"{source}: {'1 label is' if count == 1 else f'{count:,} labels are'} {none[0]!r}"
        raise DataError(f"{said}, which programs write where there is no value; expected the name of a class")
    called = _called(written)
    order = list(dict.fromkeys(called.values()))
    if all(map(_is_number, order)):
        order.sort(key=lambda name: (int(name) if _is_decimal(name) else float(name), name))
    numbers = list(map(int, order)) if all(map(_is_decimal, order)) else []
    names = tuple(order)
    if class_names is not None and set(order) <= set(map(composed, class_names)):
        order, names, numbers = list(map(composed, class_names)), class_names, []
    elif class_names is not None and numbers and len(class_names) > max(len(order), numbers[-1]):
        # As of labels that are no text: more names than there are numbers are counted from 0.
        order, names, numbers = list(map(str, range(len(class_names)))), class_names, []
        called = {text: str(int(name)) for text, name in called.items()}
    elif class_names is not None:
        if len(class_names) != len(order):
            odd = next(name for name in order if name not in class_names)
            hint = nearest(odd, class_names)
            raise DataError(f"{source}: label {cut(odd, 60)!r} is not among the {len(class_names)} class names{hint}")
        names = renamed(order, class_names, source)
    place = {name: label for label, name in enumerate(order)}
    labels = [np.array([place[called[name]] for name in one.tolist()], np.int64) for one in texts]
    return Numbered(labels, names, numbers[0] if numbers else 0, _gaps(numbers, names))


def _no_values(written: list[str]) -> list[str]:
    """Labels that say that there is none."""
    none = [text for text in written if text.lower() in _NONE + _NONE_OF_NUMBERS]
    numbers = [text for text in written if _is_number(text)]
    among_numbers = len(numbers) > 0 and len(numbers) + len(none) == len(written)
    return none if among_numbers else [text for text in none if text.lower() in _NONE]


def _called(written: list[str]) -> dict[str, str]:
    """What is written -> what the class is called: letters composed, and without a point what are whole numbers all of them,
    of which some program has made floats."""
    whole = [_WHOLE.fullmatch(text) for text in written]
    if all(whole) and any("." in text for text in written):
        return {match[0]: match[1].lstrip("0") or "0" for match in whole if match}
    return {text: composed(text) for text in written}


def in_order(own: Sequence[str], class_names: tuple[str, ...] | None, source: object, what: str) -> list[str]:
    """The names of classes that have names of their own, in the order of their labels: as `class_names` have them, where these
    hold them all; else as they are, and `class_names`, if there are some, are what they are called otherwise.

    Args:
        what: they are, for messages.

    Raises:
        DataError: another number of names; or a class would be called as another one is.
    """
    if class_names is None:
        return list(own)
    if set(own) <= set(map(composed, class_names)):
        return list(map(composed, class_names))
    if len(class_names) != len(own):
        raise DataError(f"{source}: {len(own)} {what}, {len(class_names)} class names; expected one each")
    renamed(own, class_names, source)
    return list(own)


def renamed(found: Sequence[str], class_names: tuple[str, ...], source: object) -> tuple[str, ...]:
    """Other names for as many classes, in the order of these.

    Raises:
        DataError: a class would be called as another one is, in the same capitals or others.
    """
    own, alike = set(map(composed, class_names)), {name.casefold() for name in found}
    for name, called in zip(found, class_names, strict=True):
        other = composed(called)
        if name != other and (other in found or name.casefold() != other.casefold() in alike):
            odd = next((one for one in found if one not in own), None)
            hint = "" if odd is None else f"; {cut(odd, 60)!r} is not among them{nearest(odd, class_names)}"
            raise DataError(
                f"{source}: class_names would call the class {cut(name, 60)!r} {cut(called, 60)!r}, as another one is called"
                f"{hint}. Other names go with {listed(found, 8)}, in this order"
            )
    return class_names


def _gaps(numbers: Sequence[int], names: Sequence[str]) -> tuple[int, ...]:
    """The numbers of the classes, where neither their names tell them nor the first of them does."""
    if not numbers or all(map(_is_decimal, names)) or list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))):
        return ()
    return tuple(numbers)


def _is_decimal(text: str) -> bool:
    return len(text) < _LONG and text.isascii() and text.isdecimal()


def _is_number(text: str) -> bool:
    try:
        return len(text) < _LONG and math.isfinite(float(text))
    except ValueError:
        return False


def _many(present: Labels) -> str:
    if len(present) > MAX_CLASSES:
        return f"{len(present):,} different labels, {present[0]} to {present[-1]}"
    return f"label {present[-1]}"


def _unnamed(source: object, last: int, names: int, first: int) -> str:
    return f"{source}: label {last}, but {names} class names; expected labels {first}..{names - 1 + first}"
