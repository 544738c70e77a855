"""The backbones that toile knows, against those that Keras builds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.training.fixture import elsewhere
from toile.models import applications, backbones


@contextmanager
def no_numbers() -> Iterator[None]:
    """Models are built without drawing their weights, of which some have a quarter of a gigabyte."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.backend.clear_session()  # or Keras would draw them all the next time that it draws any


@pytest.mark.slow
@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_known_backbone_is_what_keras_builds(name):
    elsewhere(assert_as_keras_builds, name)  # all of them would take half a gigabyte


def assert_as_keras_builds(name: str) -> None:
    """Parameters and the smallest image; the file of ImageNet weights is the one that Keras itself would ask for."""
    import keras

    known, asked = backbones.BACKBONES[name], []
    alphas = {"alpha": 0.5} if known.alphas else {}
    make, alpha = getattr(keras.applications, known.function), alphas.get("alpha", 1.0)
    with pytest.raises(ValueError, match=f"at least {known.minimum}x{known.minimum}"):
        make(include_top=False, weights=None, input_shape=(known.minimum - 1, known.minimum - 1, 3), **alphas)

    # Warned is that weights of images of 224 pixels are taken.
    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings(action="ignore"), no_numbers():
        patched.setattr("keras.src.utils.file_utils.get_file", lambda file, url, **_: asked.append((file, url)))
        patched.setattr("keras.Model.load_weights", lambda model, path: None)
        model = make(include_top=False, weights="imagenet", input_shape=(known.minimum, known.minimum, 3), **alphas)
    url = backbones.imagenet_url(name, alpha, known.minimum)
    assert asked == [(url.rsplit("/", 1)[1], url)]
    assert model.count_params() == known.count(alpha) and model.output.shape[-1] == known.width(alpha)
    with_kernel = [layer for layer in model.layers if any(len(weights.shape) > 1 for weights in layer.weights)]
    assert len(with_kernel) == known.layers
    assert with_kernel[-known.last_stage].name == LAST_STAGE.get(name, with_kernel[-known.last_stage].name)
    counted = sum(map(multiplications, with_kernel))
    assert counted / 2 < known.work(alpha, known.minimum) < counted * 2, "about: a plan's time is told from it"


def multiplications(layer: Any) -> int:
    """Of convolutions, from the shapes that Keras computed."""
    return sum(math.prod(one.shape) * math.prod(layer.output.shape[1:3]) for one in layer.weights if len(one.shape) > 1)


# The layer with which the last stage begins, where Keras gives it a name of its own.
LAST_STAGE = {
    "mobilenet": "conv_dw_12", "mobilenet-v2": "block_13_expand", "vgg16": "block5_conv1", "vgg19": "block5_conv1",
    "resnet50": "conv5_block1_1_conv", "resnet101": "conv5_block1_1_conv", "resnet152": "conv5_block1_1_conv",
    "densenet121": "conv5_block1_1_conv", "efficientnet-v2-b0": "block6a_expand_conv", "xception": "block13_sepconv1",
}  # fmt: skip


def test_every_backbone_may_be_written_in_a_study():
    assert tuple(backbones.BACKBONES) == applications.Name.__args__


@pytest.mark.parametrize("alpha", [0.05, 0.35, 1.3])
@pytest.mark.parametrize("name", ["mobilenet", "mobilenet-v2"])
def test_parameters_at_any_width(name, alpha):
    import keras

    make = getattr(keras.applications, backbones.BACKBONES[name].function)
    with no_numbers():
        model = make(include_top=False, weights=None, input_shape=(32, 32, 3), alpha=alpha)
    assert model.count_params() == backbones.BACKBONES[name].count(alpha)
