"""Which differences are real: paired comparisons of two sets of predictions of the same images."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from toile.arrays import PerImage
from toile.errors import Misuse, nearest
from toile.evaluation.metrics import METRICS, brier_per_image, loss_per_image, right_per_image
from toile.evaluation.predictions import Predictions
from toile.evaluation.repeated import a_margin

LEVEL = 0.05
# BCa leaves out each image once, which takes a second for 10,000 of them and a minute for 80,000. What it corrects, the bias
# and the skewness of the resamples, goes to 0 with the number of images.
MOST_FOR_BCA = 20_000

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

    @property
    def images(self) -> int:
        return self.both_right + self.only_a + self.only_b + self.both_wrong

    @property
    def difference(self) -> float:
        """Accuracy of a - accuracy of b."""
        return (self.only_a - self.only_b) / self.images

    def turned(self) -> McNemar:
        """The same test of b - a."""
        return McNemar(self.both_right, self.only_b, self.only_a, self.both_wrong, self.p_value)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Of the difference, at a level between 0 and 1: the score interval of Tango (see `equivalence`)."""
        from scipy.special import ndtri  # pyright: ignore[reportMissingTypeStubs]: SciPy has none

        optimize: Any = import_module("scipy.optimize")  # which takes a quarter of a second
        z, edge = float(ndtri((1 + level) / 2)), 1 - 1e-9

        def end(sign: int) -> float:
            def beyond(at: float) -> float:
                return self._score(at) + sign * z

            if self.difference * sign >= edge:
                return float(sign)
            return float(optimize.brentq(beyond, self.difference, sign * edge, xtol=1e-9))

        return end(-1), end(1)

    def not_worse(self, margin: float) -> float:
        """The p-value of "a is worse than b by `margin` or more", by a one-sided score test.

        Tango, "Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design",
        Statistics in Medicine 17, 1998. Unlike tests by the estimated variance, it shows nothing of two models for being right
        on the same few images.

        Args:
            margin: of accuracy, between 0 and 1.
        """
        from scipy.special import ndtr  # pyright: ignore[reportMissingTypeStubs]: SciPy has none

        a_margin(margin)
        return float(ndtr(-self._score(-margin)))

    def equivalence(self, margin: float) -> float:
        """The p-value of "the accuracies differ by `margin` or more", by both one-sided tests: neither is worse."""
        return max(self.not_worse(margin), self.turned().not_worse(margin))

    def _score(self, at: float) -> float:
        """Tango's statistic, standard normal if the difference is `at` (-1 < at < 1); falls as `at` rises."""
        if at < 0:
            return -self.turned()._score(-at)
        n, a, b = self.images, self.only_a, self.only_b
        # The most likely share of images on which b alone is right, if a alone is right on `at` more.
        linear = (2 * n - a + b) * at - a - b
        share = (math.sqrt(linear * linear + 8 * n * b * at * (1 - at)) - linear) / (4 * n)
        variance = n * (2 * share + at * (1 - at))
        return (a - b - n * at) / math.sqrt(variance) if variance > 0 else 0.0


@dataclass(frozen=True)
class Difference:
    """`value` is metric(a) - metric(b); `low`..`high` its 95 % interval."""

    metric: str
    value: float
    low: float
    high: float


def rounded(p_value: float) -> str:
    """`0.032`; with as many digits as say on which side of 0.05 it is: `0.0496`, where two would say 0.05."""
    texts = (f"{p_value:.{digits}g}" for digits in (2, 3, 4, 17))
    return next(text for text in texts if (float(text) < LEVEL) == (p_value < LEVEL))


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

    paired(a, b)
    a_right, b_right = a.predicted == a.labels, b.predicted == b.labels
    only_a, only_b = int((a_right & ~b_right).sum()), int((~a_right & b_right).sum())
    # Two models that are right on the same images show no difference at all; a test of no tosses has p = 1.
    p_value = min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
    return McNemar(int((a_right & b_right).sum()), only_a, only_b, int((~a_right & ~b_right).sum()), p_value)


def bootstrap_difference(
    a: Predictions, b: Predictions, metric: str = "accuracy", resamples: int = 2000, seed: int = 0
) -> Difference:
    """The difference of a metric with a 95 % interval: images drawn with replacement, the same ones for `a` and `b`.

    The bias-corrected and accelerated bootstrap (BCa; Efron, JASA 82, 1987) of SciPy, over images; the plain percentiles of
    more than 20,000 images, and of a metric that is no mean over images. That one is computed anew for each resample, which
    takes seconds; resamples in which it is undefined are left out.

    Raises:
        Misuse: `a` and `b` are not of the same images, an unknown metric, a metric that is undefined here, no resamples.
    """
    paired(a, b)
    if metric not in METRICS:
        raise Misuse(f"unknown metric {metric!r}{nearest(metric, METRICS)}; allowed: {', '.join(METRICS)}")
    if resamples < 1:
        raise Misuse(f"resamples is {resamples}; at least 1 is needed")
    function = METRICS[metric].function
    value = function(a.probabilities, a.labels) - function(b.probabilities, b.labels)
    if not np.isfinite(value):
        raise Misuse(f"{metric} is undefined on these {len(a)} images: a class has none")
    if metric in PER_IMAGE:
        differences = PER_IMAGE[metric](a.probabilities, a.labels) - PER_IMAGE[metric](b.probabilities, b.labels)
        low, high = _resampled_mean(np.asarray(differences, np.float64), resamples, seed)
        return Difference(metric, float(value), low, high)
    generator = np.random.default_rng(seed)
    resampled = np.empty(resamples)
    for i in range(resamples):
        drawn = generator.integers(0, len(a), len(a))
        labels = a.labels[drawn]
        resampled[i] = function(a.probabilities[drawn], labels) - function(b.probabilities[drawn], labels)
    resampled = resampled[np.isfinite(resampled)]
    if not len(resampled):
        raise Misuse(f"{metric} is undefined on every resample of these {len(a)} images: too few of a class")
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Difference(metric, float(value), float(low), float(high))


def _resampled_mean(values: PerImage, resamples: int, seed: int) -> tuple[float, float]:
    """A 95 % interval of the mean over images."""
    stats: Any = import_module("scipy.stats")
    low = high = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:  # every resample is the same
        return low, high
    with warnings.catch_warnings():
        # Where hardly an image differs, all resamples may lie on one side; the percentiles are what is left then.
        warnings.simplefilter("ignore", category=stats.DegenerateDataWarning)
        for method in ("BCa", "percentile")[len(values) > MOST_FOR_BCA :]:
            found = stats.bootstrap(
                (values,), np.mean, n_resamples=resamples, batch=max(1, 200_000 // len(values)), vectorized=True, axis=-1,
                method=method, random_state=np.random.default_rng(seed),
            )  # fmt: skip
            low, high = found.confidence_interval
            if np.isfinite([low, high]).all():
                break
    return float(low), float(high)


def paired(a: Predictions, b: Predictions) -> None:
    """Pass where both speak of the same images.

    Raises:
        Misuse: they do not.
    """
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
