"""How much each member of a committee should count."""

from __future__ import annotations

import numpy as np

from toile.arrays import Labels, MemberProbabilities, Numbers
from toile.committee.fitting import on_unseen
from toile.evaluation.scores import EPSILON

ITERATIONS = 20_000
# In nats. Differences of log loss that anybody reports are a thousand times larger.
GAP = 1e-7
NEGLIGIBLE = 1e-6


@on_unseen("fit committee weights")
def fit(probabilities: MemberProbabilities, labels: Labels) -> tuple[Numbers, None]:
    """The weights of `weighted-mean` with the least log loss: one a member, from 0 up, summing to 1.

    Expectation-maximisation for the proportions of a mixture (Dempster, Laird & Rubin 1977): a member's new weight is the
    mean share that it has in the committee's probability of the right class. The log loss is convex in the weights and
    falls in every step; by convexity it is at most `max(gradient) - 1` from the least possible, which ends the loop. The
    start is the plain mean, nothing is random, and equal members end equal.

    Args:
        members: predictions of the same images, of a `validation` or `out-of-fold` split.

    Raises:
        TestSetUsed: the predictions are of the test set, which picks nothing.
        Misuse: no members, members of different images, or predictions of the training set.
    """
    # (members, images): what each gave the right class; clipped, so that no image weighs infinitely.
    of_label = probabilities[:, np.arange(len(labels)), labels].astype(np.float64)
    of_label = np.clip(of_label, EPSILON, 1 - EPSILON)
    weights = np.full(len(probabilities), 1 / len(probabilities))
    for _ in range(ITERATIONS):
        gradient = (of_label / (weights @ of_label)).mean(axis=1)
        if gradient.max() - 1 < GAP:
            break
        weights = weights * gradient
        weights /= weights.sum()
    # EM comes close to 0 and never there; a member that does not count should say so.
    weights[weights < NEGLIGIBLE] = 0
    return weights / weights.sum(), None
