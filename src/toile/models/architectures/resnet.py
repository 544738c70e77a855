"""A residual network: stages of pre-activation blocks, each stage at half the resolution of the one before.

He et al., "Identity mappings in deep residual networks" (ECCV 2016); wide ones with dropout between the two convolutions are
those of Zagoruyko & Komodakis, "Wide residual networks" (BMVC 2016).
"""

from __future__ import annotations

from typing import Any

from toile.models.layers import activation_layer, dense_parameters, each, initializer_for
from toile.models.option_types import Activation, Count, CountOrEach, Counts, Initializer, Rate
from toile.models.protocols import KerasModel
from toile.study.fields.needs import Needs

REVISION = 1
NEEDS = {"blocks": Needs(("widths",), bool, "a stage in `widths`")}


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    stem: Count = 16,
    stem_kernel: Count = 3,
    stem_stride: Count = 1,
    widths: Counts = (16, 32, 64),
    blocks: CountOrEach = 3,
    dropout: Rate = 0.0,
    initializer: Initializer = "he-normal",
    activation: Activation = "relu",
) -> KerasModel:
    """A Keras model from uint8 `(n, *image_shape)` to probabilities `(n, classes)`.

    Args:
        stem: channels of the first convolution.
        stem_kernel: side of its square kernel.
        stem_stride: its stride. 2 spares three quarters of all that follows.
        widths: channels of each stage. From the second on a stage begins with stride 2.
        blocks: residual blocks of two 3 x 3 convolutions in a stage; one number for all stages or one each.
        dropout: rate between the two convolutions of a block, 0 for none.
        initializer: of all convolutions.
        activation: after each normalisation.

    Raises:
        ValueError: a list of another length than `widths`.
    """
    from keras import Input, Model, layers

    counts = each(blocks, len(widths), "blocks")

    def conv(x: Any, filters: int, kernel: int, stride: int = 1) -> Any:
        # Normalisation follows, and takes any bias away.
        return layers.Conv2D(
            filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer=initializer_for(initializer)
        )(x)

    def active(x: Any) -> Any:
        return activation_layer(activation)(layers.BatchNormalization()(x))

    inputs = Input(image_shape, dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    x = conv(x, stem, stem_kernel, stem_stride)
    for stage, (width, count) in enumerate(zip(widths, counts, strict=True)):
        for block in range(count):
            stride = 2 if stage and not block else 1
            y = active(x)
            # Where the shape changes, the shortcut is a convolution of what has been normalised.
            shortcut = x if stride == 1 and x.shape[-1] == width else conv(y, width, 1, stride)
            y = active(conv(y, width, 3, stride))
            if dropout:
                y = layers.Dropout(dropout)(y)
            x = layers.Add()([shortcut, conv(y, width, 3)])
    x = layers.GlobalAveragePooling2D()(active(x))
    x = layers.Dense(classes, name="logits")(x)
    return Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(x))


def multiply_adds(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Multiplications of one image's forward pass, in convolutions and the dense layer."""
    height, width, channels = image_shape
    filters, stride = options["stem"], options["stem_stride"]
    height, width = -(-height // stride), -(-width // stride)
    total = height * width * options["stem_kernel"] ** 2 * channels * filters
    widths = options["widths"]
    for stage, (outputs, count) in enumerate(zip(widths, each(options["blocks"], len(widths), "blocks"), strict=True)):
        for block in range(count):
            stride = 2 if stage and not block else 1
            height, width = -(-height // stride), -(-width // stride)
            shortcut = 0 if stride == 1 and filters == outputs else filters
            total += height * width * outputs * (9 * filters + 9 * outputs + shortcut)
            filters = outputs
    return total + filters * classes


def parameters(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Of the model, moving averages too."""
    filters, widths = options["stem"], options["widths"]
    total = options["stem_kernel"] ** 2 * image_shape[2] * filters
    for stage, (outputs, count) in enumerate(zip(widths, each(options["blocks"], len(widths), "blocks"), strict=True)):
        for block in range(count):
            shortcut = 0 if filters == outputs and (block or not stage) else filters
            # Two normalisations, of four numbers a channel, and two convolutions without biases.
            total += 4 * (filters + outputs) + outputs * (9 * filters + 9 * outputs + shortcut)
            filters = outputs
    return total + 4 * filters + dense_parameters((filters, classes))
