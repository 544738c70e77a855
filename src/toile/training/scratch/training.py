"""Training the NumPy network: an engine, like those of `toile.training.engines`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import ImageArray, Labels, LearningRates, Order, Probabilities
from toile.models.protocols import KerasModel
from toile.models.scratch.layers import SoftmaxCrossEntropy, cross_entropies, softmax
from toile.models.scratch.network import build, to_keras
from toile.training.engines import Sums
from toile.training.scratch.optimise import MomentumSGD, penalty

PREDICT_BATCH = 500
# Steps. Counted within the epoch, so that a resumed training does the same as an uninterrupted one.
FLUSH_EVERY = 64


class Training:
    """A network, its optimizer and its training images.

    Args:
        images: uint8 `(n, height, width, channels)`; divided by 255 batch by batch, so that they stay small.
        labels: int `(n,)`.
        classes: number of classes.
        hidden, activation, initial, seed, dtype: see `toile.models.scratch.network.build`.
        l2, momentum: see `toile.training.scratch.optimise.MomentumSGD`.
        learning_rate: what `epoch` takes where it is given none.
        batch_size: images a step; the last step of an epoch may have fewer, and is divided by its own number.
        loss_scale: see `toile.models.scratch.layers.SoftmaxCrossEntropy`.

    Raises:
        Misuse: an option that there is not.
    """

    def __init__(
        self,
        images: ImageArray,
        labels: Labels,
        classes: int,
        *,
        hidden: Sequence[int] = (50, 50),
        activation: str = "tanh",
        initial: str = "standard-normal",
        l2: float = 0.0,
        momentum: float = 0.9,
        learning_rate: float = 1.2e-2,
        batch_size: int = 128,
        loss_scale: str = "batch-and-classes",
        seed: int = 0,
        dtype: type = np.float32,
    ) -> None:
        self.image_shape, self.classes = images.shape[1:], classes
        self.activation, self.batch_size, self.learning_rate = activation, batch_size, learning_rate
        self.images, self.labels = images.reshape(len(images), -1), np.asarray(labels)
        self.network = build(
            self.images.shape[1], classes, hidden=hidden, activation=activation, initial=initial, seed=seed, dtype=dtype
        )
        self.dtype = self.network.values.dtype
        self.loss = SoftmaxCrossEntropy(loss_scale)
        self.optimizer = MomentumSGD(self.network, momentum, l2)
        self._bytes = np.empty((batch_size, self.images.shape[1]), np.uint8)
        self._pixels = np.empty(self._bytes.shape, self.dtype)

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return self.network.values.size

    def epoch(self, order: Order, learning_rates: LearningRates | None = None) -> Sums:
        """One pass over the images in `order`.

        Args:
            order: `(images,)` int32, indices into the training images.
            learning_rates: `(steps,)` float32, one a step.

        Returns:
            Sums over the images before each step's update. The loss is cross-entropy plus penalty, in nats; with the loss scale
            "batch-and-classes" what is minimised is a number of times smaller, and is multiplied again, so that training and
            validation losses can be laid side by side.
        """
        size, network, loss, optimizer = self.batch_size, self.network, self.loss, self.optimizer
        steps = -(-len(order) // size)
        rates = np.full(steps, self.learning_rate) if learning_rates is None else learning_rates
        rates = rates.astype(self.dtype)
        # Made once an epoch, because at one image a step every call of NumPy counts: targets, and a place for all logits,
        # from which everything that is summed up is computed at the end.
        labels = self.labels[order]
        targets = np.eye(self.classes, dtype=self.dtype)[labels]
        logits = np.empty_like(targets)
        penalties = 0.0
        # A training that diverges is seen by its loss; the warnings on the way there help nobody.
        with np.errstate(over="ignore", invalid="ignore"):
            for step in range(steps):
                here = slice(step * size, (step + 1) * size)
                index = order[here]
                outputs = network.forward(self._scaled(index))
                logits[here] = outputs
                network.backward(loss.delta(outputs, targets[here]))
                if optimizer.l2:
                    penalties += penalty(network, optimizer.l2) * len(index)
                if step % FLUSH_EVERY == 0:
                    optimizer.flush()
                optimizer.step(rates[step])
            probabilities = softmax(logits)
            losses = cross_entropies(logits, targets).sum(dtype=np.float64)
            sure = probabilities > 0.5
        return Sums(
            loss=float(losses) + penalties * self.loss.divisor(1, self.classes),
            correct=float((logits.argmax(axis=1) == labels).sum()),
            true_positives=float(sure[np.arange(len(labels)), labels].sum()),
            predicted_positives=float(sure.sum()),
        )

    def predict(self, images: ImageArray) -> Probabilities:
        """Probabilities `(n, classes)` float32 of uint8 images `(n, height, width, channels)`."""
        flat = images.reshape(len(images), -1)
        probabilities = np.empty((len(images), self.classes), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for at in range(0, len(flat), PREDICT_BATCH):
                pixels = np.multiply(flat[at : at + PREDICT_BATCH], self.dtype.type(1 / 255), dtype=self.dtype)
                probabilities[at : at + PREDICT_BATCH] = softmax(self.network.forward(pixels))
        return probabilities

    @property
    def weights(self) -> list[NDArray[Any]]:
        """As `get_weights`: a Keras model has both."""
        return self.get_weights()

    def get_weights(self) -> list[NDArray[Any]]:
        """Copies, in Keras's order: kernel and bias of each layer."""
        return self.network.get_weights()

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """As `get_weights` gives them.

        Raises:
            ValueError: another number of arrays, or other shapes.
        """
        self.network.set_weights(weights)

    def to_keras(self) -> KerasModel:
        """See `toile.models.scratch.network.to_keras`."""
        return to_keras(self.network, self.image_shape, self.activation)

    def _scaled(self, index: Order) -> NDArray[np.floating[Any]]:
        """The images at `index`, `(len(index), pixels)`, 0..1."""
        pixels = self._pixels[: len(index)]
        # Any mode but "raise" writes into `out` without a buffer between.
        chosen = self.images.take(index, axis=0, out=self._bytes[: len(index)], mode="clip")
        return np.multiply(chosen, self.dtype.type(1 / 255), out=pixels)
