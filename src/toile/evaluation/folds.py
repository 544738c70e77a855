"""Images in folds, where something is fitted on most of them and judged on the others."""

from __future__ import annotations

import numpy as np

from toile.arrays import Labels


def folds(labels: Labels, count: int, seed: int = 0) -> Labels:
    """`(images,)` int64: a fold, 0..count - 1, for each image, drawn so that every fold has its share of each class.

    scikit-learn's StratifiedKFold warns of classes with fewer images than folds, and takes a second to import.
    """
    drawn = np.random.default_rng(seed).permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[by_class] = np.arange(len(labels)) % count
    return fold
