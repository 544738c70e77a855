"""A plain convolutional network: blocks of convolution, normalisation, pooling and dropout, then dense layers.

One family for all hand-made CNNs of the documents; they differ in the order within a block, which is therefore an option.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from toile.errors import nearest
from toile.models.layers import activation_layer, dense_parameters, each, initializer_for, l2_penalty
from toile.models.option_types import (
    Activation,
    CountOrEach,
    Counts,
    Initializer,
    InitializerOrEach,
    PaddingOrEach,
    RateOrEach,
    SizeOrEach,
    Strength,
    StrengthOrEach,
    StringOrEach,
)
from toile.models.protocols import KerasModel
from toile.study.fields.needs import Needs

REVISION = 1

STEPS = ("conv", "norm", "act", "pool", "dropout")
_OF_BLOCKS = ("filters", "kernel", "strides", "padding", "pool", "dropout", "order")


def _needs_step(step: str) -> Needs:
    def met(order: str | tuple[str, ...] | list[str], filters: tuple[int, ...] | list[int]) -> bool:
        return bool(filters) and any(step in one.split() for one in ([order] if isinstance(order, str) else order))

    return Needs(("order", "filters"), met, f"{step!r} in `order`, for one of `filters` at least")


_FILTERS, _DENSE = Needs(("filters",), bool, "a block in `filters`"), Needs(("dense",), bool, "a layer in `dense`")
NEEDS = {
    **dict.fromkeys(("kernel", "strides", "padding", "order", "initializer", "l2"), _FILTERS),
    "pool": _needs_step("pool"),
    "dropout": _needs_step("dropout"),
    **dict.fromkeys(("dense_norm", "dense_dropout"), _DENSE),
    "activation": Needs(
        ("filters", "dense"), lambda filters, dense: filters or dense, "a block in `filters` or a layer in `dense`"
    ),
}


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: Counts = (32,),
    kernel: CountOrEach = 3,
    strides: CountOrEach = 1,
    padding: PaddingOrEach = "valid",
    pool: SizeOrEach = 2,
    dropout: RateOrEach = 0.0,
    order: StringOrEach = "conv pool dropout",
    initializer: InitializerOrEach = "glorot-uniform",
    l2: StrengthOrEach = 0.0,
    dense: Counts = (128,),
    dense_norm: bool = False,
    dense_dropout: RateOrEach = 0.0,
    dense_initializer: Initializer = "glorot-uniform",
    dense_l2: Strength = 0.0,
    activation: Activation = "relu",
) -> KerasModel:
    """A Keras model from uint8 `(n, *image_shape)` to probabilities `(n, classes)`.

    Args:
        filters: output channels of each convolution; one block each.
        kernel: side of the square kernel; one for all blocks or one each. So too all options up to `l2`.
        strides: of the convolution.
        padding: of the convolution, "valid" (none) or "same".
        pool: side of the max pooling, 0 for none.
        dropout: rate in 0..1, 0 for none.
        order: the block's steps in their order, from conv, norm (batch normalisation), act, pool, dropout. Without `act`
            the activation follows the convolution at once. A step that is left out is not done.
        initializer: of the convolution's kernel. "random-uniform" is Keras's: -0.05..0.05.
        l2: strength of the penalty on the convolution's kernel.
        dense: units of each hidden dense layer.
        dense_norm: batch normalisation after each hidden dense layer.
        dense_dropout: rate after each hidden dense layer; one for all or one each.
        dense_initializer: of the kernels of all dense layers, the last one (logits) too.
        dense_l2: strength of the penalty on the same kernels.
        activation: of convolutions and hidden dense layers.

    Raises:
        ValueError: a list of another length than `filters` (or `dense`), an unknown step, or images too small for the blocks.
    """
    from keras import Input, Model, layers

    blocks = list(_blocks(image_shape, filters, kernel, strides, padding, pool, dropout, order))
    initializers, penalties = each(initializer, len(filters), "initializer"), each(l2, len(filters), "l2")
    inputs = Input(image_shape, dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    for block, start, penalty in zip(blocks, initializers, penalties, strict=True):
        for step in block.steps:
            if step == "conv":
                x = layers.Conv2D(
                    block.filters,
                    block.kernel,
                    strides=block.strides,
                    padding=block.padding,
                    kernel_initializer=initializer_for(start),
                    kernel_regularizer=l2_penalty(penalty),
                )(x)
                if "act" not in block.steps:
                    x = activation_layer(activation)(x)
            elif step == "norm":
                x = layers.BatchNormalization()(x)
            elif step == "act":
                x = activation_layer(activation)(x)
            elif step == "pool":
                x = layers.MaxPooling2D(block.pool)(x)
            elif step == "dropout":
                x = layers.Dropout(block.dropout)(x)

    def kernel_options() -> dict[str, Any]:
        return {"kernel_initializer": initializer_for(dense_initializer), "kernel_regularizer": l2_penalty(dense_l2)}

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
    """Multiplications of one image's forward pass, in convolutions and dense layers."""
    total, (height, width, channels) = 0, image_shape
    for key, layers in (("initializer", "filters"), ("l2", "filters"), ("dense_dropout", "dense")):
        each(options[key], len(options[layers]), key)
    for block in _blocks(image_shape, *(options[key] for key in _OF_BLOCKS)):
        total += block.positions * block.kernel**2 * channels * block.filters
        height, width, channels = block.output
    features = height * width * channels
    for units in (*options["dense"], classes):
        total += features * units
        features = units
    return total


