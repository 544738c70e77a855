"""Which differences are real: paired comparisons of two sets of predictions of the same images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from toile.errors import Misuse, nearest
from toile.evaluation.metrics import METRICS, brier_per_image, loss_per_image, right_per_image
from toile.evaluation.predictions import Predictions

LEVEL = 0.05

# Metrics that are means over images: their resamples are means of resampled values, a hundred times faster.
PER_IMAGE = {"accuracy": right_per_image, "loss": loss_per_image, "brier": brier_per_image}


@dataclass(frozen=True)
class McNemar:
    """How often two models are right together and alone, in images, and the two-sided p-value of "equally good"."""

    both_right: int
    only_a: int
    only_b: int
    both_wrong: int
    p_value: float


@dataclass(frozen=True)
class Difference:
    """`value` is metric(a) - metric(b); `low`..`high` its 95 % interval."""

    metric: str
    value: float
    low: float
    high: float


def mcnemar(a: Predictions, b: Predictions) -> McNemar:
    """McNemar's exact test: do `a` and `b` misclassify equally many images?

    Only images on which exactly one is right count; under the hypothesis each is a fair coin. Recommended where each
    model was trained once: Dietterich, "Approximate Statistical Tests for Comparing Supervised Classification Learning
    Algorithms", Neural Computation 10, 1998. It speaks of these two trained models, not of their architectures over seeds.

    Raises:
        Misuse: `a` and `b` are not of the same images.
    """
    # scipy.stats.binomtest for a fair coin, whose two tails are alike; scipy.stats takes half a second to import.
    from scipy.special import bdtr  # pyright: ignore[reportMissingTypeStubs]: SciPy has none

    _paired(a, b)
    a_right, b_right = a.predicted == a.labels, b.predicted == b.labels
    only_a, only_b = int((a_right & ~b_right).sum()), int((~a_right & b_right).sum())
    # Two models that are right on the same images show no difference at all; a test of no tosses has p = 1.
    p_value = min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
    return McNemar(int((a_right & b_right).sum()), only_a, only_b, int((~a_right & ~b_right).sum()), p_value)


def bootstrap_difference(
    a: Predictions, b: Predictions, metric: str = "accuracy", resamples: int = 2000, seed: int = 0
) -> Difference:
    """The difference of a metric with a 95 % interval: images drawn with replacement, the same ones for `a` and `b`.

    The percentile bootstrap (Efron & Tibshirani 1993). A metric that is no mean over images is computed anew for each
    resample, which takes seconds; resamples in which it is undefined are left out.

    Raises:
        Misuse: `a` and `b` are not of the same images, an unknown metric, a metric that is undefined here, no resamples.
    """
    _paired(a, b)
    if metric not in METRICS:
        raise Misuse(f"unknown metric {metric!r}{nearest(metric, METRICS)}; allowed: {', '.join(METRICS)}")
    if resamples < 1:
        raise Misuse(f"resamples is {resamples}; at least 1 is needed")
    function = METRICS[metric].function
    value = function(a.probabilities, a.labels) - function(b.probabilities, b.labels)
    if not np.isfinite(value):
        raise Misuse(f"{metric} is undefined on these {len(a)} images: a class has none")
    generator = np.random.default_rng(seed)
    images = len(a)
    if metric in PER_IMAGE:
        differences = PER_IMAGE[metric](a.probabilities, a.labels) - PER_IMAGE[metric](b.probabilities, b.labels)
        chunk = max(1, 1_000_000 // images)  # bounds memory at some 16 MB
        resampled = np.concatenate(
            [
                differences[generator.integers(0, images, (min(chunk, resamples - start), images))].mean(axis=1)
                for start in range(0, resamples, chunk)
            ]
        )
    else:
        resampled = np.empty(resamples)
        for i in range(resamples):
            drawn = generator.integers(0, images, images)
            labels = a.labels[drawn]
            resampled[i] = function(a.probabilities[drawn], labels) - function(b.probabilities[drawn], labels)
    resampled = resampled[np.isfinite(resampled)]
    if not len(resampled):
        raise Misuse(f"{metric} is undefined on every resample of these {images} images: too few of a class")
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Difference(metric, float(value), float(low), float(high))


def compare(a: Predictions, b: Predictions, names: tuple[str, str] = ("A", "B")) -> dict[str, Any]:
    """Everything that can be said about two sets of predictions of the same images, ready for JSON.

    Returns:
        `names`, `split`, `images`; `accuracies` and `losses` (of a, of b); `difference` of accuracy (a - b, 0..1) with
        `interval` ([low, high], 95 %); `loss_difference` with `loss_interval`; `both_right`, `only_a`, `only_b`,
        `both_wrong` (images); `p_value` (McNemar, exact); `differ` (p_value < 0.05); `verdict`, one sentence.

    Raises:
        Misuse: `a` and `b` are not of the same images.
    """
    test = mcnemar(a, b)
    of_accuracy, of_loss = bootstrap_difference(a, b, "accuracy"), bootstrap_difference(a, b, "loss")
    accuracy, loss = METRICS["accuracy"].function, METRICS["loss"].function
    return {
        "names": list(names),
        "split": a.split,
        "images": len(a),
        "accuracies": [accuracy(a.probabilities, a.labels), accuracy(b.probabilities, b.labels)],
        "difference": of_accuracy.value,
        "interval": [of_accuracy.low, of_accuracy.high],
        "losses": [loss(a.probabilities, a.labels), loss(b.probabilities, b.labels)],
        "loss_difference": of_loss.value,
        "loss_interval": [of_loss.low, of_loss.high],
        "both_right": test.both_right,
        "only_a": test.only_a,
        "only_b": test.only_b,
        "both_wrong": test.both_wrong,
        "p_value": test.p_value,
        "differ": test.p_value < LEVEL,
        "verdict": _verdict(test, names),
    }


def _verdict(test: McNemar, names: tuple[str, str]) -> str:
    a, b = names
    p = "p < 0.0001" if test.p_value < 0.0001 else f"p = {test.p_value:.2g}"
    if test.p_value >= LEVEL:
        return f"no difference shown between {a} and {b} ({p})"
    better, worse = (a, b) if test.only_a > test.only_b else (b, a)
    more, fewer = max(test.only_a, test.only_b), min(test.only_a, test.only_b)
    return f"{a} and {b} differ ({p}): {better} alone is right on {more} images, {worse} alone on {fewer}"


def _paired(a: Predictions, b: Predictions) -> None:
    if a.split != b.split:
        raise Misuse(f"cannot compare predictions of different splits: {a.split} and {b.split}")
    if a.probabilities.shape != b.probabilities.shape:
        raise Misuse(
            "cannot compare predictions of different shapes (images, classes): "
            f"{a.probabilities.shape} and {b.probabilities.shape}"
        )
    if not np.array_equal(a.labels, b.labels):
        differing = int((a.labels != b.labels).sum())
        raise Misuse(f"cannot compare predictions of different images: {differing} of {len(a)} labels differ")
