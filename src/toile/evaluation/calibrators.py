"""Probabilities made to mean what they say: fitted on images that the models were not trained on, applied to others.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. A committee is pooled first and calibrated after (Rahaman &
Thiery, "Uncertainty Quantification and Deep Ensembles", NeurIPS 2021). A new calibration is two functions, a line in
`CALIBRATIONS`, and a twin in `toile.inference.combined`.

What log-probabilities are multiplied by is held near 1, and what is added to them near 0: to the sum of the log losses half the
sum of the squares of what they differ by is added, as if they were normally distributed (ridge regression towards a target).
Of thousands of images this changes next to nothing. Of a hundred that are nearly all right the log loss alone would make models
far too sure, for there is no end to how sure it pays to be of images that are all right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels, Numbers, PerImage, Probabilities, Scores
from toile.errors import Misuse, nearest
from toile.evaluation.folds import folds
from toile.evaluation.optimise import least, one_thread, rising_steps, zero_of_rising
from toile.evaluation.predictions import Predictions, fittable
from toile.evaluation.scores import EPSILON, logarithms, softmax

# Bounds of what logarithms are multiplied by; a temperature is one over that. Those of models that know nothing would go to 0.
LEAST, MOST = 0.01, 20.0
# Newton's method doubles the digits that are right: after a step of less than this share they are right to 1e-7 at least.
CLOSE, STEPS = 1e-4, 5
# Between two points of an isotonic curve. A steeper one would make other probabilities of another processor's rounding.
STEEPEST = 50.0
# The best of all, by folds of the images that it is fitted on.
AUTO, FOLDS = "auto", 5


@dataclass(frozen=True)
class Calibration:
    """A calibration with its numbers, which are what JSON holds: a name, and lists of floats by name.

    Args:
        by_folds: of one that was chosen as "auto": the log loss of each that was tried, on folds that it was not fitted on.
    """

    name: str
    numbers: dict[str, Any]
    by_folds: dict[str, float] | None = None

    def __call__(self, probabilities: NDArray[np.floating[Any]]) -> Probabilities:
        """`(images, classes)` float32, rows summing to 1, of probabilities of the same shape."""
        calibrated = CALIBRATIONS[self.name].apply(np.asarray(probabilities, np.float64), self.numbers)
        return np.clip(calibrated, 0, 1).astype(np.float32)

    def about(self) -> dict[str, Any]:
        """Ready for JSON."""
        tried = {} if self.by_folds is None else {"log_loss_by_folds": self.by_folds}
        return {"name": self.name, **self.numbers, **tried}


@dataclass(frozen=True)
class Kind:
    """A row of `CALIBRATIONS`.

    Args:
        fit: its numbers, of `(images, classes)` float64 and `(images,)` labels.
        apply: `(images, classes)` float64 of such, with its numbers.
        numbers: how many numbers it has for so many classes.
        about: in a line.
    """

    fit: Callable[[Scores, Labels], dict[str, Any]]
    apply: Callable[[Scores, dict[str, Any]], Scores]
    numbers: Callable[[int], int]
    about: str


def calibrate(name: str, predictions: Predictions) -> Calibration:
    """A calibration fitted by log loss, or for "isotonic" by squares.

    Args:
        name: one in `CALIBRATIONS`, or "auto": whichever has the least log loss on images that it was not fitted on, by five
            folds with their share of each class. Of equals it is the first in the table; one with more numbers than there are
            images is not tried.

    Raises:
        TestSetUsed: the predictions are of the test set, which picks nothing.
        Misuse: predictions of the training set, or an unknown name.
    """
    fittable(predictions, "fit a calibration")
    if name not in (AUTO, *CALIBRATIONS):
        allowed = (*CALIBRATIONS, AUTO)
        raise Misuse(f"unknown calibration {name!r}{nearest(name, allowed)}; allowed: {', '.join(allowed)}")
    probabilities, labels, tried = predictions.probabilities.astype(np.float64), predictions.labels, None
    with one_thread():
        if name == AUTO:
            tried = _by_folds(probabilities, labels)
            name = min(tried, key=lambda one: tried[one])
        return Calibration(name, CALIBRATIONS[name].fit(probabilities, labels), tried)


def _by_folds(probabilities: Scores, labels: Labels) -> dict[str, float]:
    """The log loss of each calibration on the fold that it was not fitted on; of what a single image can fit, as it is."""
    images, classes = probabilities.shape
    fold = folds(labels, FOLDS)
    losses: dict[str, float] = {}
    for name, kind in CALIBRATIONS.items():
        if losses and kind.numbers(classes) > images:
            continue
        said = probabilities.copy()
        for held in (fold == number for number in range(min(FOLDS, images))):
            if not held.all():
                said[held] = kind.apply(probabilities[held], kind.fit(probabilities[~held], labels[~held]))
        losses[name] = float(-np.log(np.maximum(said[np.arange(images), labels], EPSILON)).mean())
    return losses


def fit_temperature(probabilities: Scores, labels: Labels) -> dict[str, Any]:
    """The temperature, 0.05..100, with the least log loss: as scikit-learn's CalibratedClassifierCV(method="temperature"), but
    for the bounds and that it is held near 1."""
    logs = np.ascontiguousarray(logarithms(probabilities).T)
    return {"temperature": 1 / exponent(logs, logs[labels, np.arange(len(labels))])}


def exponent(logs: NDArray[np.float64], given: PerImage, near: float | None = None) -> float:
    """The power, 0.01..20, that probabilities are brought to for the least log loss: one over their temperature.

    Args:
        logs: `(classes, images)`: logarithms of the probabilities.
        given: `(images,)`: those of the right classes.
        near: from where it is looked for first, by Newton's method.
    """

    of_labels = given.sum()

    def slope(power: float) -> tuple[float, float]:
        """The derivative by the power, and the second."""
        shares = softmax(power * logs, axis=0)[0]
        shares *= logs
        means = shares.sum(axis=0)
        # What is held near 1 adds `power - 1`, and so 1 to the second.
        return float(means.sum() - of_labels + power - 1), float(np.vdot(shares, logs) - means @ means + 1)

    if near is not None:
        power = near
        for _ in range(STEPS):
            first, second = slope(power)
            step = first / second
            power -= step
            if not LEAST < power < MOST or abs(step) > power / 2:
                break
            if abs(step) < CLOSE * power:
                return power
    # Looked for among logarithms, which takes fewer steps.
    return float(np.exp(zero_of_rising(lambda at: slope(np.exp(at))[0], float(np.log(LEAST)), float(np.log(MOST)))))


def apply_temperature(probabilities: Scores, numbers: dict[str, Any]) -> Scores:
    return softmax(logarithms(probabilities) / numbers["temperature"])[0]


def fit_vector(probabilities: Scores, labels: Labels) -> dict[str, Any]:
    """A scale, 0.01..20, and a shift, -20..20, of each class's log-probability, with the least log loss.

    The scales are held near a common one, and this one near 1, whatever number of classes there is: it is the inverse of a
    temperature. Convex: see `toile.evaluation.optimise.least`.
    """
    logs, rows = logarithms(probabilities), np.arange(len(labels))
    images, classes = logs.shape
    same = np.repeat([1.0, 0.0], classes)

    def loss(numbers: Numbers) -> tuple[float, Numbers]:
        scores = logs * numbers[:classes] + numbers[classes:]
        common = (1 + numbers[:classes].sum()) / (1 + classes)  # where the squares below are least
        off = np.concatenate([numbers[:classes] - common, numbers[classes:]])
        residual, total = softmax(scores)
        value = float((total - scores[rows, labels]).sum() + (off @ off + (common - 1) ** 2) / 2)
        residual[rows, labels] -= 1
        slope = np.concatenate([(residual * logs).sum(axis=0), residual.sum(axis=0)]) + off
        return value / images, slope / images

    bounds = [(LEAST, MOST)] * classes + [(-MOST, MOST)] * classes
    found = least(loss, same, bounds=bounds)
    return {"scale": found[:classes].tolist(), "shift": found[classes:].tolist()}


def apply_vector(probabilities: Scores, numbers: dict[str, Any]) -> Scores:
    return softmax(logarithms(probabilities) * np.asarray(numbers["scale"]) + np.asarray(numbers["shift"]))[0]


def fit_isotonic(probabilities: Scores, labels: Labels) -> dict[str, Any]:
    """For each class a rising curve through points, from its probability to how often it is right: one class against the rest.

    Centred isotonic regression (Oron & Flournoy, "Centered Isotonic Regression", Statistics in Biopharmaceutical Research 9,
    2017): the steps of isotonic regression (Zadrozny & Elkan 2002) are joined by lines from middle to middle. No point is at 0
    or 1: of n images, the lowest is at 1 / (n + 2) and the highest at (n + 1) / (n + 2), as by Laplace's rule of succession.
    """
    curves = [_curve(of_class, labels == c) for c, of_class in enumerate(probabilities.T)]
    return {"at": [at.tolist() for at, _ in curves], "to": [to.tolist() for _, to in curves]}


def apply_isotonic(probabilities: Scores, numbers: dict[str, Any]) -> Scores:
    raised = np.empty_like(probabilities)
    for c, (at, to) in enumerate(zip(numbers["at"], numbers["to"], strict=True)):
        raised[:, c] = np.interp(probabilities[:, c], at, to)
    return raised / raised.sum(axis=1, keepdims=True)


def _curve(probabilities: Numbers, right: NDArray[np.bool]) -> tuple[Numbers, Numbers]:
    """The points of a class's curve: probabilities, rising, and what becomes of them."""
    values, index = np.unique(probabilities, return_inverse=True)
    images = np.bincount(index).astype(np.float64)
    steps, starts = rising_steps(np.bincount(index, weights=right) / images, images)
    weight = np.add.reduceat(images, starts)
    at, to = np.add.reduceat(values * images, starts) / weight, steps[starts]
    to = np.clip(to, 1 / (len(right) + 2), (len(right) + 1) / (len(right) + 2))
    while len(at) > 1:
        slopes = np.diff(to) / np.diff(at)
        steepest = int(slopes.argmax())
        if slopes[steepest] <= STEEPEST:
            break
        at, to, weight = _joined(at, weight, steepest), _joined(to, weight, steepest), _summed(weight, steepest)
    return at, to


def _joined(points: Numbers, weight: Numbers, one: int) -> Numbers:
    """A point and the next as their mean."""
    joined = np.delete(points, one + 1)
    joined[one] = np.average(points[one : one + 2], weights=weight[one : one + 2])
    return joined


def _summed(weight: Numbers, one: int) -> Numbers:
    """What such a point weighs."""
    summed = np.delete(weight, one + 1)
    summed[one] = weight[one] + weight[one + 1]
    return summed


CALIBRATIONS: dict[str, Kind] = {
    "temperature": Kind(
        fit_temperature, apply_temperature, lambda classes: 1, "one number that all log-probabilities are divided by"
    ),
    "vector": Kind(
        fit_vector, apply_vector, lambda classes: 2 * classes - 1, "a scale and a shift of each class's log-probability"
    ),
    "isotonic": Kind(
        fit_isotonic,
        apply_isotonic,
        lambda classes: 2 * classes,
        "a rising curve for each class, and what they give renormalised",
    ),
}
