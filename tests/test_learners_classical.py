"""Classical models: scikit-learn is the oracle; every one in the table keeps the same contract."""

from __future__ import annotations

import json
import sys
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from learners_fixture import dataset, python
from toile.data.dataset import Images
from toile.errors import Misuse, ToileError
from toile.evaluation.metrics import accuracy, loss
from toile.learners.classical import models as classical
from toile.learners.classical.decisions import Calibration
from toile.learners.classical.features import hog, pixels, principal_components
from toile.learners.classical.models import MODELS, Fitted, complete, fit_predict

# Small ones, where the default would be slow.
QUICK: dict[str, dict[str, Any]] = {
    "random-forest": {"trees": 40},
    "gradient-boosting": {"iterations": 8, "min_leaf": 5},
    "hog-svm": {"cell": 7},
}
EVERY_MODEL = pytest.mark.parametrize("name", sorted(MODELS))


def parts() -> tuple[Images, Images, Images]:
    """Train, validation, test."""
    return dataset().train[:160], dataset().train[160:], dataset().test


def fit(name: str, seed: int = 0, *, validated: bool = True, **options: Any) -> Fitted:
    train, validation, test = parts()
    given_parts = {"validation": validation, "test": test}
    return fit_predict(
        name, {**QUICK.get(name, {}), **options}, train, given_parts, seed, validation=validation if validated else None
    )


@EVERY_MODEL
@pytest.mark.parametrize("options", [{}, {"components": 12}, {"components": 12, "whiten": True}], ids=str)
def test_contract(name: str, options: dict[str, Any]) -> None:
    if name == "hog-svm":
        pytest.importorskip("skimage")
    fitted, test = fit(name, **options), dataset().test
    assert {part: p.shape for part, p in fitted.probabilities.items()} == {"validation": (40, 10), "test": (60, 10)}
    for probabilities in fitted.probabilities.values():
        assert probabilities.dtype == np.float32
        assert probabilities.min() >= 0
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    # By chance: 0.1. Eight rounds of boosting make little of 160 images.
    assert accuracy(fitted.probabilities["test"], test.labels) > 0.5
    assert set(fitted.seconds) == {"train", "evaluate"}
    assert min(fitted.seconds.values()) > 0
    json.dumps(fitted.details, allow_nan=False)
    assert ("explained_variance" in fitted.details) == bool(options)
    again = fit(name, **options).probabilities["test"]
    assert again.tobytes() == fitted.probabilities["test"].tobytes()


@EVERY_MODEL
def test_options_are_those_of_the_function(name: str) -> None:
    options = complete(name, {})
    assert {"components", "whiten"} < set(options)
    assert complete(name, options) == options
    assert json.loads(json.dumps(options)) == options
    MODELS[name].function(0, **{key: value for key, value in options.items() if key not in ("components", "whiten")})
    with pytest.raises(ValidationError):
        complete(name, {"component": 3})
    with pytest.raises(ValidationError):
        complete(name, {"components": "3"})


@pytest.mark.parametrize("components", [0, 12])
def test_logistic_regression_is_sklearns(components: int) -> None:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    train, _, test = parts()
    steps = [PCA(12)] if components else []
    model = make_pipeline(*steps, LogisticRegression(max_iter=1000)).fit(train.images.reshape(160, -1) / 255, train.labels)
    fitted = fit("logistic-regression", components=components)
    theirs = model.predict_proba(test.images.reshape(60, -1) / 255)
    # Both stop where the gradient is small, theirs in float64.
    np.testing.assert_allclose(fitted.probabilities["test"], theirs, atol=0.03)
    pixel_count = train.images[0].size
    assert fitted.parameters == (12 * 10 + 10 + 13 * pixel_count if components else 10 * pixel_count + 10)
    assert fitted.details["converged"] is True


def test_a_model_that_did_not_converge_says_so() -> None:
    assert fit("logistic-regression", max_iterations=2).details["converged"] is False


def test_components_are_of_the_training_images() -> None:
    """Whatever the images to predict, the components stay: each image gets what it would get alone."""
    train, validation, test = parts()
    options = {"components": 8}
    both = fit_predict("nearest-neighbours", options, train, {"validation": validation, "test": test}, 0)
    one = fit_predict("nearest-neighbours", options, train, {"test": test[:1]}, 0)
    np.testing.assert_allclose(one.probabilities["test"], both.probabilities["test"][:1], atol=1e-6)


