"""Classes that some part of a split has no image of: seen before anything trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toile.arrays import Positions
from toile.data.dataset import Dataset
from toile.data.parts.splits import split, words

if TYPE_CHECKING:
    from toile.study.data.split import SplitSpec


def absent(dataset: Dataset, spec: SplitSpec) -> str | None:
    """What is wrong with a split by which some part has no image of a class that there are images of; None where all have.

    A model that never saw a class, or is never asked about one, has figures that mean nothing. Of parts that the data set
    brings itself the audit tells.
    """
    present = np.unique(dataset.train.labels)
    if len(present) < 2:
        name = dataset.class_names[present[0]]
        return f"data set {dataset.name!r}: all training images are of one class, {name!r}; expected two at least"
    for fold in range(spec.folds) if spec.folds is not None else [None]:
        parts = split(dataset, spec, fold)
        for part in parts.indices:
            if len(none := np.setdiff1d(present, parts.labels(part))):
                return _told(dataset, spec, part if fold is None else f"{part} (fold {fold + 1})", none)
    return None


def _told(dataset: Dataset, spec: SplitSpec, part: str, none: Positions) -> str:
    names = ", ".join(repr(dataset.class_names[label]) for label in none[:10]) + (" …" if len(none) > 10 else "")
    count = int(np.bincount(dataset.train.labels)[none].max())
    start = f"data set {dataset.name!r}, {words(spec)}: the {part} part has no image of {names}"
    there = "there is 1 image" if count == 1 else f"there are {count:,} images"
    if spec.groups is not None:
        return f"{start}: there are too few groups with these classes; add some, or leave the classes out"
    if spec.method == "tail":
        why = "`tail` takes the last images, and these seem to be sorted by class"
    elif spec.method == "random":
        why = f"{there} of the commonest of these, and chance left it out"
    else:
        way = "add some, leave the class out, or join it with another by `class_map`"
        why = f"{there} of the commonest of these: {way}"
    hint = "" if spec.method == "stratified" else '; write method = "stratified" in the study\'s split'
    return f"{start}: {why}{hint}"
