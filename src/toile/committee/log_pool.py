"""The exponents of a log-linear pool."""

from __future__ import annotations

import numpy as np

from toile.committee.fitting import on_unseen
from toile.evaluation.scores import logarithms, softmax

# An exponent of 20 makes 0.98 of a guess of 0.55. Members that are right on every image would have infinite ones.
MOST = 20.0
# Of each exponent's derivative of the log loss, in nats: where the search ends.
GRADIENT = 1e-7
ITERATIONS = 1000


@on_unseen("fit the exponents of a log-pool")
def fit(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, None]:
    """The exponents of `log-pool` with the least log loss: one a member, from 0 to 20.

    The log loss is convex in them (a multinomial logistic regression with one coefficient a member), so its minimum is found
    from any start: L-BFGS-B (Byrd et al. 1995) begins at the geometric mean and ends where no derivative, of those that the
    bounds allow to follow, is above 1e-7. Nothing is random. A single member's exponent is one over its temperature (Guo et
    al. 2017); of several, the sum is that of the whole.

    Args:
        members: predictions of the same images, of a `validation` or `out-of-fold` split.

    Raises:
        TestSetUsed: the predictions are of the test set, which picks nothing.
        Misuse: no members, members of different images, or predictions of the training set.
    """
    return exponents(logarithms(probabilities), labels), None


def exponents(logs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The same of logarithms `(members, images, classes)`, as `(members,)` float64."""
    from scipy.optimize import minimize

    count, images, _ = logs.shape
    of_labels = logs[:, np.arange(images), labels].sum(axis=1)

    def loss(exponents: np.ndarray) -> tuple[float, np.ndarray]:
        pooled, total = softmax(np.tensordot(exponents, logs, axes=1))
        expected = np.tensordot(logs, pooled, axes=([1, 2], [0, 1]))
        return (total.sum() - exponents @ of_labels) / images, (expected - of_labels) / images

    # `ftol` is far below what GRADIENT leaves, so that it is GRADIENT which ends the search.
    options = {"gtol": GRADIENT, "ftol": 1e-15, "maxiter": ITERATIONS}
    bounds = [(0, MOST)] * count
    return minimize(loss, np.full(count, 1 / count), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