def test_the_test_labels_decide_nothing() -> None:
    train, validation, test = parts()
    wrong = Images(test.images, (test.labels + 1) % 10)
    for name in ("svm", "logistic-regression"):
        ours, theirs = (fit_predict(name, {}, train, {"test": images}, 0, validation=validation) for images in (test, wrong))
        assert ours.probabilities["test"].tobytes() == theirs.probabilities["test"].tobytes()


def test_svm_is_calibrated_on_validation_or_on_a_part_of_train() -> None:
    validated, held_out = fit("svm"), fit("svm", validated=False)
    assert {key: validated.details["calibration"][key] for key in ("of", "images")} == {"of": "validation", "images": 40}
    assert {key: held_out.details["calibration"][key] for key in ("of", "images")} == {"of": "train", "images": 32}
    assert validated.details["support_vectors"] > held_out.details["support_vectors"]
    for fitted in (validated, held_out):
        assert loss(fitted.probabilities["test"], dataset().test.labels) < 1.0
    # What is predicted of the images that it was calibrated on is what would be predicted of any.
    train, validation, _ = parts()
    copy = Images(validation.images.copy(), validation.labels)
    again = fit_predict("svm", {}, train, {"copy": copy}, 0, validation=validation)
    assert again.probabilities["copy"].tobytes() == validated.probabilities["validation"].tobytes()


def test_svm_decides_nearly_as_sklearns() -> None:
    from sklearn.svm import SVC

    train, _, test = parts()
    theirs = SVC(C=10).fit(pixels(train.images), train.labels).predict(pixels(test.images))
    assert (fit("svm").probabilities["test"].argmax(axis=1) == theirs).mean() > 0.8


def test_linear_svm_decides_as_sklearns() -> None:
    pytest.importorskip("skimage")
    from sklearn.svm import LinearSVC

    train, _, test = parts()
    seen, other = (hog(images.images, orientations=9, cell=7, block=2) for images in (train, test))
    theirs = LinearSVC(dual=False, random_state=0).fit(seen, train.labels).predict(other)
    fitted = fit("hog-svm")
    np.testing.assert_array_equal(fitted.probabilities["test"].argmax(axis=1), theirs)
    assert fitted.parameters == 10 * seen.shape[1] + 10


@pytest.mark.parametrize("name", ["logistic-regression", "svm"])
def test_a_class_without_training_images_gets_nothing(name: str) -> None:
    train, validation, test = parts()
    some = train[train.labels % 4 != 3]  # without 3 and 7, which are still among the images to calibrate on
    fitted = fit_predict(name, {}, some, {"test": test}, 0, validation=validation, classes=12)
    probabilities = fitted.probabilities["test"]
    assert probabilities.shape == (60, 12)
    assert not probabilities[:, [3, 7, 10, 11]].any()
    known = test.labels % 4 != 3
    assert (probabilities.argmax(axis=1) == test.labels)[known].mean() > 0.7


@pytest.mark.parametrize("name", ["svm", "hog-svm", "gradient-boosting"])
def test_two_classes(name: str) -> None:
    if name == "hog-svm":
        pytest.importorskip("skimage")
    train, validation, test = (images[images.labels < 2] for images in parts())
    fitted = fit_predict(name, QUICK.get(name, {}), train, {"test": test}, 0, validation=validation)
    assert fitted.probabilities["test"].shape == (len(test), 2)
    assert accuracy(fitted.probabilities["test"], test.labels) > 0.9


