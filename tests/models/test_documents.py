"""The documents' models, as the families of architectures express them: parameter by parameter, layer by layer."""

from __future__ import annotations

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.training.fixture import counted, some_images
from toile import studies
from toile.models import architectures

# The documents' models: what the documents' own summaries count. Options are spelled as in a study file.

UNIFORM = {"dense_initializer": "random-uniform"}
FIRST_HE = ["he-normal", "glorot-uniform", "glorot-uniform"]
FOUR = {"filters": [32, 32, 64, 128], "pool": [0, 2, 0, 2], "order": "conv norm pool dropout", "dense": [512, 128]}

DOCUMENTS = {
    # name: (architecture, options, classes, parameters, trainable)
    "five-classes/model-1": (
        "cnn", {"filters": [32, 64, 128], "pool": [2, 2, 0], "initializer": FIRST_HE}, 5, 240_901, 240_901,
    ),
    "five-classes/model-2": (
        "cnn",
        {"filters": [32, 64, 128], "pool": [2, 2, 0], "initializer": FIRST_HE, "dropout": [0.25, 0.25, 0.4],
         "order": ["conv norm dropout pool", "conv norm pool dropout", "conv norm dropout"], "dense_norm": True,
         "dense_dropout": 0.3},
        5, 242_309, 241_605,
    ),
    "five-classes/model-3": (
        "cnn", {**FOUR, "dropout": [0, 0.2, 0.2, 0.3], "dense_norm": True, "dense_dropout": 0.4}, 5, 1_220_901, 1_219_109,
    ),
    "five-classes/model-4": (
        "cnn",
        {**FOUR, "padding": "same", "initializer": [*FIRST_HE, "glorot-uniform"], "l2": 0.001,
         "dropout": [0, 0.25, 0.25, 0.4], "dense_norm": True, "dense_dropout": 0.5},
        5, 3_383_589, 3_381_797,
    ),
    "ann-cnn-study/ann": ("mlp", {"hidden": [256], "initializer": "random-uniform"}, 10, 203_530, 203_530),
    "ann-cnn-study/2 dense": (
        "mlp", {"hidden": [256, 128], "initializer": "random-uniform", "dropout": 0.1}, 10, 235_146, 235_146,
    ),
    "ann-cnn-study/3 dense": ("mlp", {"hidden": [256, 128, 256], "initializer": "random-uniform"}, 10, 269_450, 269_450),
    "ann-cnn-study/1 convolution": ("cnn", {"filters": [32], "dense": [256], **UNIFORM}, 10, 1_387_594, 1_387_594),
    "ann-cnn-study/2 convolutions": ("cnn", {"filters": [32] * 2, "dense": [256], **UNIFORM}, 10, 217_194, 217_194),
    "ann-cnn-study/3 convolutions": ("cnn", {"filters": [32] * 3, "dense": [256], **UNIFORM}, 10, 29_834, 29_834),
    "from-scratch/cnn-1": ("cnn", {"filters": [32], "dense": [128]}, 10, 693_962, 693_962),
    # Its summary does not survive; counted by hand for one channel: 320 + 18,496 + 295,040 + 33,024 + 32,896 + 1,290.
    "from-scratch/cnn-2": (
        "cnn",
        {"filters": [32, 64], "padding": ["valid", "same"], "dense": [128, 256, 128], "dense_dropout": [0.25, 0.25, 0]},
        10, 381_066, 381_066,
    ),
    # As above: 640 + 73,856 + 73,792 + 295,040 + ….
    "from-scratch/cnn-3": (
        "cnn",
        {"filters": [64, 128, 64], "padding": ["valid", "same", "same"], "pool": [2, 2, 0], "dense": [128, 256, 256, 128],
         "dense_dropout": [0.25, 0.5, 0.25, 0.1]},
        10, 576_330, 576_330,
    ),
    "augmentation/brief": (
        "cnn", {"filters": [32], "padding": "same", "order": "conv norm pool", "dense": [128]}, 5, 804_037, 803_973,
    ),
    "augmentation/deeper": (
        "cnn",
        {"filters": [32, 64, 64], "padding": "same", "order": ["conv pool norm", "conv dropout pool", "conv norm dropout"],
         "dropout": 0.25, "dense": [64]},
        5, 257_221, 257_029,
    ),
}  # fmt: skip


def committee_models() -> dict[str, tuple[str, dict[str, Any], int, int, int]]:
    """The first document's, from the packaged study itself."""
    counts = {"model-1": (298_058, 298_058), "model-2": (14_058, 14_058), "model-3": (99_946, 99_498)}
    trials = {trial.name: trial.architecture for trial in studies.load("committee").spec.trial}
    return {f"committee/{name}": (trials[name].name, trials[name].options, 10, *counts[name]) for name in counts}


ALL = {**committee_models(), **DOCUMENTS}


@cache
def published(name: str) -> Any:
    architecture, options, classes, *_ = ALL[name]
    return architectures.build(architecture, (28, 28, 1), classes, options)


@pytest.mark.parametrize("name", ALL)
def test_published_model_has_exactly_its_parameters(name):
    architecture, options, classes, parameters, trainable = ALL[name]
    model = published(name)
    assert model.count_params() == parameters
    assert sum(math.prod(v.shape) for v in model.trainable_variables) == trainable
    assert architectures.multiply_adds(architecture, (28, 28, 1), classes, options) == counted(model)
    assert architectures.parameters(architecture, (28, 28, 1), classes, options) == parameters


