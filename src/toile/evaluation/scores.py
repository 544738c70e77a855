"""Scores: logarithms of probabilities, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import PerImage

# `keras.config.epsilon()`.
EPSILON = 1e-7


def logarithms(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Natural logarithms, float64, of probabilities clipped at 1e-7 from below, so that none forbids a class."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), EPSILON))


def softmax(scores: NDArray[np.float64], axis: int = 1) -> tuple[NDArray[np.float64], PerImage]:
    """Probabilities of scores, and `(images,)` the logarithm of what their exponentials add up to.

    Args:
        scores: `(images, classes)`; with `axis` 0 `(classes, images)`, which takes a third of the time.
    """
    highest = scores.max(axis=axis, keepdims=True)
    exponentials = scores - highest
    np.exp(exponentials, out=exponentials)
    total = exponentials.sum(axis=axis, keepdims=True)
    exponentials /= total
    return exponentials, (highest + np.log(total)).ravel()
