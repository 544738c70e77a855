"""Probabilities with the labels they answer to and the split they come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from toile.arrays import RANGE_TOLERANCE, SUM_TOLERANCE, Decisions, Labels, Probabilities
from toile.errors import Misuse, ToileError, nearest

Split = Literal["train", "validation", "test", "out-of-fold"]


class NotProbabilities(ToileError, ValueError):
    """Arrays that are no probabilities with their labels."""


class TestSetUsed(Misuse):
    """Something was to be chosen or fitted on the test set, which picks nothing."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model, or a committee, said about the images of one split.

    Args:
        split: where the images come from; decides what may be fitted on them, see `fittable`.
        probabilities: `(images, classes)`, rows sum to 1; kept as float32, read-only.
        labels: `(images,)` whole numbers, 0..classes - 1; kept as int64, read-only.

    Raises:
        Misuse: an unknown split.
        NotProbabilities: wrong shape or type, not finite, outside 0..1, rows that do not sum to 1, labels out of range.
    """

    split: Split
    probabilities: Probabilities
    labels: Labels

    def __post_init__(self) -> None:
        if self.split not in get_args(Split):
            allowed = ", ".join(get_args(Split))
            raise Misuse(f"unknown split {self.split!r}{nearest(str(self.split), get_args(Split))}; allowed: {allowed}")
        probabilities, labels = checked(self.probabilities, self.labels)
        # Views: closing the caller's own arrays for writing would be a side effect.
        for name, array in (("probabilities", probabilities.view()), ("labels", labels.view())):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        return self.probabilities.shape[1]

    @cached_property
    def predicted(self) -> Decisions:
        """`(images,)` int64: the most probable class, the lowest of equally probable ones."""
        return self.probabilities.argmax(axis=1)


def checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Probabilities, Labels]:
    """`probabilities` as float32 `(images, classes)` and `labels` as int64 `(images,)`, if that is what they are.

    Raises:
        NotProbabilities: naming the first thing that is wrong, and where.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or probabilities.dtype.kind != "f":
        raise NotProbabilities(
            f"probabilities are {probabilities.dtype} {probabilities.shape}; expected floats of shape (images, classes)"
        )
    images, classes = probabilities.shape
    if images < 1 or classes < 2:
        raise NotProbabilities(f"probabilities have shape {probabilities.shape}; expected an image and two classes at least")
    if labels.shape != (images,) or labels.dtype.kind not in "iu":
        raise NotProbabilities(f"labels are {labels.dtype} {labels.shape}; expected whole numbers of shape ({images},)")
    if not np.isfinite(probabilities).all():
        row = int(np.flatnonzero(~np.isfinite(probabilities).all(axis=1))[0])
        raise NotProbabilities(f"probabilities of image {row} are not finite: {probabilities[row].tolist()}")
    low, high = float(probabilities.min()), float(probabilities.max())
    if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
        raise NotProbabilities(f"probabilities run from {low:g} to {high:g}; allowed is 0..1 (are these logits?)")
    error = np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1)
    if error.max() > SUM_TOLERANCE:
        row = int(error.argmax())
        total = probabilities[row].sum(dtype=np.float64)
        raise NotProbabilities(f"probabilities of image {row} sum to {total:g}; every row has to sum to 1")
    if labels.min() < 0 or labels.max() >= classes:
        raise NotProbabilities(f"labels run from {labels.min()} to {labels.max()}; allowed is 0..{classes - 1}")
    return probabilities.astype(np.float32, copy=False), labels.astype(np.int64, copy=False)


def fittable(predictions: Predictions, purpose: str) -> None:
    """Pass where something may be chosen or fitted on `predictions`: on `validation` and `out-of-fold` ones.

    Args:
        purpose: what they are wanted for, in words that follow "cannot": `"fit committee weights"`.

    Raises:
        TestSetUsed: these are of the test set. What it picks, it can no longer judge.
        Misuse: these are of the training set, whose labels the model has learnt.
    """
    if predictions.split == "test":
        raise TestSetUsed(f"cannot {purpose} on the test set: the test set picks nothing; use validation or out-of-fold")
    if predictions.split == "train":
        raise Misuse(f"cannot {purpose} on the training set: the models have learnt its labels; use validation or out-of-fold")
