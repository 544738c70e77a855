"""Classical models: scikit-learn is the oracle; every one in the table keeps the same contract."""

from __future__ import annotations

import json
import os
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.fixture import dataset, make_store, python
from toile.data.dataset import Images
from toile.errors import Misuse, ToileError
from toile.evaluation.metrics import accuracy, loss
from toile.models import architectures
from toile.models.classical import model as models
from toile.models.classical.decisions import Calibration, smoothed
from toile.models.classical.features import hog, hog_length, pixels
from toile.models.classical.model import Classical
from toile.store.pack import pack, unpack
from toile.store.run import MANIFEST
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec
from toile.study.recipe.recipe import RecipeSpec
from toile.study.trial import Trial, TrialArchitecture, TrialDataset
from toile.training.learner import ClassicalLearner
from toile.training.train import train
from toile.workers.infer import infer

CLASSICAL = [name for name in architectures.names() if architectures.learner(name) == "classical"]
# Small ones, where the default would be slow.
QUICK: dict[str, dict[str, Any]] = {
    "random-forest": {"trees": 40},
    "gradient-boosting": {"iterations": 8, "min_leaf": 5},
    "hog-svm": {"cell": 7},
}
EVERY_MODEL = pytest.mark.parametrize("name", CLASSICAL)


def parts() -> tuple[Images, Images, Images]:
    """Train, validation, test."""
    return dataset().train[:160], dataset().train[160:], dataset().test


def untrained(name: str, **options: Any) -> Any:
    return architectures.build(name, (28, 28, 1), 10, {**QUICK.get(name, {}), **options})


def fit(name: str, seed: int = 0, *, validated: bool = True, **options: Any) -> Classical:
    if name == "hog-svm":
        pytest.importorskip("skimage")
    train, validation, _ = parts()
    return Classical.fit(untrained(name, **options), train, 10, seed, validation if validated else None)


