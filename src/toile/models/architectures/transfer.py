"""Transfer: a backbone that was trained on ImageNet, and a head of dense layers that learns the classes at hand.

The backbone is one layer, "backbone"; its output in a row is the layer "features". It is frozen, or its last layers learn too
(fine-tuning). `toile.training.features` runs the images through what is frozen once, and trains the rest on what comes out.
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from toile.errors import Misuse, said
from toile.models import applications, backbones
from toile.models.layers import activation_layer, each
from toile.models.option_types import Activation, Count, Counts, Positive, RateOrEach
from toile.models.protocols import KerasModel
from toile.study.fields.needs import Needs

REVISION = 1
_DENSE = Needs(("dense",), bool, "a layer in `dense`")
NEEDS = {
    "dense_dropout": _DENSE,
    "activation": _DENSE,
    "backbone_learning_rate_multiplier": Needs(
        ("unfreeze",), lambda unfreeze: unfreeze != "none", '`unfreeze`: "last-stage", "all" or a number of layers'
    ),
}

# What a test that must not use the network builds this architecture with.
WITHOUT_NETWORK = {"weights": "none"}
# Options that change nothing about the features.
HEAD_OPTIONS = ("dense", "dense_dropout", "activation", "backbone_learning_rate_multiplier")

Unfreeze = Literal["none", "last-stage", "all"] | Count
_MULTIPLIER = 0.1

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels in 0..1, RGB
_MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet's pixels in 0..255


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    backbone: applications.Name = "mobilenet",
    alpha: Annotated[float, Field(ge=0.05, le=4)] = 1.0,
    weights: Annotated[str, Field(min_length=1)] = "imagenet",
    size: Count = 32,
    fit: Literal["resize", "pad"] = "resize",
    channels: Literal["repeat", "zeros"] = "repeat",
    preprocessing: Literal["backbone", "scale", "none"] = "backbone",
    pooling: Literal["flatten", "average", "max"] = "flatten",
    dense: Counts = (),
    dense_dropout: RateOrEach = 0.0,
    activation: Activation = "relu",
    # These two came later: left out of the complete options at their defaults, so that fingerprints of before hold.
    unfreeze: Annotated[Unfreeze, Field(exclude_if=lambda value: value == "none")] = "none",
    backbone_learning_rate_multiplier: Annotated[
        Positive, Field(le=1, exclude_if=lambda value: value == _MULTIPLIER)
    ] = _MULTIPLIER,
) -> KerasModel:
    """A Keras model from uint8 `(n, *image_shape)` to probabilities `(n, classes)`.

    Args:
        backbone: the network of `keras.applications`, without its classifier. Its batch normalisation never changes: it keeps
            ImageNet's averages, scale and offset, whatever else is unfrozen. Nor does it drop anything out.
        alpha: width multiplier of the MobileNets.
        weights: "imagenet", "none" (random: what the features are worth without training) or the path of a weights file of the
            backbone alone, as `save_weights` writes it or as Keras's server has it.
        size: side in pixels of the square images that the backbone sees.
        fit: how images get to that size: "resize" (bilinear) or "pad" (zeros around them, as documents 2 and 5 do).
        channels: how grey images get three channels: "repeat" (document 5) or "zeros" on either side (document 2).
        preprocessing: of the pixels: the "backbone"'s own, as its weights expect it; "scale" to 0..1 and nothing else
            (documents 2 and 5); or "none": 0..255.
        pooling: how the backbone's output becomes a row of features.
        dense: units of each hidden dense layer of the head.
        dense_dropout: rate after each hidden dense layer; one for all or one each.
        activation: of the hidden dense layers.
        unfreeze: what of the backbone learns, for fine-tuning: "none"; its "last-stage", which is all after the last halving of
            the resolution; "all"; or how many layers, from the last one on. Layers with a kernel count: convolutions.
        backbone_learning_rate_multiplier: factor on the recipe's learning rate for what is unfrozen, above 0 and at most 1.

    Raises:
        ValueError: the images have neither one nor three channels or are larger than `size` pads them to; `dense_dropout` is a
            list of another length than `dense`; more layers are unfrozen than there are.
        Misuse: what `check` raises.
        ToileError: the ImageNet weights cannot be downloaded.
    """
    from keras import Input, Model, layers

    options = {"backbone": backbone, "alpha": alpha, "size": size, "weights": weights, "fit": fit, "unfreeze": unfreeze}
    options["backbone_learning_rate_multiplier"] = backbone_learning_rate_multiplier
    check({**options, "dense": dense, "dense_dropout": dense_dropout}, image_shape)
    inputs = Input(image_shape, dtype="uint8", name="images")
    # All up to the backbone in float32: eight bits of mantissa would be fewer than a pixel has.
    x = layers.Rescaling(1.0, dtype="float32", name="pixels")(inputs)
    if image_shape[:2] != (size, size):
        if fit == "resize":
            x = layers.Resizing(size, size, interpolation="bilinear", dtype="float32", name="resize")(x)
        else:
            around = [((size - side) // 2, (size - side + 1) // 2) for side in image_shape[:2]]
            x = layers.ZeroPadding2D(around, dtype="float32", name="pad")(x)
    if image_shape[2] == 1:
        x = layers.Concatenate(dtype="float32", name="channels")([x, x, x])
        if channels == "zeros":
            x = layers.Rescaling([0.0, 1.0, 0.0], dtype="float32", name="zeros")(x)
    mode = applications.BACKBONES[backbone].preprocessing if preprocessing == "backbone" else preprocessing
    network = _backbone(backbone, alpha, size, weights)
    _unfreeze(network, applications.BACKBONES[backbone].unfrozen(unfreeze), backbone_learning_rate_multiplier)
    x = network(_preprocess(x, mode, colour=image_shape[2] == 3), training=False)
    if pooling == "flatten":
        x = layers.Flatten(name="features")(x)
    elif pooling == "average":
        x = layers.GlobalAveragePooling2D(name="features")(x)
    else:
        x = layers.GlobalMaxPooling2D(name="features")(x)
    for units, rate in zip(dense, each(dense_dropout, len(dense), "dense_dropout"), strict=True):
        x = activation_layer(activation)(layers.Dense(units)(x))
        if rate:
            x = layers.Dropout(rate)(x)
    x = layers.Dense(classes, name="logits")(x)
    return Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(x))


def check(options: dict[str, Any], image_shape: tuple[int, int, int] | None = None) -> None:
    """Whether a model can be built with these options, without Keras: for a plan, before anything trains.

    Args:
        options: as `toile.models.architectures.complete` gives them.
        image_shape: (height, width, channels), if it is known.

    Raises:
        Misuse: unknown backbone, size below its minimum, alpha where there is none, a weights file that is not there or of
            another architecture.
        ToileError: ImageNet weights that are neither in Keras's cache nor to be had from the network (asked for 5 s at most).
        ValueError: the images do not go with the options, or the lists of the head are of different lengths.
    """
    if image_shape is not None:
        if image_shape[2] not in (1, 3):
            raise ValueError(f"a backbone takes images of 1 or 3 channels, got {image_shape[2]}")
        if options["fit"] == "pad" and max(image_shape[:2]) > options["size"]:
            raise ValueError(f'images of {image_shape[:2]} pixels cannot be padded to {options["size"]}; fit = "resize" can')
    rates = options["dense_dropout"]
    each(tuple(rates) if isinstance(rates, list) else rates, len(options["dense"]), "dense_dropout")
    backbones.check(options["backbone"], options["alpha"], options["size"], options["weights"])
    unfreeze = options.get("unfreeze", "none")
    applications.BACKBONES[options["backbone"]].unfrozen(unfreeze)  # or it says what cannot be


def work(options: dict[str, Any]) -> tuple[float, float]:
    """Multiplications of one image through what of the backbone is frozen, and through what learns, the head with it.

    As if all its layers took as long, which those of most stages do.

    Args:
        options: as `toile.models.architectures.complete` gives them.
    """
    known = applications.BACKBONES[options["backbone"]]
    whole = known.work(options["alpha"], options["size"])
    learning = whole * known.unfrozen(options.get("unfreeze", "none")) / known.layers
    places = 1 if options["pooling"] != "flatten" else max(options["size"] // 32, 1) ** 2
    features = known.width(options["alpha"]) * places
    head = sum(a * b for a, b in pairwise((features, *options["dense"])))
    return whole - learning, learning + head


def weights_content(options: dict[str, Any]) -> str | None:
    """SHA-256 of the weights file, for the fingerprint; None where `weights` is a name that says it all.

    Raises:
        Misuse: there is no such file.
    """
    return backbones.content(options["weights"])


def downloaded(options: dict[str, Any]) -> Path | None:
    """The file of ImageNet weights on this machine, if the options ask for it and it is there."""
    if options["weights"] != "imagenet":
        return None
    return backbones.imagenet_here(options["backbone"], options["alpha"], options["size"])


def _preprocess(x: Any, mode: str, *, colour: bool) -> Any:
    """Pixels in 0..255, RGB, as the backbone wants them: what Keras's `preprocess_input` does, as layers that are saved."""
    from keras import layers, ops

    scale: Any
    offset: Any  # lists too, one number a channel
    if mode == "caffe":
        # Grey images are the same backwards.
        scale, offset, x = 1.0, [-mean for mean in _MEAN_BGR], ops.flip(x, axis=-1) if colour else x
    elif mode == "torch":
        scale = [1 / (255 * deviation) for deviation in _DEVIATION]
        offset = [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)]
    else:
        scale, offset = {"tf": (1 / 127.5, -1.0), "scale": (1 / 255, 0.0)}.get(mode, (1.0, 0.0))
    return layers.Rescaling(scale, offset, dtype="float32", name="preprocessing")(x)