def parameters(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Of the model, moving averages too."""
    total, (height, width, channels) = 0, image_shape
    for block in _blocks(image_shape, *(options[key] for key in _OF_BLOCKS)):
        for step in block.steps:
            if step == "conv":
                total += (block.kernel**2 * channels + 1) * block.filters
                channels = block.filters
            elif step == "norm":
                total += 4 * channels
        height, width, channels = block.output
    return total + dense_parameters((height * width * channels, *options["dense"], classes), options["dense_norm"])


class _Block(NamedTuple):
    """A block as it is built: steps that do nothing (pooling by 0, dropout at rate 0) are gone.

    `positions`: where the convolution's kernel is put, height x width of its output.
    `output`: (height, width, channels) behind the block.
    """

    filters: int
    kernel: int
    strides: int
    padding: str
    pool: int
    dropout: float
    steps: list[str]
    positions: int
    output: tuple[int, int, int]


def _blocks(image_shape: tuple[int, int, int], filters: tuple[int, ...], *options: Any) -> Iterator[_Block]:
    """The blocks, checked, with the sizes that images have between them."""
    (height, width, _), count = image_shape, len(filters)
    names = ("kernel", "strides", "padding", "pool", "dropout", "order")
    values = (each(option, count, name) for name, option in zip(names, options, strict=True))
    for number, (width_out, kernel, strides, padding, pool, dropout, order) in enumerate(zip(filters, *values, strict=True), 1):
        steps = [step for step in _steps(order) if (step != "pool" or pool) and (step != "dropout" or dropout)]
        positions = 0
        for step in steps:
            if step == "conv":
                less = 0 if padding == "same" else kernel - 1
                height, width = -(-(height - less) // strides), -(-(width - less) // strides)
                positions = height * width
            elif step == "pool":
                height, width = height // pool, width // pool
            if min(height, width) < 1:
                way = "fewer blocks, `pool = 0`" + ("" if padding == "same" else ' or `padding = "same"`')
                raise ValueError(f"nothing is left of the image at step {step!r} of block {number}; {way} leaves more of it")
        yield _Block(
            width_out, kernel, strides, padding, pool, dropout, steps, positions, (height, width, width_out)
        )  # fmt: skip


def _steps(order: str) -> list[str]:
    steps = order.split()
    if unknown := [step for step in steps if step not in STEPS]:
        raise ValueError(
            f"unknown step {unknown[0]!r} in order {order!r}{nearest(unknown[0], STEPS)}; known: {', '.join(STEPS)}"
        )
    if steps.count("conv") != 1:
        raise ValueError(f"a block has one conv, got order {order!r}")
    return steps
