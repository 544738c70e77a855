"""A multilayer perceptron written from scratch in NumPy: forward, backward, momentum; the fourth document's network.

What trains it is `toile.learners.scratch`, whatever the Keras backend; a run keeps it as a Keras model with the same weights.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from toile.learners.option_types import Counts, Strength
from toile.learners.scratch.layers import Activations, LossScale
from toile.learners.scratch.network import Initial

REVISION = 1
LEARNER = "scratch"


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    hidden: Counts = (50, 50),
    activation: Activations = "tanh",
    initial: Initial = "standard-normal",
    l2: Strength = 0.0,
    loss_scale: LossScale = "batch-and-classes",
) -> Any:
    """The untrained network as a Keras model, from uint8 `(n, *image_shape)` to probabilities `(n, classes)`.

    Args:
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        initial: of weights and biases: "standard-normal", N(0, 1), as in the document, or "glorot-uniform".
        l2: strength of the penalty on all kernels.
        loss_scale: what the cross-entropy is divided by: "batch", or as in the document "batch-and-classes".
    """
    from toile.learners.scratch.training import Training

    none = np.zeros((1, *image_shape), np.uint8), np.zeros(1, np.int64)
    return Training(
        *none, classes, hidden=hidden, activation=activation, initial=initial, l2=l2, loss_scale=loss_scale
    ).to_keras()


def multiply_adds(image_shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """Multiplications of one image's forward pass."""
    return sum(a * b for a, b in pairwise((prod(image_shape), *options["hidden"], classes)))
