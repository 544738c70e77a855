"""Area under the ROC curve for several classes.

An area is the chance that an image of the class gets a higher score than an image of another, ties counting half (the
Mann-Whitney statistic), so it is counted directly from sorted scores. That is exact, needs neither a curve nor
scikit-learn, and takes a tenth of the time of one.
"""

from __future__ import annotations

import numpy as np

from toile.arrays import AnyScores, Labels, Probabilities


def roc_auc_ovr(probabilities: Probabilities, labels: Labels) -> float:
    """Mean over the classes of the area of class against rest, unweighted; NaN where a class has no image or every one."""
    classes = probabilities.shape[1]
    areas = [_area(probabilities[labels == c, c], np.sort(probabilities[labels != c, c])) for c in range(classes)]
    return float(np.mean(areas))


def roc_auc_ovo(probabilities: Probabilities, labels: Labels) -> float:
    """Mean over all ordered pairs of classes of the area of one against the other, by the score of the first, unweighted.

    Hand & Till, "A Simple Generalisation of the Area Under the ROC Curve for Multiple Class Classification Problems",
    Machine Learning 45, 2001: insensitive to how common the classes are. NaN where a class has no image.
    """
    classes = probabilities.shape[1]
    # Each column on its own, `_area` asks for one at a time.
    of_class = [np.sort(probabilities[labels == c], axis=0) for c in range(classes)]
    areas = [_area(of_class[c][:, c], of_class[other][:, c]) for c in range(classes) for other in range(classes) if other != c]
    return float(np.mean(areas))


def _area(inside: AnyScores, outside: AnyScores) -> float:
    """Of one score against another; `outside` is sorted."""
    if not len(inside) or not len(outside):
        return float("nan")
    lower = np.searchsorted(outside, inside, side="left").sum()
    not_higher = np.searchsorted(outside, inside, side="right").sum()
    return float((lower + not_higher) / 2 / (len(inside) * len(outside)))
