"""A multilayer perceptron: the pixels in a row, then dense layers. (The documents call it an ANN.)"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

from toile.models.layers import activation_layer, dense_parameters, each, initializer_for, l2_penalty
from toile.models.option_types import Activation, Counts, Initializer, RateOrEach, Strength
from toile.models.protocols import KerasModel
from toile.study.fields.needs import Needs

REVISION = 1
_HIDDEN = Needs(("hidden",), bool, "a layer in `hidden`")
NEEDS = {"dropout": _HIDDEN, "norm": _HIDDEN, "activation": _HIDDEN}


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    hidden: Counts = (256,),
    dropout: RateOrEach = 0.0,
    norm: bool = False,
    activation: Activation = "relu",
    initializer: Initializer = "glorot-uniform",
    l2: Strength = 0.0,
) -> KerasModel:
    """A Keras model from uint8 `(n, *image_shape)` to probabilities `(n, classes)`.

    Args:
        hidden: units of each hidden layer.
        dropout: rate in 0..1 after each hidden layer; one for all or one each; 0 for none.
        norm: batch normalisation after each hidden layer.
        activation: of the hidden layers.
        initializer: of all kernels. "random-uniform" is Keras's: -0.05..0.05.
        l2: strength of the penalty on all kernels.

    Raises:
        ValueError: `dropout` is a list of another length than `hidden`.
    """
    from keras import Input, Model, layers

    inputs = Input(image_shape, dtype="uint8", name="images")
    x = layers.Flatten()(layers.Rescaling(1 / 255, name="scale")(inputs))
    for units, rate in zip(hidden, each(dropout, len(hidden), "dropout"), strict=True):
        x = layers.Dense(units, kernel_initializer=initializer_for(initializer), kernel_regularizer=l2_penalty(l2))(x)
        x = activation_layer(activation)(x)
        if norm:
            x = layers.BatchNormalization()(x)
        if rate:
            x = layers.Dropout(rate)(x)
    logits = layers.Dense(
        classes, name="logits", kernel_initializer=initializer_for(initializer), kernel_regularizer=l2_penalty(l2)
    )
    return Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(logits(x)))


def multiply_adds(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Multiplications of one image's forward pass."""
    each(options["dropout"], len(options["hidden"]), "dropout")
    return sum(a * b for a, b in pairwise((prod(image_shape), *options["hidden"], classes)))


def parameters(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Of the model, moving averages too."""
    return dense_parameters((prod(image_shape), *options["hidden"], classes), options["norm"])
