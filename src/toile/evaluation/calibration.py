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
    index = _of_equal_width(confidence, bins)
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


def ece_equal_mass(probabilities: Probabilities, labels: Labels) -> float:
    """The same over 15 bins with equally many images each (Nguyen & O'Connor, EMNLP 2015), so that no bin is almost empty.

    Images of the same confidence are in the same bin, whatever their order.
    """
    confidence: NDArray[np.float64] = probabilities.max(axis=1).astype(np.float64)
    edges = np.quantile(confidence, np.arange(1, BINS) / BINS)
    return _gap(confidence, probabilities.argmax(axis=1) == labels, np.searchsorted(edges, confidence, side="left"))


def ece_classwise(probabilities: Probabilities, labels: Labels) -> float:
    """The mean over the classes of the gap between a class's probability and how often it is the label, over 15 bins of equal
    width (Kull et al., "Beyond temperature scaling", NeurIPS 2019): the classes that were not chosen count too."""
    of_class = (probabilities[:, c].astype(np.float64) for c in range(probabilities.shape[1]))
    gaps = [_gap(one, labels == c, _of_equal_width(one, BINS)) for c, one in enumerate(of_class)]
    return sum(gaps) / len(gaps)


def _of_equal_width(confidence: NDArray[np.float64], bins: int) -> NDArray[np.integer[Any]]:
    """The bin of each image."""
    return np.clip(np.searchsorted(np.arange(bins + 1) / bins, confidence, side="left") - 1, 0, bins - 1)


def _gap(confidence: NDArray[np.float64], right: NDArray[np.bool], index: NDArray[np.integer[Any]]) -> float:
    """The mean gap between confidence and how often it is right, in bins weighted by their images."""
    return float(np.abs(np.bincount(index, weights=confidence) - np.bincount(index, weights=right)).sum() / len(confidence))
