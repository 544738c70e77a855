"""The rule of "reproduced": how far a published figure may lie from the measured one by seeds and test images alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance

from toile.reports.ledger.results import Measured
from toile.study.expand import Variant

# Metrics that a verdict is about, where they are published.
JUDGED = ("accuracy", "loss")
# So many trainings of a line say by themselves how far its seeds lie apart.
ENOUGH = 3

RULE = """\
A published figure is of one training, whose seed is not known, as each of ours is. Ours counts as reproducing it if the
published one lies in the 95 % prediction interval around the mean of ours (Student's t), in accuracy **and**, where one is
published, in loss. The interval is as wide as trainings of one recipe lie apart: `allowed = t * sqrt(s² (1/k + 1/n) +
images)`, for n trainings here and k in the document (1, or the folds of a cross-validation). `s` is the standard deviation
of the line's own trainings where there are three or more; else the one that is pooled over all published lines with several
(of folds, of their figures on the test images, which are the same for all; folds learn from other images too, so they lie a
little farther apart than seeds), of a loss in proportion to it. `images` is 0 where the document's images are ours. Where
they are others (two documents drew theirs by a seed that is not known), two samples add `2 p (1 - p) / images` to the
variance of an accuracy p, and twice the variance of a mean over so many images to that of a loss, where it is known. Half
of the last digit that is published is allowed too. Of figures of the same recipe on the same task, one in twenty lies outside
by chance."""


@dataclass(frozen=True)
class Pooled:
    """A standard deviation over the trainings of one recipe, from many recipes; of losses, as a share of the loss.

    `freedom` are its degrees of freedom, `lines` how many recipes it comes from.
    """

    deviation: float
    freedom: int
    lines: int


def pooled(lines: Iterable[Sequence[Measured]]) -> dict[str, Pooled]:
    """What trainings of one recipe have between them, by metric; without those that no recipe has twice.

    Args:
        lines: for each line its trainings at full protocol, which all are judged on the same test images.
    """
    found: dict[str, Pooled] = {}
    several = [line for line in lines if len(line) > 1]
    for metric in JUDGED:
        squares, freedom, counted = 0.0, 0, 0
        for line in several:
            values = [one.metrics["test"][metric] for one in line if metric in one.metrics.get("test", {})]
            if len(values) > 1:
                scale = fmean(values) if metric == "loss" else 1.0
                squares += (len(values) - 1) * variance(values) / scale**2
                freedom, counted = freedom + len(values) - 1, counted + 1
        if freedom:
            found[metric] = Pooled(sqrt(squares / freedom), freedom, counted)
    return found


def allowed(
    metric: str, values: Sequence[float], spread: Pooled | None, *, trainings: int = 1, images_variance: float = 0.0
) -> float:
    """How far the published figure may lie from the mean of `values`.

    Args:
        values: of the trainings here, at least one.
        spread: pooled, for a line with fewer than three trainings; None where nothing is known of any.
        trainings: how many the published figure is a mean of.
        images_variance: of the mean over the document's test images; 0 where they are ours.
    """
    from scipy.stats import norm, t

    squared, quantile = 0.0, float(norm.ppf(0.975))
    if len(values) >= ENOUGH:
        squared, quantile = variance(values), float(t.ppf(0.975, len(values) - 1))
    elif spread is not None:
        scale = fmean(values) if metric == "loss" else 1.0
        squared, quantile = (spread.deviation * scale) ** 2, float(t.ppf(0.975, spread.freedom))
    return quantile * sqrt(squared * (1 / trainings + 1 / len(values)) + 2 * images_variance)


def rounding(published: float) -> float:
    """How far a published figure may be from what was rounded: half of its last digit. (At least three are taken to be written:
    a file of numbers does not keep zeros at their ends.)"""
    return 0.5 * 10.0 ** -max(3, len(f"{published:.6f}".rstrip("0").partition(".")[2]))


def same_images(line: Variant, part: str, pool: bool) -> bool:
    """Whether the images of that part are the document's own: those that the data set brings for testing, a tail, or what
    `train_test_split` draws with the document's seed, which the study then has.

    Args:
        pool: whether the study makes its parts of all images of the data set together.
    """
    if pool or line.split.test:
        return False
    return part == "test" or line.split.method in ("tail", "random")


def images_variance(metric: str, full: Sequence[Measured], part: str) -> float:
    """Variance of a figure by which images it is a mean over; 0 of a loss where no result says how it varies."""
    found = []
    for one in full:
        figures = one.metrics.get(part, {})
        if not (images := figures.get("images")):
            continue
        if metric == "accuracy":
            found.append(figures["accuracy"] * (1 - figures["accuracy"]) / images)
        elif part in one.loss_deviations:
            found.append(one.loss_deviations[part] ** 2 / images)
    return fmean(found) if found else 0.0