@EVERY_MODEL
@pytest.mark.parametrize("options", [{}, {"components": 12}, {"components": 12, "whiten": True}], ids=str)
def test_contract(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    fitted, (_, validation, test) = fit(name, **options), parts()
    probabilities = fitted.predict(test.images)
    assert probabilities.shape == (60, 10) and probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    # By chance: 0.1. Eight rounds of boosting make little of 160 images.
    assert accuracy(probabilities, test.labels) > 0.5
    json.dumps(fitted.details, allow_nan=False)
    assert ("explained_variance" in fitted.details) == bool(options)
    assert fit(name, **options).predict(test.images).tobytes() == probabilities.tobytes()
    fitted.save(tmp_path / "model.skops")
    again = models.load(tmp_path / "model.skops")
    # Up to the last bits: arrays come back in another order in memory, so that sums are taken in another order.
    np.testing.assert_allclose(again.predict(test.images), probabilities, atol=1e-5)
    # What was remembered of the images that it was calibrated on is what it says of them.
    np.testing.assert_allclose(again.predict(validation.images), fitted.predict(validation.images), atol=1e-5)


def test_a_file_with_anything_else_in_it_is_refused(tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer
    from skops import io

    path = tmp_path / "model.skops"
    io.dump({"pipeline": FunctionTransformer(os.system), "classes": 10, "calibration": None}, path)
    with pytest.raises(ToileError, match="system"):
        models.load(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(ToileError, match="is no classical model"):
        models.load(path)


@pytest.mark.parametrize("name", ["random-forest", "gradient-boosting", "svm"])
def test_the_seed_goes_to_whatever_is_random(name: str) -> None:
    model = fit(name, seed=7).pipeline
    seeds = {key: value for key, value in model.get_params().items() if key.endswith("random_state")}
    assert seeds and set(seeds.values()) == {7}


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
    np.testing.assert_allclose(fitted.predict(test.images), theirs, atol=0.03)
    pixel_count = train.images[0].size
    assert fitted.parameters() == (12 * 10 + 10 + 13 * pixel_count if components else 10 * pixel_count + 10)
    assert fitted.details["converged"] is True


def test_a_model_that_did_not_converge_says_so() -> None:
    assert fit("logistic-regression", max_iterations=2).details["converged"] is False


def test_components_are_of_the_training_images() -> None:
    """Each image gets what it would get alone, and the components are scikit-learn's of the training images."""
    from sklearn.decomposition import PCA

    train, _, test = parts()
    fitted = fit("nearest-neighbours", components=8, whiten=True)
    np.testing.assert_allclose(fitted.predict(test.images[:1]), fitted.predict(test.images)[:1], atol=1e-6)
    theirs = PCA(8, whiten=True, random_state=0).fit(pixels(train.images))
    ours = fitted.pipeline["components"]
    np.testing.assert_array_equal(ours.transform(pixels(test.images)), theirs.transform(pixels(test.images)))
    assert fitted.details["explained_variance"] == pytest.approx(theirs.explained_variance_ratio_.sum())


def test_svm_is_calibrated_on_validation_or_on_a_part_of_train() -> None:
    validated, held_out = fit("svm"), fit("svm", validated=False)
    assert {key: validated.details["calibration"][key] for key in ("of", "images")} == {"of": "validation", "images": 40}
    assert {key: held_out.details["calibration"][key] for key in ("of", "images")} == {"of": "train", "images": 32}
    assert validated.details["support_vectors"] > held_out.details["support_vectors"]
    for fitted in (validated, held_out):
        assert loss(fitted.predict(dataset().test.images), dataset().test.labels) < 1.0


def test_svm_decides_nearly_as_sklearns() -> None:
    from sklearn.svm import SVC

    train, _, test = parts()
    theirs = SVC(C=10).fit(pixels(train.images), train.labels).predict(pixels(test.images))
    assert (fit("svm").predict(test.images).argmax(axis=1) == theirs).mean() > 0.8


def test_linear_svm_decides_as_sklearns() -> None:
    pytest.importorskip("skimage")
    from sklearn.svm import LinearSVC

    train, _, test = parts()
    seen, other = (hog(images.images, orientations=9, cell=7, block=2) for images in (train, test))
    theirs = LinearSVC(dual=False, random_state=0).fit(seen, train.labels).predict(other)
    fitted = fit("hog-svm")
    np.testing.assert_array_equal(fitted.predict(test.images).argmax(axis=1), theirs)
    assert fitted.parameters() == 10 * seen.shape[1] + 10


@pytest.mark.parametrize("name", ["logistic-regression", "svm"])
def test_a_class_without_training_images_gets_nothing(name: str) -> None:
    train, validation, test = parts()
    some = train[train.labels % 4 != 3]  # without 3 and 7, which are still among the images to calibrate on
    probabilities = Classical.fit(untrained(name), some, 12, 0, validation).predict(test.images)
    assert probabilities.shape == (60, 12)
    assert not probabilities[:, [3, 7, 10, 11]].any()
    known = test.labels % 4 != 3
    assert (probabilities.argmax(axis=1) == test.labels)[known].mean() > 0.7


@pytest.mark.parametrize("name", ["svm", "hog-svm", "gradient-boosting"])
def test_two_classes(name: str) -> None:
    if name == "hog-svm":
        pytest.importorskip("skimage")
    train, validation, test = (images[images.labels < 2] for images in parts())
    probabilities = Classical.fit(untrained(name), train, 2, 0, validation).predict(test.images)
    assert probabilities.shape == (len(test), 2)
    assert accuracy(probabilities, test.labels) > 0.9


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
    calibration = Calibration.fit(values, labels, classes, pairs=pairs)
    probabilities = calibration.probabilities(values)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    targets = smoothed(labels, classes)
    np.testing.assert_allclose(targets, np.eye(classes)[labels] * 60 / 61 + 1 / 61 / classes)

    def lost(fitted: Calibration) -> float:
        return -(targets * np.log(fitted.probabilities(values))).sum(axis=1).mean()

    assert lost(calibration) <= lost(Calibration(classes, calibration.pairs)) + 1e-9
    assert lost(calibration) <= np.log(classes) + 0.01  # knowing nothing
    if not pairs or classes == 2:
        np.testing.assert_array_equal(probabilities.argmax(axis=1), strength.argmax(axis=1))


def test_calibration_finds_the_temperature() -> None:
    """Labels drawn from a softmax at temperature 3: it is found again."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(4000, 4)) * 6
    chances = np.exp(values / 3) / np.exp(values / 3).sum(axis=1, keepdims=True)
    labels = (generator.random((4000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    assert Calibration.fit(values, labels, 4, pairs=False).temperature == pytest.approx(3, rel=0.1)


def test_calibration_on_few_images_stays_modest() -> None:
    """Ten images, all decided right, are no reason to be certain of the next."""
    labels = np.arange(10) % 3
    probabilities = Calibration.fit(np.eye(3)[labels], labels, 3, pairs=False).probabilities(np.eye(3))
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
    with pytest.raises(ToileError, match=r"pip install 'toile-workbench\[classical\]'"):
        hog(parts()[0].images, orientations=9, cell=7, block=2)


@given(st.integers(8, 40), st.integers(8, 40), st.integers(1, 9), st.integers(2, 8), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_hog_length_is_what_hog_makes(height: int, width: int, orientations: int, cell: int, block: int) -> None:
    pytest.importorskip("skimage")
    if min(height, width) < cell * block:
        with pytest.raises(ValueError, match=f"{cell} pixels does not fit into {height}x{width}"):
            hog_length((height, width, 1), orientations, cell, block)
    else:
        made = hog(np.zeros((1, height, width, 1), np.uint8), orientations=orientations, cell=cell, block=block)
        assert made.shape[1] == hog_length((height, width, 1), orientations, cell, block)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("svm", {"components": 161}, "components = 161, and 160 training images of 784 features have at most 160"),
        ("hog-svm", {"cell": 8, "block": 4}, "4x4 cells of 8 pixels does not fit into 28x28"),
        ("hog-svm", {"cell": 14, "block": 2, "orientations": 2, "components": 9}, "160 training images of 8 features"),
        ("nearest-neighbours", {"neighbours": 161}, "neighbours = 161, and there are 160 training images"),
    ],
)
def test_impossible_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Misuse, match=message):
        architectures.check(name, (28, 28, 1), 10, architectures.complete(name, options), lambda: 160)


def test_one_class_is_none() -> None:
    train, _, _ = parts()
    with pytest.raises(Misuse, match="all of one class"):
        Classical.fit(untrained("svm"), train[train.labels == 1], 10, 0)


def test_nothing_known_to_calibrate_on() -> None:
    train, validation, _ = parts()
    with pytest.raises(Misuse, match="calibrate"):
        Classical.fit(untrained("svm"), train[train.labels < 5], 10, 0, validation[validation.labels >= 5])


def trial(name: str, split: SplitSpec) -> Trial:
    options = architectures.complete(name, {**QUICK.get(name, {}), "components": 12})
    return Trial(
        dataset=TrialDataset(content=dataset().content, classes=10, image_shape=(28, 28, 1)),
        split=split, learner="classical", recipe=RecipeSpec(epochs=1), seed=0,
        architecture=TrialArchitecture(name=name, options=options, revision=architectures.load(name).REVISION),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["logistic-regression", "svm"])
def test_a_run_is_like_any_other(name: str, tmp_path: Path) -> None:
    store, events = Store(tmp_path), []
    store.keep(dataset(), DatasetSpec(name="digits"))
    asked = trial(name, SplitSpec(method="tail", validation=0.2))
    fingerprint = train(asked, store, threads=1, say=lambda event, **fields: events.append(event))
    run = store.get(fingerprint)
    assert sorted(path.name for path in run.folder.iterdir()) == sorted([MANIFEST, *(path.name for path in run.files())])
    assert run.model_path.name == "model.skops"
    assert run.trial["learner"] == "classical" and run.splits() == ("validation", "test")
    [row] = run.history
    assert set(row) == {"epoch", "seconds"} and row["seconds"] == run.provenance["seconds"]["train"] > 0
    assert run.provenance["details"]["explained_variance"] > 0.3
    assert (run.provenance["parameters"] is None) == (name == "svm")
    [again] = infer([run.model_path], "tensorflow", dataset().test.images)
    np.testing.assert_allclose(again, run.probabilities("test"), atol=1e-5)
    archive = tmp_path / "runs.tar"
    assert pack([run], archive) == 1 and unpack(archive, Store(tmp_path / "other")) == [fingerprint]


@pytest.mark.parametrize("given_", ["balanced", (1.0,) * 9 + (0.001,)], ids=["balanced", "listed"])
@pytest.mark.parametrize("name", [name for name in CLASSICAL if name != "nearest-neighbours"])
def test_class_weights_are_sklearns(name: str, given_: Any, tmp_path: Path) -> None:
    if name == "hog-svm":
        pytest.importorskip("skimage")
    asked = trial(name, SplitSpec(method="tail", validation=0.2))
    asked = asked.model_copy(update={"recipe": RecipeSpec(epochs=1, class_weight=given_)})
    asked.__dict__.pop("fingerprint", None)
    learner = ClassicalLearner(asked, make_store(tmp_path))
    learner.fit()
    (train, _, test), weights = parts(), given_ if given_ == "balanced" else dict(enumerate(given_))
    model = untrained(name, **asked.architecture.options)
    model.set_params(model__class_weight=weights)
    theirs = Classical.fit(model, train, 10, asked.seed, learner.parts.validation)
    np.testing.assert_allclose(learner.engine.predict(test.images), theirs.predict(test.images), atol=1e-6)
    plain = Classical.fit(untrained(name, **asked.architecture.options), train, 10, asked.seed, learner.parts.validation)
    if given_ != "balanced":  # which they are here already
        assert np.abs(plain.predict(test.images) - theirs.predict(test.images)).max() > 1e-3


def test_looking_at_classical_architectures_imports_no_scikit_learn() -> None:
    code = (
        "from toile.models import architectures as a\n"
        "for n in a.names():\n"
        "    if a.learner(n) == 'classical': a.check(n, (28, 28, 1), 10, a.complete(n, {}), lambda: 100)\n"
        "print({'sklearn', 'scipy', 'skimage', 'keras'} & set(sys.modules))"
    )
    assert python(code, backend="tensorflow").strip() == "set()"
