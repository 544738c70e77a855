"""What the files of a run have to look like, whoever wrote them: an archive may come from a stranger, and a run of before
manifests has no hashes to tell. Each function returns what it was given, or raises ValueError with what is wrong."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np
from numpy.lib import format as npy

from toile.arrays import RANGE_TOLERANCE, SUM_TOLERANCE, Probabilities
from toile.study.fields.strict import is_array, is_table

# JSON and CSV of more bytes is not looked at when it is unpacked: parsed, it takes some twenty times the memory.
LONG = 2**24
# No figure of a run is as large, of any model on any machine; beyond it sums and axes have no numbers any more.
MOST = 10**15
# What trials and provenance are nested to at most; a study file may be as deep.
DEEP = 20
_COUNTS = {"parameters", "trainable_parameters", "epochs_run", "best_epoch", "threads"}
_MEASURED = {"images_per_second", "peak_memory_mb"}
_OF_A_CLASS = {"precision", "recall", "f1", "support"}
_OBJECTS = {"images", "seconds", "versions", "machine", "details"}
_TEXTS = {"started", "finished", "commit"}


def trial(found: object) -> dict[str, Any]:
    """The canonical JSON of a trial, as far as reports read it without its class."""
    content = _object(found, "the trial")
    _object(content.get("architecture"), "architecture")
    if not isinstance(_object(content.get("dataset"), "dataset").get("content"), str):
        raise ValueError("its data set has no content")
    _shallow(content, "the trial")
    return content


def metrics(found: object) -> dict[str, dict[str, Any]]:
    """Split -> metric -> value, as `toile.evaluation.metrics.evaluate` gives them."""
    splits = _object(found, "metrics")
    for split, figures in splits.items():
        accuracy = _object(figures, split).get("accuracy")
        if not (_is_number(accuracy) and 0 <= accuracy <= 1):
            raise ValueError(f"{split} has no accuracy from 0 to 1")
        for name, value in _object(figures, split).items():
            if name == "confusion_matrix":
                confusion_matrix(value)
            elif name == "images":
                if not (_is_count(value) and value):
                    raise ValueError(f"{split}.images is no number of images")
            elif name == "per_class":
                for row in _list(value, name):
                    if not numbers(row, name).keys() >= _OF_A_CLASS:
                        raise ValueError(f"{name} has no {', '.join(sorted(_OF_A_CLASS))}")
            elif not (value is None or _is_number(value)):
                raise ValueError(f"{split}.{name} is no number")
    return splits


def confusion_matrix(found: object) -> list[list[int]]:
    """A square of numbers of images."""
    rows = _list(found, "confusion_matrix")
    if not all(is_array(row) and len(row) == len(rows) and all(map(_is_count, row)) for row in rows):
        raise ValueError("confusion_matrix is no square of whole numbers")
    return rows


def provenance(found: object) -> dict[str, Any]:
    """Facts, of which those that are counted with are numbers."""
    facts = _object(found, "provenance")
    _shallow(facts, "provenance")
    for name, value in facts.items():
        if name in _COUNTS and not (value is None or _is_count(value)):
            raise ValueError(f"{name} is no whole number")
        if name in _MEASURED and not (value is None or (_is_number(value) and value >= 0)):
            raise ValueError(f"{name} is no number")
        if name in _OBJECTS and value is not None:
            _object(value, name)
        if name in _TEXTS and not (value is None or isinstance(value, str)):
            raise ValueError(f"{name} is no text")
    numbers(facts.get("seconds") or {}, "seconds")
    _list(facts.get("sessions", []), "sessions")
    return facts


def history(content: bytes) -> list[dict[str, float]]:
    """One dictionary an epoch, of a CSV with a header; `epoch` among them."""
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))
        found = [{key: float(value) for key, value in row.items()} for row in rows]
    except (TypeError, csv.Error) as error:  # of a row that is longer or shorter than the header
        raise ValueError(f"it is no table: {error}") from None
    if not found or "epoch" not in found[0]:
        raise ValueError("it has no epoch")
    for row in found:
        # A training that diverges has figures that are no numbers.
        epoch = row["epoch"]
        if not (epoch.is_integer() and 1 <= epoch <= MOST) or any(
            abs(value) > MOST for value in row.values() if math.isfinite(value)
        ):
            raise ValueError("it has an epoch that is none, or a figure beyond all measure")
    return found


def probabilities(content: bytes) -> dict[str, Probabilities]:
    """Split -> `(images, classes)` float32, all finite, of an uncompressed `.npz`.

    It is read within its own size: a member that claims to be larger than the file, as one that is packed a thousandfold, is
    refused before anything is made for it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as stored:
            if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in stored.infolist()):
                raise ValueError("it is packed, which nothing that toile writes is")
            return {entry.filename.removesuffix(".npy"): _array(stored.read(entry)) for entry in stored.infolist()}
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, OverflowError) as error:
        raise ValueError(f"it is no .npz: {error}") from None


