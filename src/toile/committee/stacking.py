"""Stacking: a multinomial logistic regression on the members' log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels, MemberProbabilities, MemberScores, Numbers, Scores
from toile.committee import log_pool
from toile.committee.fitting import folds, on_unseen
from toile.evaluation.optimise import GRADIENT, least
from toile.evaluation.scores import logarithms, softmax

# Penalties that are tried, strong to weak, so that each fit begins near its end.
PENALTIES = (1e5, 1e4, 1e3, 1e2, 1e1, 1.0, 0.1)
FOLDS = 5
# Where a fit ends that only a penalty is chosen by: the largest derivative in coordinates in which the curvature is about 1.
ROUGH_GRADIENT = 1e-3

Coefficients = NDArray[np.float64]  # (classes, features)


@on_unseen("fit a stack")
def fit(probabilities: MemberProbabilities, labels: Labels) -> tuple[NDArray[np.float64], Numbers]:
    """The coefficients of `stack` (Wolpert, "Stacked Generalization", 1992): each class's score is a sum over all members' and
    classes' log-probabilities, and an intercept.

    The penalty is the sum of squares of what the coefficients differ by from those of the best `log-pool`, in which a class's
    score looks at that class alone: where there are few images, what is left is that pool, and not a committee that knows
    nothing. (Ridge regression towards a target; likewise Kull et al. 2019, who penalise what is off the diagonal.) Nothing is
    standardised: the log-probabilities are all in nats, and a coefficient means the same for each. Intercepts are free.

    How strong the penalty is, is chosen inside the fitting images: of seven strengths, that of the least log loss over five
    folds, each judged by what was fitted on the other four. Folds are drawn with a fixed seed: the same images give the same
    coefficients. Each problem is convex; it is solved as `toile.evaluation.optimise.least` says, in coordinates in which the
    curvature at the start is about 1 in every direction.

    Args:
        members: predictions of the same images, of a `validation` or `out-of-fold` split.

    Returns:
        As `toile.committee.rules.stack` takes them.

    Raises:
        TestSetUsed: the predictions are of the test set, which picks nothing.
        Misuse: no members, members of different images, or predictions of the training set.
    """
    logs = logarithms(probabilities)
    penalty = chosen_penalty(logs, labels)
    problem = Problem.of(logs, labels)
    coefficients = np.zeros((problem.classes, problem.features.shape[1]))
    for strength in PENALTIES[: PENALTIES.index(penalty) + 1]:
        last = strength == penalty
        coefficients = problem.solved(strength, GRADIENT if last else ROUGH_GRADIENT, coefficients)
    members, _, classes = logs.shape
    of_members = coefficients[:, :-1].T.reshape(members, classes, classes)
    return of_members + problem.exponents[:, None, None] * np.eye(classes), coefficients[:, -1]


def chosen_penalty(logs: MemberScores, labels: Labels) -> float:
    """The penalty with the least log loss over folds of the fitting images; of equal ones, the strongest."""
    fold, total = folds(labels, FOLDS), np.zeros(len(PENALTIES))
    for held in range(FOLDS):
        out = fold == held
        if not out.any() or out.all():
            continue
        problem, coefficients = Problem.of(logs[:, ~out], labels[~out]), None
        for i, strength in enumerate(PENALTIES):
            coefficients = problem.solved(strength, ROUGH_GRADIENT, coefficients)
            total[i] += problem.loss_of(coefficients, logs[:, out], labels[out])
    return PENALTIES[int(total.argmin())]


@dataclass(frozen=True)
class Problem:
    """A regression whose coefficients are counted from those of a log-pool.

    Args:
        features: `(images, members * classes + 1)`: log-probabilities, then a column of ones.
        offset: `(images, classes)`: the scores of the log-pool.
        labels: `(images,)`.
        exponents: of the log-pool.
        curvature: `(classes, features, features)`: second derivatives of the log loss by each class's coefficients, at the
            log-pool.
    """

    features: NDArray[np.float64]
    offset: Scores
    labels: Labels
    exponents: Numbers
    curvature: NDArray[np.float64]

    @classmethod
    def of(cls, logs: MemberScores, labels: Labels, exponents: Numbers | None = None) -> Problem:
        """The problem of logarithms `(members, images, classes)`; exponents are fitted where left out."""
        pooled = log_pool.exponents(logs, labels) if exponents is None else exponents
        features, offset = _features(logs), np.asarray(np.tensordot(pooled, logs, axes=1))
        said, _ = softmax(offset)
        spread = said * (1 - said)
        curvature = np.stack([(features * of_class[:, None]).T @ features for of_class in spread.T]) / len(labels)
        return cls(features, offset, labels, pooled, curvature)

    @property
    def classes(self) -> int:
        return self.offset.shape[1]

    def solved(self, penalty: float, gradient: float, start: Coefficients | None = None) -> Coefficients:
        """`(classes, features)`: the coefficients with the least sum of log losses plus `penalty` / 2 times their squares.

        Args:
            gradient: where the search ends.
            start: where it begins, at the log-pool where left out.
        """
        images, columns = self.features.shape
        rows, penalties = np.arange(len(self.labels)), np.ones(columns) * penalty / images
        penalties[-1] = 0
        # A class that all images are sure of has no curvature in its intercept.
        factors = np.asarray(np.linalg.cholesky(self.curvature + np.diag(penalties + 1e-9)), np.float64)
        turn = np.asarray(np.linalg.inv(factors), np.float64)

        def loss(turned: Numbers) -> tuple[float, Numbers]:
            coefficients = _each(turn.mT, turned.reshape(self.classes, columns))
            scores = self.offset + self.features @ coefficients.T
            residual, total = softmax(scores)
            value = (total.sum() - scores[rows, self.labels].sum()) / images + (penalties * coefficients**2).sum() / 2
            residual[rows, self.labels] -= 1
            slope = residual.T @ self.features / images + penalties * coefficients
            return float(value), _each(turn, slope).ravel()

        begin = np.zeros((self.classes, columns)) if start is None else start
        begin = _each(factors.mT, begin).ravel()
        found = least(loss, begin, gradient)
        return _each(turn.mT, found.reshape(self.classes, columns))

    def loss_of(self, coefficients: Coefficients, logs: MemberScores, labels: Labels) -> float:
        """The summed log loss of other images."""
        scores = np.asarray(np.tensordot(self.exponents, logs, axes=1)) + _features(logs) @ coefficients.T
        _, total = softmax(scores)
        return float(total.sum() - scores[np.arange(len(labels)), labels].sum())


def _each(matrices: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The product of each class's matrix and vector."""
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _features(logs: MemberScores) -> NDArray[np.float64]:
    members, images, classes = logs.shape
    return np.column_stack([logs.transpose(1, 0, 2).reshape(images, members * classes), np.ones(images)])
