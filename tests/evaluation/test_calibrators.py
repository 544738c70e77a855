"""Laws of every calibration by name, and scikit-learn as the oracle where the method is the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from toile.errors import Misuse
from toile.evaluation import predictions
from toile.evaluation.calibration import ece
from toile.evaluation.calibrators import AUTO, CALIBRATIONS, LEAST, MOST, STEEPEST, Calibration, calibrate, exponent
from toile.evaluation.folds import folds
from toile.evaluation.metrics import loss
from toile.evaluation.predictions import Predictions
from toile.evaluation.scores import logarithms, softmax

every = pytest.mark.parametrize("name", CALIBRATIONS)


def sharpened(
    seed: int, images: int = 3000, classes: int = 5, by: float = 2.0, split: str = "validation", spread: float = 1.5
) -> Predictions:
    """A model that is surer than it should be: its log-probabilities times a number; labels are drawn from the true ones."""
    generator = np.random.default_rng(seed)
    true = generator.normal(0, spread, (images, classes))
    said, _ = softmax(true)
    labels = np.array([generator.choice(classes, p=row) for row in said])
    return Predictions(split, softmax(by * true)[0].astype(np.float32), labels)


@every
@given(st.integers(0, 1000), st.integers(1, 40), st.integers(2, 5), st.sampled_from([0.01, 1.0, 30.0]))
@settings(max_examples=25, deadline=None)
def test_it_gives_probabilities_whatever_it_was_fitted_on(name: str, seed: int, images: int, classes: int, sure: float) -> None:
    generator = np.random.default_rng(seed)
    said = generator.dirichlet(np.full(classes, sure), images).astype(np.float32)
    fitted = calibrate(name, Predictions("validation", said, generator.integers(0, classes, images)))
    extremes = np.vstack([np.eye(classes), np.full((1, classes), 1 / classes)])
    for some in (said, extremes):
        found = fitted(some)
        assert found.shape == some.shape and found.dtype == np.float32
        assert found.min() >= 0 and found.max() <= 1
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    again = Calibration(name, json.loads(json.dumps(fitted.numbers)))
    np.testing.assert_array_equal(again(said), fitted(said))
    assert fitted.about()["name"] == name


@every
def test_new_images_are_judged_better(name: str) -> None:
    fitted, new = calibrate(name, sharpened(0)), sharpened(1)
    before, after = new.probabilities, fitted(new.probabilities)
    assert loss(after, new.labels) < loss(before, new.labels) - 0.05
    assert ece(after, new.labels) < min(0.05, ece(before, new.labels) / 3)


@every
def test_the_test_set_calibrates_nothing(name: str) -> None:
    with pytest.raises(predictions.TestSetUsed, match="cannot fit a calibration on the test set"):
        calibrate(name, sharpened(0, 50, split="test"))
    with pytest.raises(Misuse, match="training set"):
        calibrate(name, sharpened(0, 50, split="train"))
    assert calibrate(name, sharpened(0, 50, split="out-of-fold"))


def test_an_unknown_one() -> None:
    with pytest.raises(Misuse, match=r"unknown calibration 'temprature' \(did you mean 'temperature'\?\)"):
        calibrate("temprature", sharpened(0, 50))


def folded_loss(name: str, of: Predictions) -> float:
    """On every fifth of the images, in the order of `folds`, by what was fitted on the others."""
    said, fold = of.probabilities.copy(), folds(of.labels, 5)
    for number in range(5):
        held = fold == number
        fitted = calibrate(name, Predictions(of.split, of.probabilities[~held], of.labels[~held]))
        said[held] = fitted(of.probabilities[held])
    return loss(said, of.labels)


def crooked(images: int) -> Predictions:
    """Of two classes one that is unsure where it knows, and sure where it knows best: no scale mends that, and a curve does."""
    generator = np.random.default_rng(3)
    true = generator.normal(0, 1.5, images)
    labels = (generator.uniform(size=images) < 1 / (1 + np.exp(-true))).astype(np.int64)
    said = 1 / (1 + np.exp(-(true**3)))
    return Predictions("validation", np.stack([1 - said, said], axis=1).astype(np.float32), labels)


def test_auto_is_the_best_by_folds_and_says_what_was_tried() -> None:
    for of in (sharpened(0, 200), crooked(6000)):
        found = calibrate(AUTO, of)
        assert found.by_folds == pytest.approx({name: folded_loss(name, of) for name in CALIBRATIONS}, abs=1e-6)
        assert found.name == min(CALIBRATIONS, key=lambda name: found.by_folds[name])
        assert found.numbers == calibrate(found.name, of).numbers
        assert found.about()["log_loss_by_folds"] == found.by_folds
    assert calibrate(AUTO, sharpened(0, 200)).name == "temperature"
    assert calibrate(AUTO, crooked(6000)).name == "isotonic"


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_auto_on_few_images_tries_what_they_can_fit(seed: int, images: int, classes: int) -> None:
    generator = np.random.default_rng(seed)
    said = generator.dirichlet(np.ones(classes), images).astype(np.float32)
    found = calibrate(AUTO, Predictions("validation", said, generator.integers(0, classes, images)))
    tried = {name for name, kind in CALIBRATIONS.items() if kind.numbers(classes) <= images}
    assert set(found.by_folds or {}) == tried | {"temperature"}
    np.testing.assert_allclose(found(said).sum(axis=1), 1, atol=1e-6)


def test_auto_knows_the_test_set() -> None:
    with pytest.raises(predictions.TestSetUsed, match="cannot fit a calibration on the test set"):
        calibrate(AUTO, sharpened(0, 50, split="test"))


class Said(ClassifierMixin, BaseEstimator):
    """A classifier for scikit-learn whose images are their probabilities."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]


