"""PyTorch: a plain loop over images that stay on the device."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# Without the extra torch is not there, and `import torch` is this file for pyright.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from toile.arrays import ImageWeights, Inputs, Labels, LearningRates, Order, Probabilities
from toile.models.protocols import KerasLayer, KerasModel, KerasOptimizer
from toile.training.engines import Sums, Taught, training_model

PREDICT_BATCH = 500


class Engine:
    """See `toile.training.engines`; arguments as of the TensorFlow engine."""

    def __init__(
        self,
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
    ) -> None:
        self.model, self.prediction_model, self.optimizer = model, prediction_model or model, optimizer
        self.batch_size, self.smoothing = batch_size, label_smoothing
        optimizer.build(model.trainable_variables)
        self.training_model = training_model(model, before)
        self.device = model.trainable_variables[0].value.device
        # Copies, because torch refuses to look at read-only memory, which is what a memory-mapped file is.
        self.images = torch.tensor(np.array(images), device=self.device)
        self.weights = None if weights is None else torch.tensor(weights, device=self.device)
        self.labels = torch.tensor(np.array(labels, dtype=np.int64), device=self.device)
        self.taught = taught
        self.said = None if taught is None else torch.tensor(taught.probabilities, device=self.device)

    def epoch(self, order: Order, learning_rates: LearningRates) -> Sums:
        """One pass over the images in `order` (a permutation, int32), a learning rate a step (float32)."""
        sums = torch.zeros(4, dtype=torch.float64, device=self.device)
        order_here = torch.tensor(order, dtype=torch.int64, device=self.device)
        for step, learning_rate in enumerate(learning_rates.tolist()):
            index = order_here[step * self.batch_size : (step + 1) * self.batch_size]
            said, weights = (None if one is None else one[index] for one in (self.said, self.weights))
            sums += self._step(self.images[index], self.labels[index], said, weights, learning_rate)
        return Sums(*sums.tolist())

    def _step(
        self,
        batch: torch.Tensor,
        target: torch.Tensor,
        said: torch.Tensor | None,
        weights: torch.Tensor | None,
        learning_rate: float,
    ) -> torch.Tensor:
        self.optimizer.learning_rate.assign(learning_rate)
        self.training_model.zero_grad()
        logits = self.training_model(batch, training=True).float()
        loss = _cross_entropy(logits, target, weights, self.smoothing)
        if self.taught is not None and said is not None:
            heat, hard = self.taught.temperature, self.taught.hard_labels
            loss = hard * loss + (1 - hard) * heat**2 * _cross_entropy(logits / heat, said, weights)
        loss = loss + sum(self.model.losses)
        self.optimizer.scale_loss(loss).backward()  # `apply` takes the scale out of the gradients again
        variables = self.model.trainable_variables
        with torch.no_grad():
            self.optimizer.apply([variable.value.grad for variable in variables], variables)
            sure = torch.softmax(logits, dim=1) > 0.5
            true_positives = sure.gather(1, target[:, None]).sum()
            hits = (logits.argmax(dim=1) == target).sum()
            return torch.stack([loss.detach().double() * len(target), hits, true_positives, sure.sum()])

    def predict(self, images: Inputs) -> Probabilities:
        """Probabilities `(n, classes)` float32 of uint8 images."""
        with torch.no_grad():
            batches = [
                self.prediction_model(
                    torch.tensor(np.array(images[at : at + PREDICT_BATCH]), device=self.device), training=False
                )
                for at in range(0, len(images), PREDICT_BATCH)
            ]
        return torch.cat(batches).float().cpu().numpy()


def _cross_entropy(logits: torch.Tensor, wanted: Any, weights: torch.Tensor | None, smoothing: float = 0.0) -> torch.Tensor:
    """Its mean over a step's images, each times its weight where there are weights."""
    if weights is None:
        return functional.cross_entropy(logits, wanted, label_smoothing=smoothing)
    # Not PyTorch's own `weight`, which divides by the sum of the weights, and weighs each class of a smoothed target.
    losses = functional.cross_entropy(logits, wanted, label_smoothing=smoothing, reduction="none")
    return (losses * weights).mean()
