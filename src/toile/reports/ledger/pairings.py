"""How much it can matter which two of ten classes were merged: the accuracy that each pairing would give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pairing = tuple[tuple[int, int], ...]
# The one that the studies use: label // 2.
NEIGHBOURS: Pairing = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))


def pairings(classes: Sequence[int]) -> Iterator[Pairing]:
    """Every way to put an even number of classes into pairs, each once: 945 for ten."""
    if not classes:
        yield ()
        return
    first, *rest = classes
    for other in rest:
        for others in pairings([one for one in rest if one != other]):
            yield ((first, other), *others)


def merged_accuracy(confusion: np.ndarray, pairing: Pairing) -> float:
    """Accuracy where a prediction of the other class of its pair counts as right too.

    Args:
        confusion: `(classes, classes)` counts; rows are labels.
    """
    counts = np.asarray(confusion, np.float64)
    return float(sum(counts[np.ix_(pair, pair)].sum() for pair in pairing) / counts.sum())


def misfit(confusion: np.ndarray, pairing: Pairing, report: NDArray[np.float64]) -> float:
    """How far the merged predictions' precision and recall are from a published report, in the order of classes that fits best.

    Args:
        confusion: `(classes, classes)` counts; rows are labels.
        report: `(2, pairs)`: the published precision and recall of each merged class.

    Returns:
        The root of the mean squared difference of the figures.
    """
    from scipy.optimize import linear_sum_assignment  # it takes a while to import, and only the ledger asks for it

    counts = np.array([[confusion[np.ix_(labels, said)].sum() for said in pairing] for labels in pairing], np.float64)
    right = counts.diagonal()
    ours = np.array([right / np.maximum(counts.sum(axis=axis), 1.0) for axis in (0, 1)])
    apart = ((ours[:, :, None] - report[:, None, :]) ** 2).sum(axis=0)
    return float(np.sqrt(apart[linear_sum_assignment(apart)].sum() / report.size))


def fitting_better(confusion: np.ndarray, report: NDArray[np.float64]) -> int:
    """How many pairings come nearer to a published report than neighbours do; see `misfit`."""
    own = misfit(confusion, NEIGHBOURS, report)
    return sum(misfit(confusion, pairing, report) < own - 1e-12 for pairing in pairings(range(len(confusion))))


@dataclass(frozen=True)
class Spread:
    """What all pairings come to, for one model.

    `neighbours` is the accuracy of the pairing label // 2, `below` how many pairings are below it.
    """

    count: int
    least: float
    median: float
    most: float
    neighbours: float
    below: int


def spread(confusion: np.ndarray) -> Spread:
    """The accuracies of all pairings of ten classes.

    Args:
        confusion: `(10, 10)` counts; rows are labels.
    """
    found = np.array([merged_accuracy(confusion, pairing) for pairing in pairings(range(len(confusion)))])
    neighbours = merged_accuracy(confusion, NEIGHBOURS)
    below = int((found < neighbours - 1e-12).sum())
    return Spread(len(found), float(found.min()), float(np.median(found)), float(found.max()), neighbours, below)


def section(named: Sequence[tuple[str, np.ndarray]], report: NDArray[np.float64] | None = None) -> list[str]:
    """Lines of Markdown, a row a ten-class model; none where no model has a confusion matrix.

    Args:
        report: what is published of the merged classes; see `misfit`.
    """
    if not named:
        return []
    lines = [
        "", "## Which classes were merged", "",
        "Two documents merge the ten classes in pairs, and which ones was never published. Ours are neighbours (label // 2).",
        "From a ten-class model's confusion matrix on the test images follows the accuracy that each of the 945 pairings would",
        "give it: so far can a five-class figure move by the choice of pairs alone.",
    ]  # fmt: skip
    if report is not None:
        lines += [
            "The last column counts the pairings whose precision and recall, in the best order of their classes, come nearer",
            "to those that are published for the five classes of `model-4` than neighbours do. So the report does not speak",
            "for neighbours. It does not tell the pairs either: the nearest ones differ from model to model.",
        ]  # fmt: skip
    heads = ["as it is", "least", "median", "most", "neighbours", "pairings below that", *["fit better"] * (report is not None)]
    lines += ["", f"| ten-class model | {' | '.join(heads)} |", f"| --- |{' --: |' * len(heads)}"]
    for name, confusion in named:
        found, own = spread(confusion), float(np.trace(confusion) / np.sum(confusion))
        cells = (own, found.least, found.median, found.most, found.neighbours)
        shown = " | ".join(f"{value:.4f}" for value in cells)
        fits = "" if report is None else f" {fitting_better(confusion, report)} of {found.count} |"
        lines.append(f"| {name} | {shown} | {found.below} of {found.count} |{fits}")
    return lines
