"""Fused batch normalisation and packed dropout against Keras's own layers, and what is left to Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from toile.training import recipe
from toile.training.training_layers import FusedNormalization, PackedDropout, with_training_layers

SHAPE = (4, 6, 5, 3)


def block(**options: Any) -> keras.Model:
    """Images to their normalised selves, with a convolution before that hands gradients on."""
    keras.utils.set_random_seed(5)
    images = keras.Input(SHAPE[1:])
    x = layers.Conv2D(3, 3, padding="same")(images)
    model = keras.Model(images, layers.BatchNormalization(gamma_initializer="random_normal", **options)(x))
    model.layers[-1].beta.assign([0.5, -1.0, 2.0])
    return model


def steps(model: keras.Model, seen: keras.Model) -> dict[str, np.ndarray]:
    """What `seen`, which has the variables of `model`, makes of three batches; their gradients; the averages in the end."""
    drawn, found = np.random.default_rng(0), {}
    for step in range(3):
        images, towards = (tf.constant(drawn.normal(2, 3, SHAPE), tf.float32) for _ in range(2))
        with tf.GradientTape() as tape:
            outputs = seen(images, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * towards)
        found[f"outputs {step}"] = tf.cast(outputs, tf.float32).numpy()
        gradients = tape.gradient(loss, [variable.value for variable in model.trainable_weights])
        for variable, gradient in zip(model.trainable_weights, gradients, strict=True):
            found[f"{variable.path.split('/')[-1]} {step}"] = gradient.numpy()
    normalization = model.layers[-1]
    return found | {"mean": normalization.moving_mean.numpy(), "variance": normalization.moving_variance.numpy()}


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "epsilon": 0.1}], ids=str)
def test_it_computes_what_keras_computes(options):
    model, twin = block(**options), block(**options)
    fused = with_training_layers(twin)
    assert isinstance(fused.layers[-1], FusedNormalization)
    ours, theirs = steps(twin, fused), steps(model, model)
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        # The gradient that hands on through a normalisation to the bias before it is nought but for rounding.
        np.testing.assert_allclose(ours[name], expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_in_bfloat16_it_is_as_near_to_float32_as_keras_is():
    plain = block()
    exact = steps(plain, plain)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, twin = block(), block()
        fused = with_training_layers(twin)
        assert fused.layers[-1].compute_dtype == "bfloat16"
        ours, theirs = steps(twin, fused), steps(model, model)
    finally:
        keras.config.set_dtype_policy("float32")

    for name, expected in exact.items():
        if name.startswith("outputs") or name in ("mean", "variance"):
            far, allowed = (np.abs(found[name] - expected).mean() for found in (ours, theirs))
            assert far < 2 * allowed + 0.01, name


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(trainable=False),
        layers.BatchNormalization(scale=False),
        layers.BatchNormalization(axis=1),
        layers.BatchNormalization(renorm=True),
        layers.LayerNormalization(),
    ],
    ids=["frozen", "no scale", "another axis", "renorm", "another layer"],
)
def test_what_the_kernel_cannot_do_is_left_to_keras(layer):
    images = keras.Input(SHAPE[1:])
    model = with_training_layers(keras.Model(images, layer(images)))
    assert type(model.layers[-1]) is type(layer)


def test_vectors_are_left_to_keras():
    features = keras.Input((7,))
    model = with_training_layers(keras.Model(features, layers.BatchNormalization()(features)))
    assert type(model.layers[-1]) is layers.BatchNormalization


def test_the_model_itself_stays_as_it_is():
    model = block()
    with_training_layers(model)
    assert type(model.layers[-1]) is layers.BatchNormalization


def dropout(rate: float, *shape: int, seed: int = 0, dtype: str = "float32") -> keras.Model:
    """A model that does nothing but drop, as it trains."""
    x = keras.Input(shape)
    model = with_training_layers(keras.Model(x, layers.Dropout(rate, dtype=dtype)(x)))
    recipe.reseed(model, seed, epoch=0)
    return model


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.1, 0.3, 1 / 3, 0.9, 0.001])
def test_a_share_is_dropped_and_the_rest_scaled_so_that_the_mean_stays(rate: float) -> None:
    model, images = dropout(rate, 25, 20, 10), np.ones((200, 25, 20, 10), "float32")
    assert type(model.layers[-1]) is PackedDropout
    found = model(images, training=True).numpy()
    dropped = found == 0
    # Five standard deviations of the share of 10^6 coins.
    assert abs(dropped.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / found.size)
    np.testing.assert_allclose(found[~dropped], 1 / (1 - rate), rtol=2e-4)
    for axis in range(4):  # no image, row, column or channel fares differently
        others = tuple(other for other in range(4) if other != axis)
        spread = np.sqrt(rate * (1 - rate) * found.shape[axis] / found.size)
        assert np.abs(dropped.mean(axis=others) - rate).max() < 5 * spread


@pytest.mark.parametrize("rate", [0.5, 0.3])
def test_neighbours_are_dropped_independently(rate: float) -> None:
    dropped = dropout(rate, 997)(np.ones((1_000, 997), "float32"), training=True).numpy() == 0
    for far in (1, 2, 3, 4):  # four numbers, or two, come from one word
        both = (dropped[:, far:] & dropped[:, :-far]).mean()
        assert abs(both - rate**2) < 5 * np.sqrt(rate**2 * (1 - rate**2) / dropped.size)
    both = (dropped[1:] & dropped[:-1]).mean()
    assert abs(both - rate**2) < 5 * np.sqrt(rate**2 * (1 - rate**2) / dropped.size)


def test_gradients_pass_where_numbers_did() -> None:
    model, x = dropout(0.3, 7, 5), tf.constant(np.random.default_rng(0).normal(size=(6, 7, 5)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = model(x, training=True)
    np.testing.assert_allclose((tape.gradient(found, x) * x).numpy(), found.numpy(), rtol=1e-6)
    assert 0 < (found.numpy() == 0).sum() < x.shape.num_elements()


def test_each_step_drops_others_and_the_same_state_the_same() -> None:
    images = np.ones((4, 100), "float32")
    model, again, other = dropout(0.5, 100), dropout(0.5, 100), dropout(0.5, 100, seed=1)
    first, second = model(images, training=True).numpy(), model(images, training=True).numpy()
    assert (first != second).any() and (first != other(images, training=True).numpy()).any()
    np.testing.assert_array_equal(again(images, training=True).numpy(), first)
    np.testing.assert_array_equal(again(images, training=True).numpy(), second)
    recipe.reseed(model, 0, epoch=0)
    np.testing.assert_array_equal(model(images, training=True).numpy(), first)


def test_in_bfloat16_numbers_are_dropped_too() -> None:
    found = dropout(0.25, 64, dtype="mixed_bfloat16")(np.ones((100, 64), "float32"), training=True)
    assert found.dtype == tf.bfloat16
    assert abs((found.numpy() == 0).mean() - 0.25) < 0.03


@pytest.mark.parametrize(
    "layer",
    [layers.Dropout(0.0), layers.Dropout(1e-6), layers.Dropout(0.5, noise_shape=(None, 1, 1, 3)), layers.SpatialDropout2D(0.5)],
    ids=["rate 0", "rate that 16 bits cannot tell from 0", "noise shape", "another layer"],
)
def test_other_dropout_is_left_to_keras(layer: layers.Layer) -> None:
    images = keras.Input(SHAPE[1:])
    model = with_training_layers(keras.Model(images, layer(images)))
    assert type(model.layers[-1]) is type(layer)
