"""A multilayer perceptron written from scratch in NumPy: forward, backward, momentum; the fourth document's network.

What trains it is `toile.training.scratch`, whatever the Keras backend; a run keeps it as a Keras model with the same weights.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

from toile.models.layers import dense_parameters
from toile.models.option_types import Counts, Strength
from toile.models.protocols import KerasModel
from toile.models.scratch.layers import Activations, LossScale
from toile.models.scratch.network import Initial, to_keras
from toile.models.scratch.network import build as build_network
from toile.study.fields.needs import Needs

REVISION = 1
LEARNER = "scratch"
NEEDS = {"activation": Needs(("hidden",), bool, "a layer in `hidden`")}


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    hidden: Counts = (50, 50),
    activation: Activations = "tanh",
    initial: Initial = "standard-normal",
    l2: Strength = 0.0,
    loss_scale: LossScale = "batch-and-classes",
) -> KerasModel:
    """The untrained network as a Keras model, from uint8 `(n, *image_shape)` to probabilities `(n, classes)`.

    Args:
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        initial: of weights and biases: "standard-normal", N(0, 1), as in the document, or "glorot-uniform".
        l2: strength of the penalty on all kernels.
        loss_scale: what the cross-entropy is divided by: "batch", or as in the document "batch-and-classes".
    """
    network = build_network(prod(image_shape), classes, hidden=hidden, activation=activation, initial=initial)
    return to_keras(network, image_shape, activation)


def multiply_adds(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Multiplications of one image's forward pass."""
    return sum(a * b for a, b in pairwise((prod(image_shape), *options["hidden"], classes)))


def parameters(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Of the network."""
    return dense_parameters((prod(image_shape), *options["hidden"], classes))
