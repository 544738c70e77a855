"""Images held out at random, the same share of each class.

It is scikit-learn's `train_test_split(stratify=labels)`, to the last position. Importing that takes a second, more than all
that a plan does.
"""

from __future__ import annotations

import math

import numpy as np

from toile.arrays import Counts, PositionLabels, Positions
from toile.data.dataset import Dataset
from toile.text import counted_images


class Rare(Exception):
    """A class with too few images for parts that each have some of it.

    Args:
        label: of the class; None where there are more classes than images in a part.
        count: images of it, or of all.
        held: share that is held out.
        wanted: images of it that have to be held out.
    """

    def __init__(self, label: int | None, count: int, held: float, wanted: int = 1) -> None:
        super().__init__(label)
        self.label, self.count, self.held, self.wanted = label, count, held, wanted

    def told(self, dataset: Dataset) -> str:
        """What is wrong with a data set, and the way out."""
        said, found = f"data set {dataset.name!r} cannot be split stratified: ", counted_images(self.count)
        if self.label is None:
            least = math.ceil(100 * dataset.classes / self.count) / 100
            two = f"{counted_images(2 * dataset.classes)} at least, two of each class"
            way = f"{least:g} or more for each" if least <= 0.5 else two
            return (
                f"{said}{min(self.held, 1 - self.held):g} of {found} are fewer than its {dataset.classes} classes, so not each "
                f"has one in every part; expected {way}"
            )
        if self.count <= self.wanted:
            way = f"expected {self.wanted + 1} at least, one for each part"
        else:
            least = math.ceil(100 * (self.wanted - 0.5) / self.count) / 100
            way = f"expected a share of {least:g} or more for validation and test together, or more images of it"
        return (
            f"{said}class {dataset.class_names[self.label]!r} has {found}, and with {self.held:g} held out not every part "
            f"gets one; {way}. Or leave the class out, or join it with another by `class_map`"
        )


def stratified(positions: Positions, labels: PositionLabels, size: float | int, seed: int) -> tuple[Positions, Positions]:
    """What is kept of `positions`, and what is held out, both in random order.

    Args:
        labels: classes of the positions.
        size: share that is held out, or how many.

    Raises:
        Rare: a class has one image only, or there are more classes than images in a part.
    """
    present, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    total = len(positions)
    out = size if isinstance(size, int) else math.ceil(size * total)
    if counts.min() < 2:
        raise Rare(int(present[counts.argmin()]), int(counts.min()), out / total)
    if min(out, total - out) < len(present):
        raise Rare(None, total, out / total)
    random = np.random.RandomState(seed)
    of_class = np.split(np.argsort(inverse, kind="mergesort"), np.cumsum(counts)[:-1])
    kept_counts = _shares(counts, total - out, random)
    held_counts = _shares(counts - kept_counts, out, random)
    kept, held = [], []
    for where, keep, hold in zip(of_class, kept_counts, held_counts, strict=True):
        order = where[random.permutation(len(where))]
        kept.append(order[:keep])
        held.append(order[keep : keep + hold])
    return positions[random.permutation(np.concatenate(kept))], positions[random.permutation(np.concatenate(held))]


def _shares(counts: Counts, draws: int, random: np.random.RandomState) -> Counts:
    """How many of each class are drawn: as close to its share as whole numbers can be, ties by chance.

    The mode of the multivariate hypergeometric distribution, approximately: scikit-learn's `_approximate_mode`.
    """
    exact = counts / counts.sum() * draws
    whole = np.floor(exact)
    left = int(draws - whole.sum())
    if left > 0:
        remainder = exact - whole
        for value in np.sort(np.unique(remainder))[::-1]:
            (where,) = np.where(remainder == value)
            add = min(len(where), left)
            whole[random.choice(where, size=add, replace=False)] += 1
            left -= add
            if left == 0:
                break
    return whole.astype(np.int64)
