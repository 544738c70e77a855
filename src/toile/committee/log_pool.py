"""The exponents of a log-linear pool."""

from __future__ import annotations

import numpy as np

from toile.arrays import Labels, MemberProbabilities, MemberScores, Numbers
from toile.committee.fitting import on_unseen
from toile.evaluation.optimise import least
from toile.evaluation.scores import logarithms, softmax

# An exponent of 20 makes 0.98 of a guess of 0.55.
MOST = 20.0


@on_unseen("fit the exponents of a log-pool")
def fit(probabilities: MemberProbabilities, labels: Labels) -> tuple[Numbers, None]:
    """The exponents of `log-pool` with the least log loss: one a member, from 0 to 20.

    The log loss is convex in them (a multinomial logistic regression with one coefficient a member), so its minimum is found
    from any start: the search begins at the geometric mean, and ends as `toile.evaluation.optimise.least` says. A single
    member's exponent is one over its temperature (Guo et al. 2017).

    They are held near the geometric mean, as temperatures are near 1 (see `toile.evaluation.calibrators`): to the sum of the
    log losses is added half the number of members times the sum of squares of what they differ by from it. It is as much for
    exponents that add up to 2 however many members share them. Of few images that are nearly all right, members would become
    far too sure otherwise, and of twelve members one would be taken for chance.

    Args:
        members: predictions of the same images, of a `validation` or `out-of-fold` split.

    Raises:
        TestSetUsed: the predictions are of the test set, which picks nothing.
        Misuse: no members, members of different images, or predictions of the training set.
    """
    return exponents(logarithms(probabilities), labels), None


def exponents(logs: MemberScores, labels: Labels) -> Numbers:
    """The same of logarithms `(members, images, classes)`, as `(members,)` float64."""
    count, images, _ = logs.shape
    of_labels = logs[:, np.arange(images), labels].sum(axis=1)
    by_class = np.ascontiguousarray(logs.transpose(0, 2, 1))

    equal = np.ones(count) / count

    def loss(exponents: Numbers) -> tuple[float, Numbers]:
        pooled, total = softmax(np.asarray(np.tensordot(exponents, by_class, axes=1)), axis=0)
        expected, off = np.asarray(np.tensordot(by_class, pooled, axes=([1, 2], [0, 1]))), exponents - equal
        value = float(total.sum() - exponents @ of_labels + count * (off @ off) / 2)
        return value / images, (expected - of_labels + count * off) / images

    return least(loss, equal, bounds=[(0, MOST)] * count)
