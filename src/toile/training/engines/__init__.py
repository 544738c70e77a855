"""Engines: how one epoch is carried out on a Keras backend. A name is a file, and the backend's name.

An engine is made of a model, an optimizer and the training images, and keeps what it needs on the device. Everything else
(what to train, when to stop, what to store) is `toile.training.train`'s, the same on every backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from toile.arrays import ImageWeights, Inputs, Labels, LearningRates, Order, Probabilities
from toile.models.protocols import KerasLayer, KerasModel, KerasOptimizer


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


class Taught(NamedTuple):
    """What a student learns from beside its labels (Hinton, Vinyals & Dean 2015).

    Args:
        probabilities: `(images, classes)` float32 of its teacher, at the temperature, in the order of the training images.
        temperature: by which the student's logits are divided, from 1 up.
        hard_labels: weight of the loss on the labels, 0..1. The rest is that of the loss on `probabilities`, which is
            multiplied by the square of the temperature, so that its gradients stay as large.
    """

    probabilities: Probabilities
    temperature: float
    hard_labels: float


class Asked(Protocol):
    """What can be asked about images."""

    def predict(self, images: Any, /) -> Probabilities:
        """Probabilities `(n, classes)` float32 of uint8 images, or of the features that the model takes."""
        ...


class Engine(Asked, Protocol):
    """What carries an epoch out."""

    def epoch(self, order: Order, learning_rates: LearningRates, /) -> Sums:
        """One pass over the images in `order` (a permutation, int32), a learning rate a step (float32)."""
        ...


class KerasEngine(Engine, Protocol):
    """An engine of Keras's models; `training_model` is what an epoch runs: augmentation and the model up to its logits."""

    training_model: KerasModel


def engine(
    backend: str,
    model: KerasModel,
    optimizer: KerasOptimizer,
    images: Inputs,
    labels: Labels,
    *,
    batch_size: int,
    label_smoothing: float,
    weights: ImageWeights | None = None,
    before: Sequence[KerasLayer] = (),
    prediction_model: KerasModel | None = None,
    taught: Taught | None = None,
) -> KerasEngine:
    """The engine of the backend that this process runs Keras on.

    Args:
        weights: `(images,)` float32: each image's loss is multiplied by its weight; the loss of a step is still divided by its
            number of images, as Keras's `fit(sample_weight=..., class_weight=...)` has it, and not by the sum of the weights.
        before: layers from uint8 to uint8 images that stand before the model while it trains (augmentation).
        prediction_model: the model that `predict` uses, where it is another one over the same weights.
        taught: what it learns from beside the labels, if it is a student.
    """
    module = importlib.import_module(f"{__name__}.{backend}")
    return module.Engine(
        model,
        optimizer,
        images,
        labels,
        batch_size=batch_size,
        label_smoothing=label_smoothing,
        weights=weights,
        before=before,
        prediction_model=prediction_model,
        taught=taught,
    )


def training_model(
    model: KerasModel,
    before: Sequence[KerasLayer] = (),
    faster: Callable[[KerasModel], KerasModel] = lambda model: model,
) -> KerasModel:
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