def in_scikit_learn(method: str, fitting: Predictions, new: np.ndarray) -> np.ndarray:
    model = FrozenEstimator(Said().fit(fitting.probabilities, fitting.labels))
    theirs = CalibratedClassifierCV(model, method=method).fit(fitting.probabilities.astype(np.float64), fitting.labels)
    return theirs.predict_proba(new.astype(np.float64)).astype(np.float32)


def test_of_many_images_the_temperature_is_scikit_learns() -> None:
    fitting, new = sharpened(0, 10_000, by=1.5), sharpened(1, by=1.5).probabilities
    ours = calibrate("temperature", fitting)
    np.testing.assert_allclose(ours(new), in_scikit_learn("temperature", fitting, new), atol=5e-5)
    assert ours.numbers["temperature"] == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize("images", [5, 100, 3000])
def test_a_temperature_is_as_far_from_1_as_its_images_can_move_it(images: int) -> None:
    """As SciPy finds it: half the square of what its inverse differs from 1 by, beside the sum of the log losses."""
    fitting = sharpened(2, images, by=0.5)
    logs = logarithms(fitting.probabilities)

    def cost(exponent: float) -> float:
        scores = exponent * logs
        of_labels = scores[np.arange(images), fitting.labels]
        return float((softmax(scores)[1] - of_labels).sum() + (exponent - 1) ** 2 / 2)

    found = minimize_scalar(cost, bounds=(LEAST, MOST), method="bounded", options={"xatol": 1e-10}).x
    assert calibrate("temperature", fitting).numbers["temperature"] == pytest.approx(1 / found, rel=1e-5)


def test_a_temperature_keeps_the_order_and_has_bounds() -> None:
    fitted, new = calibrate("temperature", sharpened(0)), sharpened(1).probabilities
    np.testing.assert_array_equal(fitted(new).argsort(axis=1)[:, -1], new.argmax(axis=1))
    labels = np.arange(40) % 4
    always = Predictions("validation", 0.2 * np.eye(4)[labels] + 0.2, labels)
    assert 0.1 < calibrate("temperature", always).numbers["temperature"] < 0.5
    never = Predictions("validation", always.probabilities, (labels + 1) % 4)
    assert calibrate("temperature", never).numbers["temperature"] == pytest.approx(1 / LEAST, rel=1e-3)


@pytest.mark.parametrize("name", ["temperature", "vector", AUTO])
@pytest.mark.parametrize("images", [40, 100])
def test_few_images_that_are_nearly_all_right_make_no_model_far_too_sure(name: str, images: int) -> None:
    """As it was, probabilities that needed no calibration, with a log loss of 0.05, had 0.14 after a temperature from 100
    images and 0.31 from 40, on the mean of such draws."""
    before, after = [], []
    for seed in range(8):
        fitting, new = (sharpened(seed + of, count, by=1.0, spread=40.0) for of, count in ((0, images), (100, 2000)))
        before.append(loss(new.probabilities, new.labels))
        after.append(loss(calibrate(name, fitting)(new.probabilities), new.labels))
    assert np.mean(before) < 0.08
    assert np.mean(after) < np.mean(before) + 0.02


