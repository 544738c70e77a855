"""Probabilities made to mean what they say: fitted on images that the models were not trained on, applied to others.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. A committee is pooled first and calibrated after (Rahaman &
Thiery, "Uncertainty Quantification and Deep Ensembles", NeurIPS 2021). A new calibration is two functions, a line in
`CALIBRATIONS`, and a twin in `toile.inference.combined`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from toile.errors import Misuse, nearest
from toile.evaluation.predictions import Predictions, fittable
from toile.evaluation.scores import logarithms, softmax

# Bounds of what logarithms are multiplied by; a temperature is one over that. Models that are right on all images of the fit
# would go to infinity, those that know nothing to 0.
LEAST, MOST = 0.01, 20.0
# Between two points of an isotonic curve. A steeper one would make other probabilities of another processor's rounding.
STEEPEST = 50.0


@dataclass(frozen=True)
class Calibration:
    """A calibration with its numbers, which are what JSON holds: a name, and lists of floats by name."""

    name: str
    numbers: dict[str, Any]

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """`(images, classes)` float32, rows summing to 1, of probabilities of the same shape."""
        calibrated = CALIBRATIONS[self.name].apply(np.asarray(probabilities, np.float64), self.numbers)
        return np.clip(calibrated, 0, 1).astype(np.float32)

    def about(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"name": self.name, **self.numbers}


@dataclass(frozen=True)
class Kind:
    """A row of `CALIBRATIONS`.

    Args:
        fit: its numbers, of `(images, classes)` float64 and `(images,)` labels.
        apply: `(images, classes)` float64 of such, with its numbers.
        about: in a line.
    """

    fit: Callable[[np.ndarray, np.ndarray], dict[str, Any]]
    apply: Callable[[np.ndarray, dict[str, Any]], np.ndarray]
    about: str


def calibrate(name: str, predictions: Predictions) -> Calibration:
    """A calibration fitted by log loss, or for "isotonic" by squares.

    Raises:
        TestSetUsed: the predictions are of the test set, which picks nothing.
        Misuse: predictions of the training set, or an unknown name.
    """
    fittable(predictions, "fit a calibration")
    if name not in CALIBRATIONS:
        raise Misuse(f"unknown calibration {name!r}{nearest(name, CALIBRATIONS)}; allowed: {', '.join(CALIBRATIONS)}")
    return Calibration(name, CALIBRATIONS[name].fit(predictions.probabilities.astype(np.float64), predictions.labels))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """The temperature, 0.05..100, with the least log loss."""
    from scipy.optimize import minimize_scalar

    logs, rows = logarithms(probabilities), np.arange(len(labels))

    def loss(log_scale: float) -> float:
        scores = np.exp(log_scale) * logs
        return float((softmax(scores)[1] - scores[rows, labels]).mean())

    # As scikit-learn's CalibratedClassifierCV(method="temperature"), but for the bounds.
    bounds = tuple(np.log([LEAST, MOST]))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 64 * np.finfo(np.float64).eps})
    return {"temperature": float(np.exp(-found.x))}


def apply_temperature(probabilities: np.ndarray, numbers: dict[str, Any]) -> np.ndarray:
    return softmax(logarithms(probabilities) / numbers["temperature"])[0]


def fit_vector(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """A scale, 0.01..20, and a shift, -20..20, of each class's log-probability, with the least log loss.

    Convex; by L-BFGS-B, which ends where no derivative, of those that the bounds allow to follow, is above 1e-7.
    """
    from scipy.optimize import minimize

    logs, rows = logarithms(probabilities), np.arange(len(labels))
    classes = logs.shape[1]

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        scores = logs * numbers[:classes] + numbers[classes:]
        residual, total = softmax(scores)
        value = (total - scores[rows, labels]).mean()
        residual[rows, labels] -= 1
        return value, np.concatenate([(residual * logs).mean(axis=0), residual.mean(axis=0)])

    bounds, begin = [(LEAST, MOST)] * classes + [(-MOST, MOST)] * classes, np.repeat([1.0, 0.0], classes)
    options = {"gtol": 1e-7, "ftol": 1e-15, "maxiter": 1000}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return {"scale": found[:classes].tolist(), "shift": found[classes:].tolist()}


def apply_vector(probabilities: np.ndarray, numbers: dict[str, Any]) -> np.ndarray:
    return softmax(logarithms(probabilities) * np.asarray(numbers["scale"]) + np.asarray(numbers["shift"]))[0]


def fit_isotonic(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """For each class a rising curve through points, from its probability to how often it is right: one class against the rest.

    Centred isotonic regression (Oron & Flournoy, "Centered Isotonic Regression", Statistics in Biopharmaceutical Research 9,
    2017): the steps of isotonic regression (Zadrozny & Elkan 2002) are joined by lines from middle to middle. No point is at 0
    or 1: of n images, the lowest is at 1 / (n + 2) and the highest at (n + 1) / (n + 2), as by Laplace's rule of succession.
    """
    curves = [_curve(of_class, labels == c) for c, of_class in enumerate(probabilities.T)]
    return {"at": [at.tolist() for at, _ in curves], "to": [to.tolist() for _, to in curves]}


def apply_isotonic(probabilities: np.ndarray, numbers: dict[str, Any]) -> np.ndarray:
    curves = zip(probabilities.T, numbers["at"], numbers["to"], strict=True)
    raised = np.stack([np.interp(of_class, at, to) for of_class, at, to in curves], axis=1)
    return raised / raised.sum(axis=1, keepdims=True)


def _curve(probabilities: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points of a class's curve."""
    from scipy.optimize import isotonic_regression

    values, index = np.unique(probabilities, return_inverse=True)
    images = np.bincount(index)
    steps = isotonic_regression(np.bincount(index, weights=right) / images, weights=images)
    starts = steps.blocks[:-1]
    weight = np.add.reduceat(images, starts).astype(np.float64)
    at, to = np.add.reduceat(values * images, starts) / weight, steps.x[starts]
    to = np.clip(to, 1 / (len(right) + 2), (len(right) + 1) / (len(right) + 2))
    while len(at) > 1 and (slopes := np.diff(to) / np.diff(at)).max() > STEEPEST:
        one = int(slopes.argmax())  # it and the next become one point
        both = slice(one, one + 2)
        middle = [np.average(array[both], weights=weight[both]) for array in (at, to)]
        at, to, weight = (np.delete(array, one) for array in (at, to, _merged(weight, one)))
        at[one], to[one] = middle
    return at, to


def _merged(weight: np.ndarray, one: int) -> np.ndarray:
    merged = weight.copy()
    merged[one + 1] += merged[one]
    return merged


CALIBRATIONS: dict[str, Kind] = {
    "temperature": Kind(fit_temperature, apply_temperature, "one number that all log-probabilities are divided by"),
    "vector": Kind(fit_vector, apply_vector, "a scale and a shift of each class's log-probability"),
    "isotonic": Kind(fit_isotonic, apply_isotonic, "a rising curve for each class, and what they give renormalised"),
}
