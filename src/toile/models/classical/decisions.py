"""From decision values, which is all that a support vector machine gives, to probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from toile.arrays import DecisionValues, ImageWeights, Labels, Scores


@dataclass(frozen=True)
class Calibration:
    """A softmax of scores, with what little it needs fitted to images that the machine was not trained on.

    From one value a class (one against the rest), the scores are the values. From one a pair of classes (one against one),
    the score of a class is the sum of the logarithms of its chances against each other class, a chance being a sigmoid of the
    pair's value: the product of the pairwise probabilities (Hastie & Tibshirani 1998). The votes of the pairs, which
    scikit-learn makes of them, would say little more than how many duels were won.

    Two numbers are fitted, by log loss: `slope` of the sigmoids (Platt 1999, without an offset; 1 where there are no pairs),
    and `temperature` of the softmax (Guo et al. 2017). Neither knows the classes apart, so few images are enough; from one
    value a class, no decision changes, and from pairs only such as were close.

    Args:
        classes: number of classes, at least 2.
        pairs: whether there is one value a pair; for two classes there is one value either way.
        temperature, slope: above 0.
    """

    classes: int
    pairs: bool
    temperature: float = 1.0
    slope: float = 1.0

    @classmethod
    def fit(
        cls, values: DecisionValues, labels: Labels, classes: int, *, pairs: bool, weights: ImageWeights | None = None
    ) -> Calibration:
        """The calibration with the least log loss on some images.

        Of few images a machine may decide every one right, for which certainty would be best. So the labels count as though
        one image more had been of all classes alike: smoothed by 1 / (n + 1), in the spirit of Platt's targets.

        Args:
            values: as `decision_function` gives them: `(n, classes)`, `(n, classes * (classes - 1) / 2)` in scikit-learn's
                order, or `(n,)` for two classes, positive for the second.
            labels: `(n,)`, 0..classes - 1.
            weights: `(n,)`, what each image counts; None where all count 1.
        """
        from scipy.optimize import minimize

        start = cls(classes, pairs and classes > 2)
        targets = smoothed(labels, classes, weights)

        def at(logarithms: NDArray[np.float64]) -> Calibration:
            return replace(start, temperature=float(np.exp(logarithms[0])), slope=float(np.exp(logarithms[1:].sum())))

        def loss(logarithms: NDArray[np.float64]) -> float:
            return -float(np.average((targets * at(logarithms)._logarithms(values)).sum(axis=1), weights=weights))

        numbers = 2 if start.pairs else 1
        # Its own first steps from 0 would be so small that it took the start for the end.
        steps = {"initial_simplex": np.vstack([np.zeros(numbers), np.eye(numbers)]), "xatol": 1e-3, "fatol": 1e-6}
        return at(minimize(loss, np.zeros(numbers), method="Nelder-Mead", bounds=[(-7, 7)] * numbers, options=steps).x)

    def probabilities(self, values: DecisionValues) -> Scores:
        """`(n, classes)` float64, rows sum to 1, of decision values as they were fitted to."""
        return np.exp(self._logarithms(values))

    def _logarithms(self, values: DecisionValues) -> Scores:
        if values.ndim == 1:
            values = np.stack([-values, values], axis=1) / 2
        scores = (self._from_pairs(values) if self.pairs else values) / self.temperature
        scores = scores - scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def _from_pairs(self, values: DecisionValues) -> Scores:
        scores = np.zeros((len(values), self.classes))
        for column, (first, second) in enumerate(combinations(range(self.classes), 2)):
            value = self.slope * values[:, column]
            scores[:, first] -= np.logaddexp(0, -value)
            scores[:, second] -= np.logaddexp(0, value)
        return scores


def smoothed(labels: Labels, classes: int, weights: ImageWeights | None = None) -> Scores:
    """`(n, classes)`: the labels as targets, as though one image more had been of all classes alike."""
    share = 1 / ((len(labels) if weights is None else float(weights.sum())) + 1)
    return (1 - share) * np.eye(classes)[labels] + share / classes
