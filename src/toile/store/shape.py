"""What the files of a run have to look like, whoever wrote them: an archive may come from a stranger, and a run of before
manifests has no hashes to tell. Each function returns what it was given, or raises ValueError with what is wrong."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy

from toile.arrays import Probabilities
from toile.study.strict import is_array, is_table

# JSON and CSV of more bytes is not looked at when it is unpacked: parsed, it takes some twenty times the memory.
LONG = 2**24
_NUMBERS = {"parameters", "trainable_parameters", "epochs_run", "best_epoch", "images_per_second", "threads", "peak_memory_mb"}
_OBJECTS = {"images", "seconds", "versions", "machine", "details"}
_TEXTS = {"started", "finished", "commit"}


def trial(found: object) -> dict[str, Any]:
    """The canonical JSON of a trial, as far as reports read it without its class."""
    content = _object(found, "the trial")
    _object(content.get("architecture"), "architecture")
    if not isinstance(_object(content.get("dataset"), "dataset").get("content"), str):
        raise ValueError("its data set has no content")
    return content


def metrics(found: object) -> dict[str, dict[str, Any]]:
    """Split -> metric -> value, as `toile.evaluation.metrics.evaluate` gives them."""
    splits = _object(found, "metrics")
    for split, figures in splits.items():
        if not _is_number(_object(figures, split).get("accuracy")):
            raise ValueError(f"{split} has no accuracy")
        for name, value in _object(figures, split).items():
            if name == "confusion_matrix":
                confusion_matrix(value)
            elif name == "per_class":
                for row in _list(value, name):
                    numbers(row, name)
            elif not (value is None or _is_number(value)):
                raise ValueError(f"{split}.{name} is no number")
    return splits


def confusion_matrix(found: object) -> list[list[int]]:
    """A square of whole numbers."""
    rows = _list(found, "confusion_matrix")
    if not all(is_array(row) and len(row) == len(rows) and all(type(count) is int for count in row) for row in rows):
        raise ValueError("confusion_matrix is no square of whole numbers")
    return rows


def provenance(found: object) -> dict[str, Any]:
    """Facts, of which those that are counted with are numbers."""
    facts = _object(found, "provenance")
    for name, value in facts.items():
        if name in _NUMBERS and not (value is None or _is_number(value)):
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
    return found


def numbers(value: object, name: str) -> dict[str, Any]:
    """An object of numbers; some may be null."""
    found = _object(value, name)
    if not all(one is None or _is_number(one) for one in found.values()):
        raise ValueError(f"{name} has something that is no number")
    return found


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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
