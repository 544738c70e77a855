"""Candidates of a selection, each at its own temperature: what they know decides, and not how sure they are of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels, MemberProbabilities, Numbers, OfLabel, PerImage
from toile.evaluation.calibrators import exponent
from toile.evaluation.scores import EPSILON, logarithms, softmax


@dataclass(frozen=True)
class Tempered:
    """What each candidate gives the right class after its temperature.

    Args:
        exponents: `(candidates,)`, 0.01..20: the power that a candidate's probabilities are brought to.
        of_label: `(candidates, images)`, from 1e-7 up.
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

    Args:
        fold: `(images,)`: the fold of each image, 0..folds - 1.
    """
    count, images, _ = probabilities.shape
    exponents, of_label, held = np.empty(count), np.empty((count, images)), np.empty((folds, count, images))
    for i, one in enumerate(probabilities):
        logs = np.ascontiguousarray(logarithms(one).T)
        given = logs[labels, np.arange(images)]
        exponents[i] = exponent(logs, given)
        of_label[i] = _of_label(exponents[i], logs, given)
        for out in range(folds):
            others = fold != out
            without = exponent(np.ascontiguousarray(logs[:, others]), given[others], exponents[i])
            held[out, i] = _of_label(without, logs, given)
    return Tempered(exponents, of_label, held)


def _of_label(power: float, logs: NDArray[np.float64], given: PerImage) -> PerImage:
    """`(images,)`: what the right class gets."""
    return np.maximum(np.exp(power * given - softmax(power * logs, axis=0)[1]), EPSILON)