def _backbone(name: str, alpha: float, size: int, weights: str) -> KerasModel:
    """The backbone with its weights, frozen."""
    import keras

    known = applications.BACKBONES[name]
    path = _imagenet(name, alpha, size) if weights == "imagenet" else None if weights == "none" else weights
    arguments = {"alpha": alpha} if known.alphas else {}
    model = getattr(keras.applications, known.function)(
        include_top=False, weights=None, input_shape=(size, size, 3), **arguments
    )
    if path is not None:
        _load(model, path, name)
    for layer in model.layers:
        # Keras hands `training` of the whole model down to a layer that was called with training=False. A frozen batch
        # normalisation does not mind; dropout would.
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    # Renamed by another model around the same layers: EfficientNet looks up its plan by the name that it is given.
    renamed = keras.Model(model.input, model.output, name="backbone")
    renamed.trainable = False
    return renamed


def _unfreeze(backbone: Any, count: int, multiplier: float) -> None:
    """Let the last `count` layers with a kernel learn, `multiplier` times as fast as the rest of the model.

    Batch normalisation stays frozen, as Keras's guide to transfer learning has it
    (https://keras.io/guides/transfer_learning/): a layer whose `trainable` is false is in inference mode too.
    """
    if not count:
        return
    backbone.trainable = True
    learning = [layer for layer in backbone.layers if any(weights.ndim > 1 for weights in layer.weights)][-count:]
    for layer in backbone.layers:
        layer.trainable = layer in learning
    for variable in backbone.trainable_variables:
        # Read by `toile.training.optimizers.multipliers`; beside Keras's own `overwrite_with_gradient`.
        variable.learning_rate_multiplier = multiplier