@given(st.integers(2, 6), st.booleans(), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_calibration_gives_probabilities_and_no_worse_ones(classes: int, pairs: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, 60)
    strength = generator.normal(size=(60, classes)) + 2 * np.eye(classes)[labels]
    columns = [strength[:, i] - strength[:, j] for i, j in combinations(range(classes), 2)]
    values = np.stack(columns, axis=1) if pairs else strength
    if classes == 2:
        values = strength[:, 1] - strength[:, 0]  # as scikit-learn has it, whatever the strategy
    calibration = Calibration(values, labels, classes, pairs=pairs)
    probabilities = calibration.probabilities(values)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    targets = np.eye(classes)[labels] * 60 / 61 + 1 / 61 / classes
    calibrated = -(targets * np.log(probabilities)).sum(axis=1).mean()
    assert calibrated == pytest.approx(calibration.loss)
    calibration.temperature = calibration.slope = 1.0
    assert calibrated <= -(targets * np.log(calibration.probabilities(values))).sum(axis=1).mean() + 1e-9
    assert calibrated <= np.log(classes) + 0.01  # knowing nothing
    if not pairs or classes == 2:
        np.testing.assert_array_equal(probabilities.argmax(axis=1), strength.argmax(axis=1))


def test_calibration_finds_the_temperature() -> None:
    """Labels drawn from a softmax at temperature 3: it is found again."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(4000, 4)) * 6
    chances = np.exp(values / 3) / np.exp(values / 3).sum(axis=1, keepdims=True)
    labels = (generator.random((4000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    assert Calibration(values, labels, 4, pairs=False).temperature == pytest.approx(3, rel=0.1)


def test_calibration_on_few_images_stays_modest() -> None:
    """Ten images, all decided right, are no reason to be certain of the next."""
    labels = np.arange(10) % 3
    probabilities = Calibration(np.eye(3)[labels], labels, 3, pairs=False).probabilities(np.eye(3))
    assert 0.8 < probabilities.max() < 0.99


def test_hog_is_scikit_images() -> None:
    feature = pytest.importorskip("skimage.feature")
    images = dataset().test.images[:3]
    ours = hog(images, orientations=8, cell=4, block=2)
    theirs = feature.hog(images[1, :, :, 0], orientations=8, pixels_per_cell=(4, 4), cells_per_block=(2, 2))
    np.testing.assert_allclose(ours[1], theirs, rtol=1e-6)
    assert ours.shape == (3, 6 * 6 * 2 * 2 * 8)
    grey_as_colours = hog(images.repeat(3, axis=3), orientations=8, cell=4, block=2)
    np.testing.assert_allclose(grey_as_colours, ours, atol=1e-6)


def test_hog_without_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ToileError, match=r"pip install 'toile\[classical\]'"):
        fit("hog-svm")


def test_hog_of_images_that_are_too_small() -> None:
    pytest.importorskip("skimage")
    with pytest.raises(Misuse, match="4x4 cells of 8 pixels does not fit into 28x28"):
        fit("hog-svm", cell=8, block=4)


def test_components_are_sklearns() -> None:
    from sklearn.decomposition import PCA

    features = pixels(dataset().train.images)
    ours, theirs = principal_components(features, 5, True, 0), PCA(5, whiten=True, random_state=0).fit(features)
    np.testing.assert_array_equal(ours.transform(features), theirs.transform(features))
    assert ours.transform(features).std(axis=0) == pytest.approx(np.ones(5), abs=0.01)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("svn", {}, "unknown classical model 'svn' .did you mean 'svm'"),
        ("svm", {"components": 161}, "160 images of 784 features have at most 160"),
        ("svm", {"gama": 1.0}, "gama = 1.0.*its options: components, whiten, c, gamma"),
        ("svm", {"c": 0.0}, "c = 0.0: .*greater than 0"),
        ("nearest-neighbours", {"weights": "uniforn"}, "weights = 'uniforn'.*'uniform' or 'distance'"),
    ],
)
def test_impossible_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Misuse, match=message):
        fit(name, **options)


def test_one_class_is_none() -> None:
    train, _, test = parts()
    with pytest.raises(Misuse, match="all of one class"):
        fit_predict("svm", {}, train[train.labels == 1], {"test": test}, 0)


def test_nothing_known_to_calibrate_on() -> None:
    train, validation, test = parts()
    with pytest.raises(Misuse, match="calibrate"):
        fit_predict("svm", {}, train[train.labels < 5], {"test": test}, 0, validation=validation[validation.labels >= 5])


def test_looking_at_the_table_imports_no_scikit_learn() -> None:
    code = (
        "import toile.learners.classical.models as c; [c.complete(n, {}) for n in c.MODELS]; "
        "print({'sklearn', 'scipy', 'skimage', 'keras'} & set(sys.modules))"
    )
    assert python(code, backend="tensorflow").strip() == "set()"
    assert classical.load("svm") is MODELS["svm"]
