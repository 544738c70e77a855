"""Where a model with a backbone is cut in two: what the images go through once, and what learns.

Nothing before the first layer that learns changes in training, so what comes out there is computed once and kept. The second
part on that is the same mathematics as the whole model on the images. It holds as long as the images are the same in every
epoch, which is to say without augmentation, and without mirror images to be predicted.
"""

from __future__ import annotations

import math
from typing import Any

from toile.models.protocols import KerasLayer, KerasModel

# Bytes of all images' feature maps that are kept, and held in memory, where the cut is inside of the backbone.
_MOST_KEPT = 2**30


def cut(model: KerasModel, images: int) -> KerasLayer | None:
    """The layer behind which the model is cut; None where nothing is frozen, or feature maps would fill the memory.

    Of a frozen backbone it is "features", behind it. Of one that is fine-tuned it is the last of its layers whose output is
    all that those behind it see. (Inside of a block with a shortcut there is none.)

    Args:
        images: how many there are in all.
    """
    if not {"backbone", "features"} <= {layer.name for layer in model.layers}:
        return None
    layers: list[Any] = list(_backbone(model).layers)
    learning = [number for number, layer in enumerate(layers) if layer.trainable_variables]
    if not learning:
        return model.get_layer("features")
    made = {id(layer.output): number for number, layer in enumerate(layers)}
    # Of each layer, the first of those that it is given the outputs of.
    earliest = [min((made[id(tensor)] for tensor in _given(layer)), default=0) for layer in layers]
    passed = [at for at in range(learning[0]) if min(earliest[at + 1 :]) >= at]
    at = passed[-1] if passed else 0
    kept = 4 * images * math.prod(layers[at].output.shape[1:])
    computed = any(variable.ndim > 1 for layer in layers[: at + 1] for variable in layer.weights)
    return layers[at] if computed and kept <= _MOST_KEPT else None


def divide(model: KerasModel, at: KerasLayer) -> tuple[KerasModel, KerasModel]:
    """The two parts of a model, cut behind the layer `at`, as `cut` gives it.

    Returns:
        to_features: from uint8 images `(n, height, width, channels)` to features `(n, features)`, or to feature maps
            `(n, height, width, channels)`, where the backbone is cut.
        head: from those to probabilities. Its layers are the model's own: training the head trains the model. (The softmax
            alone is another, so that `head.get_layer("probabilities").input` is the head's.)
    """
    import keras

    backbone, last = _backbone(model), at
    x = inputs = keras.Input(at.output.shape[1:], dtype="float32", name="features_in")
    if at.name == "features":
        to_features = keras.Model(model.input, at.output, name="to_features")
    else:
        before = keras.Model(backbone.input, at.output, name="frozen")
        to_features = keras.Model(model.input, before(model.get_layer("preprocessing").output), name="to_features")
        x, last = keras.Model(at.output, backbone.output, name="backbone")(x), backbone
    for layer in model.layers[model.layers.index(last) + 1 :]:
        x = keras.layers.Softmax(dtype="float32", name=layer.name)(x) if layer.name == "probabilities" else layer(x)
    return to_features, keras.Model(inputs, x, name="head")


def _backbone(model: KerasModel) -> Any:
    return model.get_layer("backbone")


def _given(layer: Any) -> list[Any]:
    """The tensors that a layer of a model is given."""
    return list(layer.input) if isinstance(layer.input, list | tuple) else [layer.input]
