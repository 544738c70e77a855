"""Candidates of a selection, each at its own temperature: what they know decides, and not how sure they are of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels, MemberProbabilities, Numbers, OfLabel, PerImage
from toile.evaluation.optimise import zero_of_rising
from toile.evaluation.scores import logarithms, softmax

# Exponents, which are one over a temperature.
LEAST, MOST = 0.01, 20.0


@dataclass(frozen=True)
class Tempered:
    """What each candidate gives the right class after its temperature.

    Args:
        exponents: `(candidates,)`, 0.01..20: the power that a candidate's probabilities are brought to.
        of_label: `(candidates, images)`.
        held: `(folds, candidates, images)`: the same with exponents that were fitted without the images of a fold.
    """

    exponents: Numbers
    of_label: OfLabel
    held: NDArray[np.float64]


def temper(probabilities: MemberProbabilities, labels: Labels, fold: Labels, folds: int) -> Tempered:
    """Bring each candidate to the temperature at which its log loss is least.

    Ensembles of models that were not calibrated cannot be compared by log loss (Ashukha et al., "Pitfalls of In-Domain
    Uncertainty Estimation and Ensembling in Deep Learning", ICLR 2020), and so candidates cannot: a network that was trained
    with label smoothing loses to a worse one that was trained without. Caruana, Munson & Niculescu-Mizil (2006) calibrate the
    library before the selection, too.

    To the sum of the losses half the square of the exponent's logarithm is added, as if it were normally distributed around 0.
    Of many images it changes nothing; of few, a candidate that is right on all of them would be believed without end otherwise.

    Args:
        fold: `(images,)`: the fold of each image, 0..folds - 1.
    """
    count, images, _ = probabilities.shape
    exponents, of_label, held = np.empty(count), np.empty((count, images)), np.empty((folds, count, images))
    for i, one in enumerate(probabilities):
        logs = np.ascontiguousarray(logarithms(one).T)
        given = logs[labels, np.arange(images)]

        def slope(at: float, logs: NDArray[np.float64] = logs, given: PerImage = given) -> float:
            return float(np.exp(at) * _slopes(np.exp(at), logs, given)[0].sum() + at)

        at = zero_of_rising(slope, np.log(LEAST), np.log(MOST))
        exponents[i] = np.exp(at)
        of_label[i] = _of_label(exponents[i], logs, given)
        # One step of Newton's (as Gauss took it) from there to where it would be without a fold.
        slopes, curvatures = _slopes(exponents[i], logs, given)
        for out in range(folds):
            others = fold != out
            step = (exponents[i] * slopes[others].sum() + at) / (exponents[i] ** 2 * curvatures[others].sum() + 1)
            held[out, i] = _of_label(np.clip(np.exp(at - step), LEAST, MOST), logs, given)
    return Tempered(exponents, of_label, held)


def _of_label(exponent: float, logs: NDArray[np.float64], given: PerImage) -> PerImage:
    """`(images,)` of logarithms `(classes, images)` and those of the right class."""
    return np.exp(exponent * given - softmax(exponent * logs, axis=0)[1])


def _slopes(exponent: float, logs: NDArray[np.float64], given: PerImage) -> tuple[PerImage, Any]:
    """First and second derivative of each image's log loss by the exponent."""
    said = softmax(exponent * logs, axis=0)[0]
    said *= logs
    expected = said.sum(axis=0)
    said *= logs
    return expected - given, said.sum(axis=0) - expected**2