def hand_written() -> dict[str, Any]:
    """Models as the documents write them, on pixels / 255. Only where the order within a block is anything but plain."""
    from keras import Input, Sequential, regularizers
    from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D

    def penalised(filters: int, **options: Any) -> Any:
        return Conv2D(filters, 3, padding="same", activation="relu", kernel_regularizer=regularizers.L2(0.001), **options)

    return {
        "committee/model-3": Sequential([
            Input((28, 28, 1)),
            Conv2D(128, 3, strides=2, padding="same", activation="relu"),
            MaxPooling2D(2), BatchNormalization(), Dropout(0.3),
            Conv2D(64, 3, strides=2, padding="same", activation="relu"),
            MaxPooling2D(2), BatchNormalization(), Dropout(0.3),
            Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            BatchNormalization(), Dropout(0.3),
            Flatten(), Dense(128, activation="relu"), Dropout(0.3), Dense(10, activation="softmax"),
        ]),
        "five-classes/model-2": Sequential([
            Input((28, 28, 1)),
            Conv2D(32, 3, activation="relu", kernel_initializer="he_normal"),
            BatchNormalization(), Dropout(0.25), MaxPooling2D(2),
            Conv2D(64, 3, activation="relu"), BatchNormalization(), MaxPooling2D(2), Dropout(0.25),
            Conv2D(128, 3, activation="relu"), BatchNormalization(), Dropout(0.4),
            Flatten(), Dense(128, activation="relu"), BatchNormalization(), Dropout(0.3), Dense(5, activation="softmax"),
        ]),
        "five-classes/model-4": Sequential([
            Input((28, 28, 1)),
            penalised(32, kernel_initializer="he_normal"), BatchNormalization(),
            penalised(32), BatchNormalization(), MaxPooling2D(2), Dropout(0.25),
            penalised(64), BatchNormalization(), Dropout(0.25),
            penalised(128), BatchNormalization(), MaxPooling2D(2), Dropout(0.4),
            Flatten(), Dense(512, activation="relu"), BatchNormalization(), Dropout(0.5),
            Dense(128, activation="relu"), BatchNormalization(), Dropout(0.5), Dense(5, activation="softmax"),
        ]),
        "ann-cnn-study/2 dense": Sequential([
            Input((28, 28, 1)), Flatten(),
            Dense(256, activation="relu", kernel_initializer="uniform"), Dropout(0.1),
            Dense(128, activation="relu", kernel_initializer="uniform"), Dropout(0.1),
            Dense(10, activation="softmax", kernel_initializer="uniform"),
        ]),
        "ann-cnn-study/2 convolutions": Sequential([
            Input((28, 28, 1)),
            Conv2D(32, 3, activation="relu"), MaxPooling2D(2), Conv2D(32, 3, activation="relu"), MaxPooling2D(2), Flatten(),
            Dense(256, kernel_initializer="uniform", activation="relu"),
            Dense(10, kernel_initializer="uniform", activation="softmax"),
        ]),
        "from-scratch/cnn-3": Sequential([
            Input((28, 28, 1)),
            Conv2D(64, 3, activation="relu"), MaxPooling2D(2),
            Conv2D(128, 3, padding="same", activation="relu"), MaxPooling2D(2),
            Conv2D(64, 3, padding="same", activation="relu"), Flatten(),
            Dense(128, activation="relu"), Dropout(0.25), Dense(256, activation="relu"), Dropout(0.5),
            Dense(256, activation="relu"), Dropout(0.25), Dense(128, activation="relu"), Dropout(0.1),
            Dense(10, activation="softmax"),
        ]),
        "augmentation/deeper": Sequential([
            Input((28, 28, 1)),
            Conv2D(32, 3, activation="relu", padding="same"), MaxPooling2D(2), BatchNormalization(),
            Conv2D(64, 3, activation="relu", padding="same"), Dropout(0.25), MaxPooling2D(2),
            Conv2D(64, 3, activation="relu", padding="same"), BatchNormalization(), Dropout(0.25),
            Flatten(), Dense(64, activation="relu"), Dense(5, activation="softmax"),
        ]),
    }  # fmt: skip


@pytest.fixture(scope="module")
def sequentials():
    return hand_written()


def shape_of(model: Any) -> list[Any]:
    """The layers in their order with what training depends on, without those that only spell activations and scaling."""
    described = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in ("InputLayer", "Rescaling", "Activation", "Softmax"):
            continue
        config = SimpleNamespace(**layer.get_config())
        start = getattr(config, "kernel_initializer", {}).get("class_name")  # kernels
        penalty = (getattr(config, "kernel_regularizer", None) or {}).get("config")
        sizes = [getattr(config, key, None) for key in ("rate", "pool_size", "kernel_size", "strides", "padding", "units")]
        described.append((kind, *sizes, start, penalty))
    return described


@pytest.mark.parametrize(
    "name",
    ["committee/model-3", "five-classes/model-2", "five-classes/model-4", "ann-cnn-study/2 dense",
     "ann-cnn-study/2 convolutions", "from-scratch/cnn-3", "augmentation/deeper"],
)  # fmt: skip
def test_published_model_is_the_documents_code(name, sequentials):
    model, sequential = published(name), sequentials[name]
    assert shape_of(model) == shape_of(sequential)
    # Kernels as they are drawn; biases and all of batch normalisation away from what they start from.
    generator = np.random.default_rng(1)
    weights = [w + generator.uniform(0.1, 0.5, w.shape) * (w.ndim == 1) for w in model.get_weights()]
    model.set_weights(weights)
    sequential.set_weights(weights)
    images = some_images((28, 28, 1), 20)
    ours = model(images, training=False).numpy()
    theirs = sequential(images.astype(np.float32) / 255, training=False).numpy()
    assert np.ptp(ours, axis=0).max() > 1e-4  # the answers depend on the images
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(float(sum(model.losses)), float(sum(sequential.losses)), rtol=1e-5)
