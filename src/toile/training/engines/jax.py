"""JAX: an epoch is one compiled scan over images that stay on the device."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# Without the extra jax is not there, and `import jax` is this file for pyright.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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
        self.prediction_model, self.optimizer, self.batch_size = prediction_model or model, optimizer, batch_size
        optimizer.build(model.trainable_variables)
        self.training_model = training_model(model, before)
        classes = model.output_shape[-1]
        all_images, all_labels = jnp.asarray(images), jnp.asarray(labels, dtype=jnp.int32)
        rate_at = next(i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate)

        all_said = None if taught is None else jnp.asarray(taught.probabilities)
        all_weights = None if weights is None else jnp.asarray(weights)

        def loss_of(trainable: Any, fixed: Any, batch: Any, target: Any, said: Any, weighs: Any) -> Any:
            logits, fixed, penalties = self.training_model.stateless_call(
                trainable, fixed, batch, training=True, return_losses=True
            )
            logits = logits.astype(jnp.float32)
            soft = target * (1 - label_smoothing) + label_smoothing / classes
            losses = -(soft * jax.nn.log_softmax(logits)).sum(axis=1)
            if taught is not None:
                heat, hard = taught.temperature, taught.hard_labels
                learned = -(said * jax.nn.log_softmax(logits / heat)).sum(axis=1)
                losses = hard * losses + (1 - hard) * heat**2 * learned
            if weighs is not None:
                losses *= weighs
            loss = losses.mean() + sum(penalties)
            # `stateless_apply` takes the scale out of the gradients again.
            return optimizer.scale_loss(loss), (loss, logits, fixed)

        def step(state: Any, inputs: Any) -> Any:
            trainable, fixed, slots = state
            index, learning_rate = inputs
            target = jax.nn.one_hot(all_labels[index], classes)
            gradient = jax.value_and_grad(loss_of, has_aux=True)
            said = None if all_said is None else all_said[index]
            weighs = None if all_weights is None else all_weights[index]
            (_, (loss, logits, fixed)), gradients = gradient(trainable, fixed, all_images[index], target, said, weighs)
            slots = [learning_rate if i == rate_at else slot for i, slot in enumerate(slots)]
            trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
            sure = (jax.nn.softmax(logits) > 0.5).astype(jnp.float32)
            hits = (logits.argmax(axis=1) == target.argmax(axis=1)).sum()
            sums = jnp.stack([loss * len(index), hits.astype(jnp.float32), (sure * target).sum(), sure.sum()])
            return (trainable, fixed, slots), sums

        # Of `(trainable, fixed, slots)`, orders `(steps, batch)` and rates `(steps,)`; nothing but the images is held by it.
        self.scan = lambda state, orders, rates: jax.lax.scan(step, state, (orders, rates))
        self._steps = jax.jit(self.scan)
        self._predict = jax.jit(
            lambda trainable, fixed, batch: self.prediction_model.stateless_call(trainable, fixed, batch, training=False)[0]
        )

    def epoch(self, order: Order, learning_rates: LearningRates) -> Sums:
        """One pass over the images in `order` (a permutation, int32), a learning rate a step (float32)."""
        kept = (self.training_model.trainable_variables, self.training_model.non_trainable_variables, self.optimizer.variables)
        state = tuple([variable.value for variable in variables] for variables in kept)
        whole = len(order) // self.batch_size
        sums = np.zeros(4)
        # A scan has one shape throughout; the smaller last batch is a scan of its own.
        for part, rates in (
            (order[: whole * self.batch_size].reshape(whole, self.batch_size), learning_rates[:whole]),
            (order[whole * self.batch_size :][None], learning_rates[whole:]),
        ):
            if part.size:
                state, added = self._steps(state, jnp.asarray(part), jnp.asarray(rates))
                sums += np.asarray(added, dtype=np.float64).sum(axis=0)
        for variables, values in zip(kept, state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return Sums(*sums.tolist())

    def predict(self, images: Inputs) -> Probabilities:
        """Probabilities `(n, classes)` float32 of uint8 images."""
        trainable = [variable.value for variable in self.prediction_model.trainable_variables]
        fixed = [variable.value for variable in self.prediction_model.non_trainable_variables]
        batches = [
            np.asarray(self._predict(trainable, fixed, images[at : at + PREDICT_BATCH]))
            for at in range(0, len(images), PREDICT_BATCH)
        ]
        return np.concatenate(batches).astype(np.float32, copy=False)
