"""Metrics of probabilities: functions, and one table of them at the foot.

Every function takes `probabilities` `(images, classes)`, rows summing to 1, and `labels` `(images,)`, 0..classes - 1, and
returns one float; NaN where the metric is undefined. A ratio of nothing to nothing is 0, as in Keras and in scikit-learn with
`zero_division=0`. A new metric is a function here and a line in `METRICS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Confusion, Counts, Labels, PerClass, PerImage, Probabilities
from toile.evaluation.calibration import ece, ece_classwise, ece_equal_mass
from toile.evaluation.predictions import checked
from toile.evaluation.roc import roc_auc_ovo, roc_auc_ovr

# The smallest normal float32, 87.3 nats. Keras computes the loss of a model that ends in a softmax from its logits, without a
# bound; the bound of 1e-7 that it has for bare probabilities would hide how sure a model is of its mistakes.
SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Metric:
    """A row of `METRICS`: the function, which way is up, how to call it in a table, and whose definition it is."""

    function: Callable[[Probabilities, Labels], float]
    greater_is_better: bool
    title: str
    source: str


def right_per_image(probabilities: Probabilities, labels: Labels) -> PerImage:
    """`(images,)` float64: 1 where the most probable class is the label, else 0."""
    return (probabilities.argmax(axis=1) == labels).astype(np.float64)


def loss_per_image(probabilities: Probabilities, labels: Labels) -> PerImage:
    """`(images,)` float64: cross-entropy in nats: -log of the label's share of the row, at most 87.3."""
    total = probabilities.sum(axis=1, dtype=np.float64)
    of_label = probabilities[np.arange(len(labels)), labels] / total
    return -np.log(np.clip(of_label, SMALLEST, 1))


def brier_per_image(probabilities: Probabilities, labels: Labels) -> PerImage:
    """`(images,)` float64, 0..2: squared distance of the probabilities from the one-hot label, summed over the classes."""
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(labels)), labels] -= 1
    return (distance**2).sum(axis=1)


def accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """Share of images whose most probable class is the label."""
    return float(right_per_image(probabilities, labels).mean())


def balanced_accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """The mean of the classes' own accuracies (their recalls), over the classes that have an image: each class counts alike,
    however few its images. Guessing has 1 / classes."""
    return _balanced(confusion_matrix(probabilities, labels))


def with_balanced_accuracy(figures: dict[str, Any]) -> dict[str, Any]:
    """What `evaluate` returns, with the balanced accuracy where it was stored before there was one."""
    if "balanced_accuracy" in figures or "confusion_matrix" not in figures:
        return figures
    return {**figures, "balanced_accuracy": _balanced(np.asarray(figures["confusion_matrix"]))}


def loss(probabilities: Probabilities, labels: Labels) -> float:
    """Log loss (categorical cross-entropy) in nats, as Keras computes it from logits; at most 87.3."""
    return float(loss_per_image(probabilities, labels).mean())


def brier(probabilities: Probabilities, labels: Labels) -> float:
    """Brier score in its first, multi-class form: a sum over classes, so 0..2. (The binary half of it is 0..1.)"""
    return float(brier_per_image(probabilities, labels).mean())


def precision(probabilities: Probabilities, labels: Labels) -> float:
    """`keras.metrics.Precision` on one-hot labels: of all probabilities above 0.5, the share that belong to the label.

    An image of which the model is sure of nothing counts neither for nor against. Not scikit-learn's precision.
    """
    above = probabilities > 0.5
    return _ratio(above[np.arange(len(labels)), labels].sum(), above.sum())


def recall(probabilities: Probabilities, labels: Labels) -> float:
    """`keras.metrics.Recall` on one-hot labels: the share of images whose label has a probability above 0.5."""
    return _ratio((probabilities[np.arange(len(labels)), labels] > 0.5).sum(), len(labels))


def confusion_matrix(probabilities: Probabilities, labels: Labels, classes: int | None = None) -> Confusion:
    """`(classes, classes)` int64: how many images of the label (row) were taken for each class (column).

    `classes` is the number of columns of `probabilities` where left out.
    """
    count: int = probabilities.shape[1] if classes is None else classes
    return np.bincount(labels * count + probabilities.argmax(axis=1), minlength=count**2).reshape(count, count)


