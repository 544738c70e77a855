"""Fused batch normalisation against Keras's own layer, and what is left to Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from toile.learners.fused import Fused, with_fused_normalization

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
    fused = with_fused_normalization(twin)
    assert isinstance(fused.layers[-1], Fused)
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
        fused = with_fused_normalization(twin)
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
    model = with_fused_normalization(keras.Model(images, layer(images)))
    assert type(model.layers[-1]) is type(layer)


def test_vectors_are_left_to_keras():
    features = keras.Input((7,))
    model = with_fused_normalization(keras.Model(features, layers.BatchNormalization()(features)))
    assert type(model.layers[-1]) is layers.BatchNormalization


def test_the_model_itself_stays_as_it_is():
    model = block()
    with_fused_normalization(model)
    assert type(model.layers[-1]) is layers.BatchNormalization
