"""Engines: how one epoch is carried out on a Keras backend. A name is a file, and the backend's name.

An engine is made of a model, an optimizer and the training images, keeps what it needs on the device, and offers

    epoch(order, learning_rates) -> Sums     one pass over the images in the given order
    predict(images) -> probabilities         `(n, classes)` float32
    training_model                           what an epoch runs: augmentation and the model up to its logits

Everything else (what to train, when to stop, what to store) is `toile.training.train`'s, the same on every backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Sums(NamedTuple):
    """What an epoch adds up over its images, before each step's update (as Keras's training figures are)."""

    loss: float
    correct: float
    true_positives: float
    predicted_positives: float

    def figures(self, images: int) -> dict[str, float]:
        """Loss, accuracy, and precision and recall in Keras's sense (micro-averaged at threshold 0.5)."""
        positives = max(self.predicted_positives, 1e-7)
        return {
            "loss": self.loss / images,
            "accuracy": self.correct / images,
            "precision": self.true_positives / positives,
            "recall": self.true_positives / images,
        }


def engine(backend: str, model: Any, optimizer: Any, images: np.ndarray, labels: np.ndarray, *, batch_size: int,
           label_smoothing: float, before: Sequence[Any] = (), prediction_model: Any = None) -> Any:  # fmt: skip
    """The engine of the backend that this process runs Keras on.

    Args:
        before: layers from uint8 to uint8 images that stand before the model while it trains (augmentation).
        prediction_model: the model that `predict` uses, where it is another one over the same weights.
    """
    module = importlib.import_module(f"{__name__}.{backend}")
    return module.Engine(
        model,
        optimizer,
        images,
        labels,
        batch_size=batch_size,
        label_smoothing=label_smoothing,
        before=before,
        prediction_model=prediction_model,
    )


def training_model(model: Any, before: Sequence[Any] = (), faster: Callable[[Any], Any] = lambda model: model) -> Any:
    """The same layers up to the logits, from which the loss is computed without losing digits to the softmax.

    Args:
        before: as `engine` takes it.
        faster: what the backend makes of the layers so that they train faster, over the same variables.
    """
    import keras

    to_logits = faster(keras.Model(model.inputs, model.get_layer("probabilities").input, name="logits"))
    if not before:
        return to_logits
    x = images = keras.Input(model.input_shape[1:], dtype="uint8")
    for layer in before:
        x = layer(x)
    return keras.Model(images, to_logits(x))
