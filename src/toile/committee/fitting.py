"""What all fits of a committee have in common: on what they are allowed, and that the order of the members means nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import wraps

import numpy as np

from toile.committee.rules import Fitted, aligned
from toile.evaluation.predictions import Predictions, fittable

# Of a fit: `(members, images, classes)` float32 and `(images,)` int64, to an array with one entry a member along its first
# axis, and one that all members share, or None.
Fit = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray | None]]


def on_unseen(purpose: str) -> Callable[[Fit], Callable[[Sequence[Predictions]], Fitted]]:
    """Turn a fit over arrays into one over predictions, which knows what they are of.

    Members are brought into the order of the hashes of their probabilities first: sums of floating-point numbers depend on
    their order, and a fit must not. Members that say the same are one member there, and share what it gets.

    Args:
        purpose: what is fitted, in words that follow "cannot": `"fit committee weights"`.
    """

    def decorate(fit: Fit) -> Callable[[Sequence[Predictions]], Fitted]:
        @wraps(fit)
        def fitted(members: Sequence[Predictions]) -> Fitted:
            for member in members:
                fittable(member, purpose)
            probabilities = aligned(members)
            keys = [hashlib.sha256(np.ascontiguousarray(one).tobytes()).digest() for one in probabilities]
            different = sorted(set(keys))
            first = [keys.index(key) for key in different]
            of_each, shared = fit(probabilities[first], members[0].labels)
            share = np.array([keys.count(key) for key in different]).reshape(-1, *[1] * (of_each.ndim - 1))
            of_members = (of_each / share)[[different.index(key) for key in keys]]
            if shared is None:
                return tuple(of_members.tolist())
            rows = [*of_members.reshape(-1, of_members.shape[-1]).tolist(), shared.tolist()]
            return tuple(tuple(row) for row in rows)

        return fitted

    return decorate


def folds(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """`(images,)` int64: a fold, 0..count - 1, for each image, drawn so that every fold has its share of each class.

    scikit-learn's StratifiedKFold warns of classes with fewer images than folds, and takes a second to import.
    """
    drawn = np.random.default_rng(seed).permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[by_class] = np.arange(len(labels)) % count
    return fold