def per_class(probabilities: Probabilities, labels: Labels, classes: int | None = None) -> list[dict[str, Any]]:
    """One dictionary a class: `class` (its label), `precision`, `recall`, `f1` (0..1), `support` (images of the class).

    By the most probable class, as scikit-learn's classification report; not Keras's threshold.
    """
    precisions, recalls, f1s, supports = _per_class(confusion_matrix(probabilities, labels, classes))
    return [
        {"class": c, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
        for c, (p, r, f, s) in enumerate(zip(precisions, recalls, f1s, supports, strict=True))
    ]


def progress_metrics(probabilities: Probabilities, labels: Labels) -> dict[str, float]:
    """What is followed epoch by epoch: `loss`, `accuracy`, `precision`, `recall` (Keras's sense).

    Plain NumPy and unchecked, because it runs every epoch; a model that has diverged has a loss of NaN here.
    """
    return {function.__name__: function(probabilities, labels) for function in (loss, accuracy, precision, recall)}


def evaluate(probabilities: NDArray[Any], labels: NDArray[Any]) -> dict[str, Any]:
    """Everything that is known about `probabilities`, ready for JSON.

    Args:
        probabilities: `(images, classes)` floats, rows sum to 1.
        labels: `(images,)` whole numbers, 0..classes - 1.

    Returns:
        Every metric of `METRICS` by name (None where undefined: ROC AUC where a class has no image), and
        `confusion_matrix` (rows are labels), `per_class` (see `per_class`) and `images` (how many).

    Raises:
        NotProbabilities: see `Predictions`.
    """
    probabilities, labels = checked(probabilities, labels)
    values = {name: metric.function(probabilities, labels) for name, metric in METRICS.items()}
    return {
        **{name: value if math.isfinite(value) else None for name, value in values.items()},
        "confusion_matrix": confusion_matrix(probabilities, labels).tolist(),
        "per_class": per_class(probabilities, labels),
        "images": len(labels),
    }


def _balanced(confusion: Confusion) -> float:
    _, recalls, _, support = _per_class(confusion)
    return float(recalls[support > 0].mean())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _per_class(confusion: Confusion) -> tuple[PerClass, PerClass, PerClass, Counts]:
    """Precision, recall, F1 and support of each class, `(classes,)` each."""
    right = np.diag(confusion).astype(np.float64)
    predicted, support = confusion.sum(axis=0), confusion.sum(axis=1)
    precisions = right / np.maximum(predicted, 1)
    recalls = right / np.maximum(support, 1)
    f1s = 2 * right / np.maximum(predicted + support, 1)
    return precisions, recalls, f1s, support


def _averaged(which: int, average: str) -> Callable[[Probabilities, Labels], float]:
    """Precision (0), recall (1) or F1 (2) averaged over the classes, by the most probable class.

    `macro`: plain mean over the classes that occur among labels or predictions, as scikit-learn takes it;
    `weighted`: mean weighted by support.
    """

    def function(probabilities: Probabilities, labels: Labels) -> float:
        confusion = confusion_matrix(probabilities, labels)
        values, support = _per_class(confusion)[which], confusion.sum(axis=1)
        occurs = support + confusion.sum(axis=0) > 0
        return float(np.average(values, weights=occurs if average == "macro" else support))

    return function


def _table() -> dict[str, Metric]:
    keras, sklearn = "Keras: one-hot, micro, threshold 0.5", "scikit-learn"
    return {
        "accuracy": Metric(accuracy, True, "Accuracy", sklearn),
        "balanced_accuracy": Metric(balanced_accuracy, True, "Balanced accuracy", sklearn),
        "loss": Metric(loss, False, "Log loss", "Keras, from logits: natural logarithm, no bound but float32's own"),
        "precision": Metric(precision, True, "Precision (threshold 0.5)", keras),
        "recall": Metric(recall, True, "Recall (threshold 0.5)", keras),
        "precision_macro": Metric(_averaged(0, "macro"), True, "Precision (macro)", sklearn),
        "recall_macro": Metric(_averaged(1, "macro"), True, "Recall (macro)", sklearn),
        "f1_macro": Metric(_averaged(2, "macro"), True, "F1 (macro)", sklearn),
        # With one label and one decision an image, every wrong decision is one false positive and one false negative:
        # micro averages of precision, recall and F1 are the accuracy. Kept by name, because documents publish them.
        "precision_micro": Metric(accuracy, True, "Precision (micro)", sklearn),
        "recall_micro": Metric(accuracy, True, "Recall (micro)", sklearn),
        "f1_micro": Metric(accuracy, True, "F1 (micro)", sklearn),
        "precision_weighted": Metric(_averaged(0, "weighted"), True, "Precision (weighted)", sklearn),
        "recall_weighted": Metric(_averaged(1, "weighted"), True, "Recall (weighted)", sklearn),
        "f1_weighted": Metric(_averaged(2, "weighted"), True, "F1 (weighted)", sklearn),
        "roc_auc_ovo": Metric(roc_auc_ovo, True, "ROC AUC (one-vs-one)", "Hand & Till 2001"),
        "roc_auc_ovr": Metric(roc_auc_ovr, True, "ROC AUC (one-vs-rest)", sklearn),
        "brier": Metric(brier, False, "Brier score (0..2)", "Brier 1950, summed over classes"),
        "ece": Metric(ece, False, "Calibration error (15 bins)", "Guo et al. 2017"),
        "ece_equal_mass": Metric(ece_equal_mass, False, "Calibration error (equal bins)", "Nguyen & O'Connor 2015"),
        "ece_classwise": Metric(ece_classwise, False, "Calibration error (classes)", "Kull et al. 2019"),
    }


METRICS = _table()