def _array(content: bytes) -> Probabilities:
    file = io.BytesIO(content)
    try:
        npy.read_magic(file)
        shape, turned, dtype = npy.read_array_header_1_0(file)
    except Exception as error:  # the header is a Python literal, which fails in as many ways as a parser can
        raise ValueError(f"it has an array without a header: {type(error).__name__}") from None
    if len(shape) != 2 or dtype != np.float32 or math.prod(shape) * 4 != len(content) - file.tell():
        raise ValueError(f"probabilities are (images, classes) of float32, got {shape} of {dtype}")
    found = np.frombuffer(bytearray(content), np.float32, offset=file.tell()).reshape(shape, order="F" if turned else "C")
    if not np.isfinite(found).all():
        raise ValueError("a probability is no number")
    sums = found.sum(axis=1, dtype=np.float64)
    if len(found) and (
        found.min() < -RANGE_TOLERANCE or found.max() > 1 + RANGE_TOLERANCE or np.abs(sums - 1).max() > SUM_TOLERANCE
    ):
        raise ValueError("probabilities are numbers from 0 to 1, and those of an image sum to 1")
    return found


def together(
    trial: Mapping[str, Any], figures: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], *, whole: bool = False
) -> None:
    """That a run's files speak of the same images and classes.

    Args:
        trial: its canonical JSON.
        figures: its metrics.
        shapes: of its probabilities, by split.
        whole: whether nothing may be missing of what `toile.evaluation.metrics.evaluate` gives.

    Raises:
        ValueError: they do not.
    """
    classes = trial["dataset"].get("classes")
    for split, shape in shapes.items():
        images = figures.get(split, {}).get("images")
        if classes not in (None, shape[1]) or images not in (None, shape[0]):
            raise ValueError(f"{split} has the shape {shape}, which is not this run's")
    # The figures on the training images have no probabilities beside them.
    for split in sorted(figures.keys() & {"validation", "test"}):
        if split not in shapes:
            raise ValueError(f"it has no {split}, of which there are metrics")
        if whole and not figures[split].keys() >= {"images", "confusion_matrix", "per_class"}:
            raise ValueError(f"there are no metrics of the classes of {split}")
        for name in ("confusion_matrix", "per_class"):
            if len(figures[split].get(name, range(shapes[split][1]))) != shapes[split][1]:
                raise ValueError(f"the {name} of {split} is of other classes")


def numbers(value: object, name: str) -> dict[str, Any]:
    """An object of numbers; some may be null."""
    found = _object(value, name)
    if not all(one is None or _is_number(one) for one in found.values()):
        raise ValueError(f"{name} has something that is no number")
    return found


def _shallow(value: object, name: str, left: int = DEEP) -> None:
    """That lists and objects are not nested deeper than any of ours."""
    if is_table(value) or is_array(value):
        if not left:
            raise ValueError(f"{name} is nested too deep")
        for one in value.values() if is_table(value) else value:
            _shallow(one, name, left - 1)


def list_of_numbers(value: object, name: str) -> list[float]:
    """A list of numbers."""
    found = _list(value, name)
    if not all(map(_is_number, found)):
        raise ValueError(f"{name} has something that is no number")
    return found


def _object(value: object, name: str) -> dict[str, Any]:
    if not is_table(value):
        raise ValueError(f"{name} is no JSON object")
    return value


def _list(value: object, name: str) -> list[Any]:
    if not is_array(value):
        raise ValueError(f"{name} is no list")
    return value


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST <= value <= MOST


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MOST
