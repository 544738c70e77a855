"""What all fits of a committee have in common: on what they are allowed, and that the order of the members means nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels, MemberProbabilities, Positions
from toile.committee.rules import Fitted, aligned
from toile.evaluation.optimise import one_thread
from toile.evaluation.predictions import Predictions, fittable

# Of a fit: `(members, images, classes)` float32 and `(images,)` int64, to an array with one entry a member along its first
# axis, and one that all members share, or None.
Fit = Callable[[MemberProbabilities, Labels], tuple[NDArray[np.float64], NDArray[np.float64] | None]]


@dataclass(frozen=True)
class Unseen:
    """What members say of images that they were not trained on, in an order of its own.

    Members are in the order of the hashes of their probabilities: sums of floating-point numbers depend on their order, and a
    fit must not. Members that say the same are one member here, and share what it gets.

    Args:
        probabilities: `(different members, images, classes)` float32.
        labels: `(images,)`.
        places: `(members,)`: where each member, as they were given, is among the different ones.
    """

    probabilities: MemberProbabilities
    labels: Labels
    places: Positions

    @classmethod
    def of(cls, members: Sequence[Predictions], purpose: str) -> Unseen:
        """Members in that order.

        Args:
            purpose: what is to be fitted, in words that follow "cannot": `"fit committee weights"`.

        Raises:
            TestSetUsed: the predictions are of the test set, which picks nothing.
            Misuse: no members, members of different images, or predictions of the training set.
        """
        for member in members:
            fittable(member, purpose)
        probabilities = aligned(members)
        keys = [hashlib.sha256(np.ascontiguousarray(one).tobytes()).digest() for one in probabilities]
        different = sorted(set(keys))
        places = np.array([different.index(key) for key in keys])
        return cls(probabilities[[keys.index(key) for key in different]], members[0].labels, places)

    def shared(self, of_each: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each of the different members got along the first axis, as a share for each of those that were given."""
        return (of_each.T / np.bincount(self.places)).T[self.places]


def on_unseen(purpose: str) -> Callable[[Fit], Callable[[Sequence[Predictions]], Fitted]]:
    """Turn a fit over arrays into one over predictions, which knows what they are of; `purpose` as `Unseen.of` takes it."""

    def decorate(fit: Fit) -> Callable[[Sequence[Predictions]], Fitted]:
        @wraps(fit)
        def fitted(members: Sequence[Predictions]) -> Fitted:
            unseen = Unseen.of(members, purpose)
            with one_thread():
                of_each, of_all = fit(unseen.probabilities, unseen.labels)
            of_members = unseen.shared(of_each)
            if of_all is None:
                return tuple(of_members.tolist())
            rows = [*of_members.reshape(-1, of_members.shape[-1]).tolist(), of_all.tolist()]
            return tuple(tuple(row) for row in rows)

        return fitted

    return decorate
