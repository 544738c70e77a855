"""How much the members of a committee differ, and where. Members that always agree gain nothing together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Pairwise, PerImage, Positions, Votes
from toile.errors import Misuse


def disagreement(members: NDArray[np.floating[Any]]) -> Pairwise:
    """Pairwise disagreement: the share of images on which two members' most probable classes differ.

    The disagreement measure of Skalak 1996, in Kuncheva & Whitaker, "Measures of Diversity in Classifier Ensembles", Machine
    Learning 51, 2003, taken over the decisions themselves: two members that are wrong in different ways disagree here.

    Args:
        members: `(members, images, classes)` probabilities.

    Returns:
        `(members, members)` float64, 0..1, symmetric, 0 on the diagonal.
    """
    votes = _votes(members)
    return (votes[:, None] != votes[None]).mean(axis=2)


def most_disputed(members: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], count: int) -> Positions:
    """The images on which the members disagree most, most disputed first.

    Ranked by the number of classes that get a vote, then by the members' mutual information (entropy of the mean
    probabilities minus mean entropy of the probabilities: how surely they contradict each other; Houlsby et al. 2011), then by
    how few members are right, then by index. An image on which all vote the same is not disputed and never returned.

    Args:
        members: `(members, images, classes)` probabilities.
        labels: `(images,)`.
        count: how many at most.

    Returns:
        Up to `count` indices of images, int64.
    """
    votes = _votes(members)
    if np.shape(labels) != votes.shape[1:]:
        raise Misuse(f"got labels of shape {np.shape(labels)} for {votes.shape[1]} images; expected one label an image")
    ordered = np.sort(votes, axis=0)
    distinct = 1 + (ordered[1:] != ordered[:-1]).sum(axis=0)
    right = (votes == labels).sum(axis=0)
    information = mutual_information(members)
    # lexsort: the last key counts first, and it is stable, so the index decides what is left.
    ranked = np.lexsort((right, -information, -distinct))
    return ranked[distinct[ranked] > 1][: max(count, 0)]


def mutual_information(members: NDArray[np.floating[Any]]) -> PerImage:
    """How surely the members contradict each other about each image: the entropy of their mean probabilities minus the mean of
    their entropies ("BALD"; Houlsby, Huszár, Ghahramani & Lengyel 2011).

    Args:
        members: `(members, images, classes)` probabilities.

    Returns:
        `(images,)` float64 in nats, 0 where all members say the same, to rounding.
    """
    # Sorted: equal images must not be told apart by rounding that depends on the order of the members.
    probabilities = np.sort(np.asarray(members, np.float64), axis=0)
    return _entropy(probabilities.mean(axis=0)) - np.sort(_entropy(np.asarray(members)), axis=0).mean(axis=0)


def mean_of_members(
    metrics: Sequence[dict[str, Any]], names: Sequence[str] = ("accuracy", "loss", "precision", "recall")
) -> dict[str, float]:
    """The plain means of the members' own figures. No committee: no set of probabilities has them.

    Args:
        metrics: one dictionary a member, as `toile.evaluation.metrics.evaluate` gives it.
        names: which metrics; one that a member lacks, or has None for, is left out.
    """
    if not metrics:
        raise Misuse("the mean of no members; at least one is needed")
    return {
        name: float(np.mean([member[name] for member in metrics]))
        for name in names
        if all(member.get(name) is not None for member in metrics)
    }


def _votes(members: NDArray[np.floating[Any]]) -> Votes:
    """`(members, images)`: the most probable class."""
    if np.ndim(members) != 3 or len(members) < 1:
        raise Misuse(f"members have shape {np.shape(members)}; expected (members, images, classes), one member at least")
    return np.asarray(members).argmax(axis=2)


def _entropy(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """In nats, over the last axis; 0 log 0 is 0."""
    safe = np.clip(probabilities.astype(np.float64), 1e-30, 1)
    return -(safe * np.log(safe)).sum(axis=-1)
