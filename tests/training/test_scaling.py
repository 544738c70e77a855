"""Fitted scaling against scikit-learn's MinMaxScaler on flattened images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler

from tests.training.fixture import make_store, make_trial, python, train_elsewhere
from toile.data.parts.splits import split
from toile.models import architectures
from toile.training.scaling import fit

SHAPE = (4, 3, 2)


def built(architecture: str = "mlp", shape: tuple[int, int, int] = SHAPE, **options: Any) -> Any:
    return architectures.build(architecture, shape, 3, options)


def scaled(model: Any, images: np.ndarray) -> np.ndarray:
    """What a model's first dense or convolutional layer sees, in rows."""
    return np.asarray(model.get_layer("scale")(images)).reshape(len(images), -1)


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 20), low=st.sampled_from([0, 0, 1, 200]), width=st.integers(1, 55))
@settings(max_examples=20, deadline=None)
def test_min_max_is_scikit_learns(seed, count, low, width):
    drawn = np.random.default_rng(seed)
    images = drawn.integers(low, low + width, (count, *SHAPE), dtype=np.uint8)
    images[:, 0, 0] = drawn.integers(0, 256, 2)  # pixels that never change
    others = drawn.integers(0, 256, (5, *SHAPE), dtype=np.uint8)
    oracle, model = MinMaxScaler().fit(flat(images)), built(hidden=[2])
    fit(model, "min-max", images)
    inside, outside = scaled(model, images), scaled(model, others)
    # The layer multiplies and adds in float32: of a pixel that is 250..251, fewer digits are left.
    digits = 1e-6 + 2**-23 * np.maximum(oracle.data_max_, 255 * (oracle.data_min_ > 0)) * oracle.scale_
    for found, expected in ((inside, oracle.transform(flat(images))), (outside, oracle.transform(flat(others)))):
        assert (np.abs(found - expected) <= digits + 1e-6 * np.abs(expected)).all()
    constant = np.ptp(flat(images), axis=0) == 0
    assert constant[:2].all() and (inside[:, constant] == 0).all()
    assert (inside >= -digits).all() and (inside <= 1 + digits).all()


def test_other_images_may_leave_the_range():
    model, images = built(hidden=[2]), np.full((2, *SHAPE), 100, np.uint8)
    images[1] = 110
    fit(model, "min-max", images)
    others = np.stack([np.full(SHAPE, value, np.uint8) for value in (95, 105, 120)])
    np.testing.assert_allclose(scaled(model, others), np.repeat([[-0.5], [0.5], [2.0]], np.prod(SHAPE), axis=1), atol=1e-5)


@pytest.mark.parametrize(("architecture", "options"), [("mlp", {"hidden": [4]}), ("cnn", {"filters": [3], "dense": [4]})])
def test_parameters_and_weights_stay_what_they_were(architecture, options):
    images = np.random.default_rng(0).integers(0, 200, (9, 28, 28, 1), dtype=np.uint8)
    model = built(architecture, (28, 28, 1), **options)
    before, parameters = model.get_weights(), model.count_params()
    plain = np.asarray(model(images))
    fit(model, "pixels", images)
    np.testing.assert_array_equal(np.asarray(model(images)), plain)
    np.testing.assert_allclose(scaled(model, images), flat(images) / 255, atol=1e-6)
    fit(model, "min-max", images)
    assert model.count_params() == parameters
    assert all((ours == theirs).all() for ours, theirs in zip(model.get_weights(), before, strict=True))
    assert np.abs(np.asarray(model(images)) - plain).max() > 1e-4


@pytest.mark.slow
def test_run_was_fitted_on_its_training_part_and_reloads_without_toile(tmp_path):
    store, trial = make_store(tmp_path / "store"), make_trial("mlp", {"hidden": [8]}, epochs=1, scaling="min-max")
    plain = make_trial("mlp", {"hidden": [8]}, epochs=1)
    assert plain.fingerprint != trial.fingerprint
    train_elsewhere(trial, store)
    run, parts = store.get(trial.fingerprint), split(store.dataset(trial.dataset.content), trial.split)
    np.save(tmp_path / "images.npy", parts.test.images)
    python(
        "import sys; sys.modules['toile'] = None\n"
        "import keras, numpy\n"
        "model, images = keras.models.load_model(sys.argv[1]), numpy.load(sys.argv[2])\n"
        "numpy.save(sys.argv[3] + '/scaled.npy', model.get_layer('scale')(images))\n"
        "numpy.save(sys.argv[3] + '/said.npy', model(images, training=False))\n",
        run.model_path, tmp_path / "images.npy", tmp_path,
    )  # fmt: skip
    np.testing.assert_allclose(np.load(tmp_path / "said.npy"), run.probabilities("test"), atol=1e-6)
    oracle = MinMaxScaler().fit(flat(parts.train.images))
    np.testing.assert_allclose(
        np.load(tmp_path / "scaled.npy").reshape(60, -1), oracle.transform(flat(parts.test.images)), atol=1e-5, rtol=1e-6
    )
    assert run.provenance["parameters"] == 784 * 8 + 8 + 8 * 10 + 10