def _load(model: KerasModel, path: str, name: str) -> None:
    """Bring the weights of a file into a backbone: all of them, or it is an error."""

    def beginnings() -> list[bytes]:
        return [kernel.ravel()[:100].tobytes() for kernel in model.get_weights() if kernel.ndim > 1]

    drawn = beginnings()
    try:
        with warnings.catch_warnings(action="ignore"):
            model.load_weights(str(Path(path).expanduser()))
    except Exception as error:
        # As many numbers as are wanted, and yet in other shapes; or damaged, of which no library says what it raises.
        raise Misuse(f"{path} does not fit {name}: {said(error)}") from error
    # Where a file has none for a layer, Keras warns and leaves what was drawn at random.
    if left := sum(was == is_now for was, is_now in zip(drawn, beginnings(), strict=True)):
        raise Misuse(f"{path} does not fit {name}: it has nothing for {left} of {len(drawn)} kernels")


def _imagenet(name: str, alpha: float, size: int) -> str:
    """The file of ImageNet weights, downloaded if it is not here yet."""
    import keras
    from filelock import FileLock

    if here := backbones.imagenet_here(name, alpha, size):
        return str(here)
    url, folder = backbones.imagenet_url(name, alpha, size), backbones.keras_folder()
    file = url.rsplit("/", 1)[1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Keras writes to the file's final name: a second process would take half of it for the whole.
        with FileLock(folder / f"{file}.lock"):
            return keras.utils.get_file(file, url, cache_subdir="models")
    except Exception as error:  # Keras raises no narrower one
        raise backbones.unavailable(name, alpha, url, str(error)) from error
