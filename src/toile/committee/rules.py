"""Rules that make one set of probabilities out of several, and one table of them at the foot.

A rule takes `members` `(members, images, classes)` floats, rows summing to 1, and `weights`, and returns `(images, classes)`
float32, rows summing to 1. Weights are one number a member; for `greedy` two; for `stack` a row for each class of each member,
and one more; for some rules None. Rules without weights give the same bits in whatever order the members come: they add sorted
numbers, as floating-point sums depend on the order. A new rule is a function here and a line in `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import MemberProbabilities, Numbers, Probabilities, Scores
from toile.errors import Misuse, nearest
from toile.evaluation.predictions import Predictions
from toile.evaluation.scores import logarithms, softmax

Weights = Sequence[float] | Sequence[Sequence[float]] | NDArray[np.floating[Any]] | None
# As a fit gives them.
Fitted = tuple[float, ...] | tuple[tuple[float, ...], ...]

# What the winner of a tied vote is ahead: small beside one vote, large beside the rounding of float32.
TIE = 1e-6


def mean(members: MemberProbabilities, weights: Weights = None) -> Probabilities:
    """Arithmetic mean of the probabilities (the sum rule of Kittler et al., "On Combining Classifiers", PAMI 20, 1998)."""
    _unweighted("mean", weights)
    return _finished(_mean(members))


def geometric_mean(members: MemberProbabilities, weights: Weights = None) -> Probabilities:
    """Geometric mean, renormalised: the normalised product rule, or logarithmic opinion pool.

    Clipped at 1e-7 from below, so that a single member's 0 does not forbid a class.
    """
    _unweighted("geometric-mean", weights)
    logarithm = _mean(logarithms(members))
    return _finished(_normalised(np.exp(logarithm - logarithm.max(axis=1, keepdims=True))))


def median(members: MemberProbabilities, weights: Weights = None) -> Probabilities:
    """Median of each class's probabilities, renormalised; the mean where every class's median is 0."""
    _unweighted("median", weights)
    middle = np.clip(np.median(np.asarray(members, np.float64), axis=0), 0, None)
    empty = middle.sum(axis=1) <= 0
    middle[empty] = np.clip(_mean(members)[empty], 0, None)
    return _finished(_normalised(middle))


def vote(members: MemberProbabilities, weights: Weights = None) -> Probabilities:
    """Share of the members that vote for each class; a member votes for its most probable class.

    Of the classes with most votes the one with the higher mean probability wins (of equals, the lowest class): it is put
    ahead by a millionth, so that the most probable class of the result is the committee's decision.
    """
    _unweighted("vote", weights)
    classes: int = members.shape[2]
    votes: NDArray[np.int64] = np.equal(members.argmax(axis=2)[:, :, None], np.arange(classes)).sum(axis=0)
    tied: NDArray[np.bool] = np.equal(votes, votes.max(axis=1, keepdims=True))
    winner = np.where(tied, _mean(members), -1).argmax(axis=1)
    shares = votes / len(members)
    contested = tied.sum(axis=1) > 1
    shares[contested, winner[contested]] += TIE
    return _finished(_normalised(shares))


def weighted_mean(members: MemberProbabilities, weights: Weights = None) -> Probabilities:
    """Arithmetic mean with a weight a member; the weights are divided by their sum.

    Raises:
        Misuse: no weights, not one a member, a negative or infinite one, or all of them 0.
    """
    if weights is None:
        raise Misuse("the rule 'weighted-mean' needs weights, one a member; without any, the rule is 'mean'")
    weight = _of_members("weighted-mean", weights, len(members))
    if weight.sum() <= 0:
        raise Misuse(f"weights are {weight.tolist()}; allowed are finite numbers from 0 up, one of them above 0")
    together = np.tensordot(weight / weight.sum(), np.asarray(members, np.float64), axes=1)
    return _finished(np.asarray(together, np.float64))


def log_pool(members: MemberProbabilities, weights: Weights = None) -> Probabilities:
    """Product of the probabilities, each member's to a power of its own that is fitted, renormalised.

    The logarithmic opinion pool (Genest & Zidek, "Combining Probability Distributions", Statistical Science 1, 1986); of one
    member it is temperature scaling. Clipped at 1e-7 from below, as `geometric-mean`, which it is with exponents of one over
    the number of members.

    Raises:
        Misuse: no exponents, not one a member, or a negative or infinite one.
    """
    if weights is None:
        raise Misuse("the rule 'log-pool' needs exponents, one a member, which are fitted")
    exponents = _of_members("log-pool", weights, len(members))
    return _finished(softmax(np.asarray(np.tensordot(exponents, logarithms(members), axes=1)))[0])


def stack(members: MemberProbabilities, weights: Weights = None) -> Probabilities:
    """Multinomial logistic regression on the members' log-probabilities, with coefficients that are fitted.

    Stacking (Wolpert, "Stacked Generalization", Neural Networks 5, 1992). Clipped at 1e-7 from below.

    Args:
        weights: `(members * classes + 1, classes)`: what each of a member's classes adds to the score of each class, member
            after member; last, the intercepts.

    Raises:
        Misuse: no coefficients, of another shape, or infinite ones.
    """
    count, images, classes = np.shape(members)
    if weights is None:
        raise Misuse("the rule 'stack' needs coefficients, which are fitted")
    coefficients = np.asarray(weights, np.float64)
    if coefficients.shape != (count * classes + 1, classes) or not np.isfinite(coefficients).all():
        raise Misuse(
            f"got coefficients of shape {coefficients.shape} for {count} members and {classes} classes; expected finite "
            f"ones of shape {(count * classes + 1, classes)}"
        )
    logs = logarithms(members).transpose(1, 0, 2).reshape(images, count * classes)
    return _finished(softmax(logs @ coefficients[:-1] + coefficients[-1])[0])


def greedy(members: MemberProbabilities, weights: Weights = None) -> Probabilities:
    """Arithmetic mean of members that a greedy selection chose, each at its own temperature, weighted by how often it did.

    See `toile.committee.selection`. Clipped at 1e-7 from below before the temperature.

    Args:
        weights: `(members, 2)`: a share of the mean, and the exponent that the probabilities are brought to before, which is
            one over the temperature. The shares are divided by their sum.

    Raises:
        Misuse: no weights, of another shape, negative or infinite ones, or all shares 0.
    """
    count = len(members)
    if weights is None:
        raise Misuse("the rule 'greedy' needs a weight and an exponent for each member, which are fitted")
    rows = np.asarray(weights, np.float64)
    if rows.shape != (count, 2):
        raise Misuse(f"got weights of shape {rows.shape} for {count} members; expected a weight and an exponent for each")
    exponents = _of_members("greedy", rows[:, 1], count)
    return weighted_mean(softmax(exponents[:, None, None] * logarithms(members), axis=2)[0], rows[:, 0])


def combine(members: Sequence[Predictions], rule: str, weights: Weights = None) -> Predictions:
    """The committee's own predictions.

    Args:
        members: predictions of the same images of the same split.
        rule: a name in `RULES`.
        weights: as the rule takes them.

    Raises:
        Misuse: no member, members of different images, an unknown rule, weights that the rule does not take or lacks.
    """
    if rule not in RULES:
        raise Misuse(f"unknown rule {rule!r}{nearest(rule, RULES)}; allowed: {', '.join(RULES)}")
    together = aligned(members)
    return Predictions(members[0].split, RULES[rule](together, weights), members[0].labels)


def aligned(members: Sequence[Predictions]) -> MemberProbabilities:
    """`(members, images, classes)` float32: the members' probabilities, after a check that they speak of the same images.

    Raises:
        Misuse: no member, or members whose split, shape or labels differ.
    """
    if not members:
        raise Misuse("a committee of no members; at least one is needed")
    first = members[0]
    for position, member in enumerate(members[1:], start=2):
        for what, ours, theirs in (
            ("split", first.split, member.split),
            ("shape (images, classes)", first.probabilities.shape, member.probabilities.shape),
        ):
            if ours != theirs:
                raise Misuse(f"members of a committee differ in {what}: member 1 has {ours}, member {position} {theirs}")
        if not np.array_equal(first.labels, member.labels):
            differing = int((first.labels != member.labels).sum())
            raise Misuse(
                f"members of a committee speak of different images: {differing} of {len(first)} labels "
                f"differ between member 1 and member {position}"
            )
    return np.stack([member.probabilities for member in members])


def _of_members(rule: str, weights: Weights, count: int) -> Numbers:
    """`(members,)` float64, from 0 up."""
    weight = np.asarray(weights, np.float64)
    if weight.shape != (count,):
        raise Misuse(f"got weights of shape {weight.shape} for {count} members; expected one weight a member")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise Misuse(f"weights of {rule!r} are {weight.tolist()}; allowed are finite numbers from 0 up")
    return weight


def _unweighted(rule: str, weights: Weights) -> None:
    if weights is not None:
        raise Misuse(f"the rule {rule!r} takes no weights; 'weighted-mean' does")


def _mean(members: MemberProbabilities) -> Scores:
    return np.sort(np.asarray(members, np.float64), axis=0).mean(axis=0)


def _normalised(scores: Scores) -> Scores:
    return scores / scores.sum(axis=1, keepdims=True)


def _finished(probabilities: Scores) -> Probabilities:
    """Float32 in 0..1: members may leave that range by rounding."""
    return np.clip(probabilities, 0, 1).astype(np.float32)


RULES: dict[str, Callable[[MemberProbabilities, Weights], Probabilities]] = {
    "mean": mean,
    "geometric-mean": geometric_mean,
    "median": median,
    "vote": vote,
    "weighted-mean": weighted_mean,
    "log-pool": log_pool,
    "stack": stack,
    "greedy": greedy,
}
