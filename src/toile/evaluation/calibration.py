"""Whether a model that says 80 % is right 80 % of the time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels, Probabilities

BINS = 15


def reliability(probabilities: Probabilities, labels: Labels, bins: int = BINS) -> list[dict[str, Any]]:
    """Images grouped by confidence (the probability of the predicted class) into bins of equal width.

    Bin m of M holds confidences in `((m - 1) / M, m / M]`, as in Guo et al., "On Calibration of Modern Neural Networks",
    ICML 2017.

    Args:
        probabilities: `(images, classes)`, rows sum to 1.
        labels: `(images,)`.

    Returns:
        One dictionary a bin: `lower`, `upper`, `images`, and `confidence` and `accuracy`, both means in 0..1 and None
        where the bin is empty.
    """
    confidence: NDArray[np.float64] = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    edges = np.arange(bins + 1) / bins
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    images = np.bincount(index, minlength=bins)
    confidences = np.bincount(index, weights=confidence, minlength=bins)
    rights = np.bincount(index, weights=right, minlength=bins)
    return [
        {
            "lower": m / bins,
            "upper": (m + 1) / bins,
            "images": int(images[m]),
            "confidence": float(confidences[m] / images[m]) if images[m] else None,
            "accuracy": float(rights[m] / images[m]) if images[m] else None,
        }
        for m in range(bins)
    ]


def ece(probabilities: Probabilities, labels: Labels) -> float:
    """Expected calibration error over 15 bins, 0..1: the mean gap between confidence and accuracy, weighted by images."""
    gaps = [
        bin["images"] * abs(bin["accuracy"] - bin["confidence"]) for bin in reliability(probabilities, labels) if bin["images"]
    ]
    return sum(gaps) / len(labels)
