"""A plain convolutional network: blocks of convolution, normalisation, pooling and dropout, then dense layers.

One family for all hand-made CNNs of the documents; they differ in the order within a block, which is therefore an option.
"""

from __future__ import annotations

from typing import Any, Literal

from toile.learners.layers import activation_layer, each, initializer_for, l2_penalty
from toile.learners.option_types import (
    Activation,
    CountOrEach,
    Counts,
    Initializer,
    RateOrEach,
    SizeOrEach,
    Strength,
    StringOrEach,
)

REVISION = 1

STEPS = ("conv", "norm", "act", "pool", "dropout")


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: Counts = (32,),
    kernel: CountOrEach = 3,
    strides: CountOrEach = 1,
    padding: Literal["valid", "same"] = "valid",
    pool: SizeOrEach = 2,
    dropout: RateOrEach = 0.0,
    order: StringOrEach = "conv pool dropout",
    dense: Counts = (128,),
    dense_norm: bool = False,
    dense_dropout: RateOrEach = 0.0,
    activation: Activation = "relu",
    initializer: Initializer = "glorot-uniform",
    l2: Strength = 0.0,
) -> Any:
    """A Keras model from uint8 `(n, *image_shape)` to probabilities `(n, classes)`.

    Args:
        filters: output channels of each convolution; one block each.
        kernel: side of the square kernel; one for all blocks or one each. So too `strides`, `pool`, `dropout`, `order`.
        strides: of the convolution.
        padding: of the convolution.
        pool: side of the max pooling, 0 for none.
        dropout: rate in 0..1 after the block, 0 for none.
        order: the block's steps in their order, from conv, norm (batch normalisation), act, pool, dropout. Without `act`
            the activation follows the convolution at once.
        dense: units of each hidden dense layer.
        dense_norm: batch normalisation after each hidden dense layer.
        dense_dropout: rate after each hidden dense layer.
        activation: of convolutions and hidden dense layers.
        initializer: of all kernels. "random-uniform" is Keras's: -0.05..0.05.
        l2: strength of the penalty on all kernels.

    Raises:
        ValueError: a list of another length than `filters`, an unknown step, or images too small for the blocks.
    """
    from keras import Input, Model, layers

    def kernel_options() -> dict[str, Any]:
        return {"kernel_initializer": initializer_for(initializer), "kernel_regularizer": l2_penalty(l2)}

    count = len(filters)
    blocks = zip(
        filters,
        each(kernel, count, "kernel"),
        each(strides, count, "strides"),
        each(pool, count, "pool"),
        each(dropout, count, "dropout"),
        each(order, count, "order"),
        strict=True,
    )
    inputs = Input(image_shape, dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    for width, side, stride, window, rate, steps in blocks:
        for step in _steps(steps):
            if step == "conv":
                x = layers.Conv2D(width, side, strides=stride, padding=padding, **kernel_options())(x)
                if "act" not in steps.split():
                    x = activation_layer(activation)(x)
            elif step == "norm":
                x = layers.BatchNormalization()(x)
            elif step == "act":
                x = activation_layer(activation)(x)
            elif step == "pool" and window:
                x = layers.MaxPooling2D(window)(x)
            elif step == "dropout" and rate:
                x = layers.Dropout(rate)(x)
    x = layers.Flatten()(x)
    for units, rate in zip(dense, each(dense_dropout, len(dense), "dense_dropout"), strict=True):
        x = layers.Dense(units, **kernel_options())(x)
        x = activation_layer(activation)(x)
        if dense_norm:
            x = layers.BatchNormalization()(x)
        if rate:
            x = layers.Dropout(rate)(x)
    x = layers.Dense(classes, name="logits", **kernel_options())(x)
    return Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(x))


def multiply_adds(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Multiplications of one image's forward pass."""
    height, width, channels = image_shape
    count, total = len(options["filters"]), 0
    for i, filters in enumerate(options["filters"]):
        kernel, stride, pool = (each(options[key], count, key)[i] for key in ("kernel", "strides", "pool"))
        less = 0 if options["padding"] == "same" else kernel - 1
        height, width = -(-(height - less) // stride), -(-(width - less) // stride)
        total += height * width * kernel * kernel * channels * filters
        channels = filters
        if pool:
            height, width = height // pool, width // pool
    features = height * width * channels
    for units in (*options["dense"], classes):
        total += features * units
        features = units
    return total


def _steps(order: str) -> list[str]:
    steps = order.split()
    if unknown := [step for step in steps if step not in STEPS]:
        raise ValueError(f"unknown step {unknown[0]!r} in order {order!r}; known: {', '.join(STEPS)}")
    if steps.count("conv") != 1:
        raise ValueError(f"a block has one conv, got order {order!r}")
    return steps