def test_a_vector_of_equal_scales_is_what_logistic_regression_finds() -> None:
    """Of two classes a scale and a shift of each come to one slope and one intercept."""
    fitting, new = sharpened(0, 10_000, classes=2), sharpened(1, classes=2)
    fitted = calibrate("vector", fitting)
    odds, new_odds = (logarithms(one.probabilities) for one in (fitting, new))
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(odds, fitting.labels)
    np.testing.assert_allclose(fitted(new.probabilities), theirs.predict_proba(new_odds), atol=1e-3)


def test_a_vector_of_many_classes_and_few_images_is_as_sure_as_a_temperature() -> None:
    """Each scale by itself held near 1 would not be: what they have in common is held once."""
    fitting, new = (sharpened(seed, count, classes=60, by=0.3, spread=4.0) for seed, count in ((0, 300), (1, 3000)))
    said = {name: loss(calibrate(name, fitting)(new.probabilities), new.labels) for name in ("temperature", "vector")}
    assert said["vector"] < said["temperature"] + 0.15 < loss(new.probabilities, new.labels)


def test_a_vector_ends_where_nothing_gets_better() -> None:
    fitting = sharpened(0)
    numbers = calibrate("vector", fitting).numbers
    logs, rows = logarithms(fitting.probabilities), np.arange(len(fitting))
    residual, _ = softmax(logs * numbers["scale"] + numbers["shift"])
    residual[rows, fitting.labels] -= 1
    scale, shift = (np.asarray(numbers[name]) for name in ("scale", "shift"))
    common = (1 + scale.sum()) / (1 + len(scale))  # which all are held near, as it is near 1
    assert np.abs((residual * logs).sum(axis=0) + scale - common).max() < 1e-5 * len(fitting)
    assert np.abs(residual.sum(axis=0) + shift).max() < 1e-5 * len(fitting)


def test_an_isotonic_curve_goes_through_the_steps_that_scikit_learn_finds() -> None:
    fitting = sharpened(0, 500, classes=3)
    fitted = calibrate("isotonic", fitting)
    for c in range(3):
        probability, right = fitting.probabilities[:, c].astype(np.float64), (fitting.labels == c).astype(np.float64)
        steps = IsotonicRegression().fit(probability, right).predict(probability)
        at, to = np.array(fitted.numbers["at"][c]), np.array(fitted.numbers["to"][c])
        assert (np.diff(at) > 0).all() and (np.diff(to) >= 0).all()
        assert (np.diff(to) / np.diff(at)).max() <= STEEPEST
        middles = {step: probability[steps == step].mean() for step in np.unique(steps)}
        for step, middle in middles.items():
            if 0.1 < step < 0.9:  # the ends are drawn in, by Laplace's rule
                assert np.interp(middle, at, to) == pytest.approx(step, abs=0.06)
        assert to.min() >= 1 / 502 and to.max() <= 501 / 502


def test_isotonic_is_not_worse_than_scikit_learns_which_is_sure_of_what_it_never_saw() -> None:
    fitting, new = sharpened(0, 1000), sharpened(1)
    ours, theirs = calibrate("isotonic", fitting)(new.probabilities), in_scikit_learn("isotonic", fitting, new.probabilities)
    assert loss(ours, new.labels) < loss(theirs, new.labels)


@given(st.integers(0, 10**6), st.floats(0.1, 5), st.floats(0.05, 10))
def test_an_exponent_is_the_same_from_wherever_it_is_looked_for(seed: int, sharpness: float, near: float) -> None:
    generator = np.random.default_rng(seed)
    logs = np.log(generator.dirichlet(np.full(4, 0.5), 30) + 1e-7).T
    logs -= np.log(np.exp(sharpness * logs).sum(axis=0)) / sharpness
    right = logs[generator.integers(4, size=30), np.arange(30)]
    assert exponent(logs, right, near) == pytest.approx(exponent(logs, right), rel=1e-6)
