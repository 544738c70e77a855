"""By how much float32 lets a model's probabilities differ from one program to another, which adds in another order."""

from __future__ import annotations

from typing import Any

import numpy as np

from toile.arrays import ImageArray, PerImage, Probabilities
from toile.models.protocols import KerasModel

# Steps of a float32 that the sums of a layer may differ by, relative to all that is added. Measured over the backbones of
# `keras.applications`: up to nine for each layer, where batch normalisation enlarges small numbers.
_STEPS = 32


def said_and_rounding(model: KerasModel, images: ImageArray, batch: int) -> tuple[Probabilities, PerImage]:
    """What a model says, and by how much each of its probabilities may differ for want of digits.

    A logit is a sum of products, through all layers. Its error grows with their number, and with the size of what is added, of
    which much may cancel out. An error d of the logits moves a probability p by p (1 - p) 2 d at most, which is d / 2 or less.

    Args:
        model: from uint8 `(n, height, width, channels)` to probabilities, by a dense layer "logits" and a softmax.

    Returns:
        `(n, classes)` float32, and `(n,)` float64: 0 where there is no such layer.
    """
    import keras

    said = model.predict(images, batch_size=batch, verbose=0)
    inner = _with_logits(model)
    if inner is None:
        return said, np.zeros(len(said))
    dense = inner.get_layer("logits")
    kernel, bias = (np.abs(weights.astype(np.float64)) for weights in dense.get_weights())
    to_logits: Any = keras.Model(inner.inputs, dense.input)
    added = to_logits.predict(images, batch_size=batch, verbose=0)
    size = (np.abs(added.astype(np.float64)) @ kernel + bias).max(axis=1)
    return said, size * (_STEPS / 2 * _layers(model) * float(np.finfo(np.float32).eps))


def _with_logits(model: KerasModel) -> KerasModel | None:
    """The model itself, or the one inside of it, that has the layer "logits"."""
    names = {layer.name for layer in model.layers}
    if "logits" in names:
        return model
    return next((found for one in _inside(model) if (found := _with_logits(one)) is not None), None)


def _layers(model: KerasModel) -> int:
    """How many layers multiply by a kernel, those of models inside too."""
    inside = _inside(model)
    own = (layer for layer in model.layers if layer not in inside)
    return sum(map(_layers, inside)) + sum(any(weights.ndim > 1 for weights in layer.get_weights()) for layer in own)


def _inside(model: KerasModel) -> list[Any]:
    """The models among the layers."""
    return [layer for layer in model.layers if hasattr(layer, "layers")]
