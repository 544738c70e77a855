"""What an audit finds suspicious, in sentences: to be told before an hour is spent on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from toile.data.dataset import PARTS, Dataset
from toile.text import counted, listed

MNIST_TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_MNIST_MEAN, _FASHION_MEAN = 33.3, 72.9  # of all training pixels, 0..255
_IMBALANCE = 10  # largest class over smallest, from which on a warning is due
_FEW = 3  # pairs and files that are named
_DARK = 64  # of 255: a largest number up to which nobody means it so
_EVEN = 3.0  # standard deviation of pixels, 0..255: images with less have hardly anything on them
_WORDS = {"train": "training", "validation": "validation", "test": "test"}


def warnings(found: dict[str, Any], dataset: Dataset, drawn: frozenset[str] = frozenset()) -> list[str]:
    """Sentences about what `toile.data.audits.audit.audit` found.

    Args:
        found: its result without these.
        drawn: the parts beside `train` that a split draws, and so could draw otherwise.
    """
    said = [
        *dataset.notes,
        *_reading(dataset),
        *_pixels(found, drawn),
        *_taken_for_fashion(found),
        *_phantoms(found),
        *_spelt(found),
    ]
    for name in PARTS:
        if found[name] is not None:
            said += _of_part(name, found)
    return [*said, *shared(found, drawn)]


def shared(found: dict[str, Any], drawn: frozenset[str]) -> list[str]:
    """Those of them that are about images which two parts have in common."""
    said = []
    for earlier, later in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if (between := found[f"{earlier}_and_{later}"]) is not None:
            said += _across(earlier, later, between, found[later]["images"], later in drawn)
    return said


def _pixels(found: dict[str, Any], drawn: frozenset[str]) -> Iterator[str]:
    largest, train = found["largest_value"], found["train"]
    if 0 < largest <= _DARK:
        yield (
            f"the largest value of all pixels is {largest} of 255, so the images are nearly black: were these 0..{largest}? "
            f"Multiply them by {255 / largest:.4g}, or give fractions 0..1"
        )
    elif train["std"] < _EVEN:
        yield f"the training images are nearly of one colour: their pixels lie within {train['std']:.2f} of {train['mean']:.0f}"
    there = {name: found[name]["largest_value"] for name in PARTS if found[name] is not None}
    lightest = next(name for name, value in there.items() if value == largest)
    for name, value in there.items():
        # One part was scaled, and not the others: what is learned in one light means nothing in another. Those that are drawn
        # come from one place.
        if name not in drawn and 0 < value <= _DARK < largest and value < largest // 2:
            yield (
                f"the largest value of the {_WORDS[name]} images is {value} of 255, and that of the {_WORDS[lightest]} images "
                f"{largest}: were these 0..{value}? Bring all parts to one range"
            )


def _phantoms(found: dict[str, Any]) -> Iterator[str]:
    """Classes that there is no image of at all: a model would have an answer that is never right."""
    counts = [found[name]["counts"] for name in PARTS if found[name] is not None]
    none = [found["class_names"][label] for label, each in enumerate(zip(*counts, strict=True)) if not any(each)]
    if none:
        yield (
            f"there is no image at all of {listed(none, 10)}, and still a model gets an answer for it; name only classes that "
            "there are, in `class_names`, or join them by `class_map`"
        )


def _spelt(found: dict[str, Any]) -> Iterator[str]:
    """Classes whose names differ in capitals, spaces and dashes only, or in the zeros of numbers: one, written in two ways."""
    ways: dict[str, list[str]] = {}
    for name in found["class_names"]:
        number = re.fullmatch(r"[+-]?[\d.]+", name.strip())  # -1 and 1 are two, 01 and 1 are not
        way = re.sub(r"^([+-]?)0+(?=\d)", r"\1", number[0]) if number else re.sub(r"[\s_-]+", " ", name).strip().casefold()
        ways.setdefault(way, []).append(name)
    if same := [" and ".join(map(repr, names)) for names in ways.values() if len(names) > 1]:
        yield f"{listed(same, 5)} are classes of their own; if they are one, join them by `class_map`"


def _of_part(name: str, found: dict[str, Any]) -> Iterator[str]:
    part = found[name]
    duplicates, counts = part["duplicates"], part["counts"]
    if duplicates["images"]:
        said = f"{duplicates['images']:,} of {part['images']:,} {name} images repeat an earlier one"
        yield said + _under_another(duplicates) + _named(duplicates, " = ")
    near = part["near_duplicates"]
    if near is not None and near["label_disagrees"]:
        said = f"{near['label_disagrees']:,} {name} images are near-duplicates of an earlier one that has another label"
        yield said + _named(near, " ~ ")
    anywhere = [any(each) for each in zip(*(found[one]["counts"] for one in PARTS if found[one] is not None), strict=True)]
    empty = [found["class_names"][label] for label, count in enumerate(counts) if count == 0 and anywhere[label]]
    if empty:
        yield f"no {name} image of {listed(empty, 10)}"
    used = [count for count in counts if count]
    if len(used) > 1 and max(used) >= _IMBALANCE * min(used):
        yield f"{name} classes are far from balanced: {min(used):,} to {max(used):,} images"
    if part["constant"]:
        yield f"{part['constant']:,} {name} images are of one colour, with nothing on them"


def _across(earlier: str, later: str, between: dict[str, Any], images: int, drawn: bool) -> Iterator[str]:
    way = '; `groups = "near-duplicates"` in the study\'s split keeps such images in one part' if drawn else ""
    if between["images"]:
        said = f"{between['images']:,} of {images:,} {later} images are in the {_WORDS[earlier]} images too"
        yield said + _under_another(between) + _named(between, " = ") + way
    near = between["near_duplicates"]
    if near is not None and near["images"]:
        said = f"{near['images']:,} of {images:,} {later} images are near-duplicates of {_WORDS[earlier]} images"
        yield said + _under_another(near) + _named(near, " ~ ") + way


def _under_another(duplicates: dict[str, Any]) -> str:
    return f", {duplicates['label_disagrees']:,} under another label" if duplicates["label_disagrees"] else ""


def _named(duplicates: dict[str, Any], like: str) -> str:
    """The first pairs by the names of their files."""
    names = duplicates.get("names", [])
    if not names:
        return ""
    more = "; …" if duplicates["images"] > _FEW else ""
    return f" ({'; '.join(like.join(pair) for pair in names[:_FEW])}{more})"


def _reading(dataset: Dataset) -> Iterator[str]:
    """What was decided when the files were read, and might not be what their owner means."""
    left_out, form = dataset.left_out, dataset.form
    full, fractions = (form.full, form.fractions) if form else (None, None)
    if left_out:
        few = "; ".join(f"{one.name} ({one.why})" for one in left_out[:10])
        files = counted(len(left_out), "file was", "files were")
        yield f'{files} left out, as on_error = "skip" says: {few}{" …" if len(left_out) > 10 else ""}'
    for light in (full, fractions):
        if light is not None and light not in (1, 255, 65535):
            yield f"pictures of more than 8 bits hold numbers up to {light:g} only, which was taken for full light"


def _taken_for_fashion(found: dict[str, Any]) -> Iterator[str]:
    """MNIST's digits under Fashion-MNIST's name: the files have the same names, and published results were mixed up."""
    names = {name.lower() for name in found["class_names"]}
    fashion = "fashion" in found["name"].lower() or len(names & {"pullover", "ankle boot", "sneaker", "trouser"}) >= 2
    if not fashion:
        return
    counts, mean = found["train"]["counts"], found["train"]["mean"]
    if tuple(counts) == MNIST_TRAIN_COUNTS:
        yield "these are MNIST's digits, not Fashion-MNIST: the training images a class are MNIST's, 5,923, 6,742, …"
    elif found["image_shape"] == [28, 28, 1] and abs(mean - _MNIST_MEAN) < 3:
        yield (
            f"these may be MNIST's digits, not Fashion-MNIST: the mean pixel is {mean:.1f}; "
            f"MNIST's is {_MNIST_MEAN}, Fashion-MNIST's {_FASHION_MEAN}"
        )
