"""Scores: logarithms of probabilities, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import PerImage, Scores

# `keras.config.epsilon()`.
EPSILON = 1e-7


def logarithms(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Natural logarithms, float64, of probabilities clipped at 1e-7 from below, so that none forbids a class."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), EPSILON))


def softmax(scores: Scores) -> tuple[Scores, PerImage]:
    """Probabilities `(images, classes)` of scores, and `(images,)` the logarithm of what their exponentials add up to."""
    highest = scores.max(axis=1, keepdims=True)
    exponentials = np.exp(scores - highest)
    total = exponentials.sum(axis=1, keepdims=True)
    return exponentials / total, (highest + np.log(total))[:, 0]
