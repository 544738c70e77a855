"""Which labels are probably wrong, by confident learning (Northcutt, Jiang & Chuang, JAIR 70, 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toile.arrays import Confusion, Labels, PerClass, PerImage, Positions, Probabilities
from toile.evaluation.predictions import Predictions, fittable


@dataclass(frozen=True)
class Suspected:
    """Images whose labels are probably wrong, the surest first.

    Args:
        images: their places in the predictions, `(suspected,)`.
        margins: `(images,)`, of all images: the probability of the label minus the largest of another class, -1..1.
    """

    images: Positions
    margins: PerImage


def label_errors(predictions: Predictions) -> Suspected:
    """The images that the confident joint says are labelled wrongly.

    For each label and each other class as many images are taken as the joint estimates ("prune by noise rate"): those in which
    the class is most ahead of the label. An image whose label is the most probable class is never taken. They are ranked by
    their normalised margin.

    Args:
        predictions: of images that the model was not trained on: validation or out-of-fold.

    Raises:
        Misuse: of the training or the test set.
    """
    fittable(predictions, "look for label errors")
    probabilities, labels = predictions.probabilities, predictions.labels
    rows = np.arange(len(labels))
    of_label = probabilities[rows, labels].astype(np.float64)
    others = probabilities.astype(np.float64)
    others[rows, labels] = -np.inf
    margins = of_label - others.max(axis=1)
    suspected = np.zeros(len(labels), bool)
    for label, row in enumerate(estimated(probabilities, labels)):
        members = np.flatnonzero(labels == label)
        for other, count in enumerate(row):
            if other != label and count:
                ahead = probabilities[members, other] - of_label[members]
                suspected[members[np.argsort(-ahead, kind="stable")[:count]]] = True
    found = np.flatnonzero(suspected & (predictions.predicted != labels))
    return Suspected(found[np.argsort(margins[found], kind="stable")], margins)


def thresholds(probabilities: Probabilities, labels: Labels) -> PerClass:
    """`(classes,)`: the mean probability of a class over the images labelled with it; infinite where there are none."""
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    sums = np.bincount(labels, own, minlength=probabilities.shape[1])
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def confident_joint(probabilities: Probabilities, labels: Labels) -> Confusion:
    """`(classes, classes)` int64: how many images of a label (row) are confidently of a class (column).

    An image is confidently of a class whose probability is at least the class's threshold; of several, of the most probable.
    An image that reaches no threshold is not counted.
    """
    classes = probabilities.shape[1]
    reached = np.where(probabilities >= thresholds(probabilities, labels) - 1e-9, probabilities, -1.0)
    confident = reached.max(axis=1) >= 0
    pairs = labels[confident] * classes + reached[confident].argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def estimated(probabilities: Probabilities, labels: Labels) -> Confusion:
    """`(classes, classes)` int64: the confident joint, each row scaled to the number of images with its label, and rounded.

    A row in which nothing is confident has all of its images on the diagonal.
    """
    joint = confident_joint(probabilities, labels).astype(np.float64)
    counts = np.bincount(labels, minlength=len(joint))
    empty = joint.sum(axis=1) == 0
    joint[empty, empty] = 1
    return np.rint(joint / joint.sum(axis=1, keepdims=True) * counts[:, None]).astype(np.int64)
