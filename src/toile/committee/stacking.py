"""Stacking: a multinomial logistic regression on the members' log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels, MemberProbabilities, MemberScores, Numbers
from toile.committee import log_pool
from toile.committee.fitting import on_unseen
from toile.evaluation.folds import folds
from toile.evaluation.optimise import GRADIENT, least
from toile.evaluation.scores import logarithms, softmax

# Penalties that are tried, strong to weak, so that each fit begins near its end.
PENALTIES = (1e5, 1e4, 1e3, 1e2, 1e1, 1.0, 0.1)
FOLDS = 5
# What is clearly worse, as a factor of the log loss.
WORSE = 1.02
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
    standardised: the log-probabilities are all in nats, and a coefficient means the same for each. Intercepts are held near 0
    as the shifts of a calibration are (see `toile.evaluation.calibrators`), by half the sum of their squares.

    How strong the penalty is, is chosen inside the fitting images: of up to seven strengths, that of the least log loss over
    five folds, each judged by what was fitted on the other four. Folds are drawn with a fixed seed: the same images give the
    same coefficients. Each problem is convex, and solved as `toile.evaluation.optimise.least` says, in coordinates in which
    the curvature at the start is about 1 in every direction.

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
    coefficients = problem.pool
    for strength in PENALTIES[: PENALTIES.index(penalty) + 1]:
        last = strength == penalty
        coefficients = problem.solved(strength, GRADIENT if last else ROUGH_GRADIENT, coefficients)
    members, _, classes = logs.shape
    of_members = coefficients[:, :-1].T.reshape(members, classes, classes)
    return of_members + problem.exponents[:, None, None] * np.eye(classes), coefficients[:, -1]


def chosen_penalty(logs: MemberScores, labels: Labels) -> float:
    """The penalty with the least log loss over folds of the fitting images; of equal ones, the strongest.

    They are tried from strong to weak, and weaker ones no longer after two in a row that are clearly worse than the best:
    strong ones all leave the log-pool as it is, and differ in the last digits only.
    """
    fold, problems = folds(labels, FOLDS), list[tuple[Problem, NDArray[np.bool]]]()
    for held in range(FOLDS):
        out = fold == held
        if out.any() and not out.all():
            problems.append((Problem.of(logs[:, ~out], labels[~out]), out))
    coefficients = [problem.pool for problem, _ in problems]
    losses: list[float] = []
    for penalty in PENALTIES:
        coefficients = [
            problem.solved(penalty, ROUGH_GRADIENT, begin) for (problem, _), begin in zip(problems, coefficients, strict=True)
        ]
        judged = zip(problems, coefficients, strict=True)
        losses.append(sum(problem.loss_of(found, logs[:, out], labels[out]) for (problem, out), found in judged))
        if len(losses) > 2 and min(losses[-2:]) > WORSE * min(losses):
            break
    return PENALTIES[int(np.argmin(losses))]


@dataclass(frozen=True)
class Problem:
    """A regression whose coefficients are counted from those of a log-pool.

    Args:
        features: `(members * classes + 1, images)`: log-probabilities, then a row of ones.
        offset: `(classes, images)`: the scores of the log-pool.
        labels: `(images,)`.
        exponents: of the log-pool.
        curvature: `(classes, features, features)`: second derivatives of the log loss by each class's coefficients, at the
            log-pool.
    """

    features: NDArray[np.float64]
    offset: NDArray[np.float64]
    labels: Labels
    exponents: Numbers
    curvature: NDArray[np.float64]

    @classmethod
    def of(cls, logs: MemberScores, labels: Labels, exponents: Numbers | None = None) -> Problem:
        """The problem of logarithms `(members, images, classes)`; exponents are fitted where left out."""
        pooled = log_pool.exponents(logs, labels) if exponents is None else exponents
        features, offset = _features(logs), _pooled(pooled, logs)
        said, _ = softmax(offset, axis=0)
        curvature = np.stack([(features * one) @ features.T for one in said * (1 - said)]) / len(labels)
        return cls(features, offset, labels, pooled, curvature)

    @property
    def pool(self) -> Coefficients:
        """The coefficients of the log-pool, which are where all others are counted from."""
        return np.zeros((len(self.offset), len(self.features)))

    def solved(self, penalty: float, gradient: float, start: Coefficients) -> Coefficients:
        """`(classes, features)`: the coefficients with the least sum of log losses plus `penalty` / 2 times their squares, of
        intercepts 1 / 2.

        Args:
            gradient: where the search ends.
            start: where it begins.
        """
        columns, images = self.features.shape
        places, penalties = np.arange(len(self.labels)), np.ones(columns) * penalty / images
        penalties[-1] = 1 / images
        factors = np.asarray(np.linalg.cholesky(self.curvature + np.diag(penalties)), np.float64)
        turn = np.asarray(np.linalg.inv(factors), np.float64)

        def loss(turned: Numbers) -> tuple[float, Numbers]:
            coefficients = _each(turn.mT, turned.reshape(start.shape))
            scores = self.offset + coefficients @ self.features
            of_labels = scores[self.labels, places].sum()
            residual, total = softmax(scores, axis=0)
            residual[self.labels, places] -= 1
            slope = residual @ self.features.T / images + penalties * coefficients
            value = (total.sum() - of_labels) / images + (penalties * coefficients**2).sum() / 2
            return float(value), _each(turn, slope).ravel()

        found = least(loss, _each(factors.mT, start).ravel(), gradient)
        return _each(turn.mT, found.reshape(start.shape))

    def loss_of(self, coefficients: Coefficients, logs: MemberScores, labels: Labels) -> float:
        """The summed log loss of other images."""
        scores = _pooled(self.exponents, logs) + coefficients @ _features(logs)
        _, total = softmax(scores, axis=0)
        return float(total.sum() - scores[labels, np.arange(len(labels))].sum())


def _each(matrices: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The product of each class's matrix and vector."""
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _features(logs: MemberScores) -> NDArray[np.float64]:
    """`(members * classes + 1, images)`."""
    members, images, classes = logs.shape
    return np.vstack([logs.transpose(0, 2, 1).reshape(members * classes, images), np.ones(images)])


def _pooled(exponents: Numbers, logs: MemberScores) -> NDArray[np.float64]:
    """`(classes, images)`."""
    return np.ascontiguousarray(np.asarray(np.tensordot(exponents, logs, axes=1)).T)
