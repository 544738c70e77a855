"""TensorFlow: a whole epoch is one graph call over images that stay on the device.

Beside `fit`, which goes back to Python and through an input pipeline for every batch, this saves a third to a half of the
time on small models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from toile.arrays import ImageWeights, Inputs, Labels, LearningRates, Order, Probabilities
from toile.models.protocols import KerasLayer, KerasModel, KerasOptimizer
from toile.training.engines import Sums, Taught, training_model
from toile.training.optimizers.fused_updates import fuse_updates
from toile.training.training_layers import with_training_layers

PREDICT_BATCH = 500


class Engine:
    """See `toile.training.engines`.

    Args:
        model: Keras model from uint8 images to probabilities.
        optimizer: Keras optimizer, not yet built.
        images: uint8 `(n, height, width, channels)`.
        labels: int `(n,)`.
        batch_size: images a step; the last step of an epoch may have fewer.
        label_smoothing: share of the target spread evenly over all classes.
        weights, before, prediction_model, taught: as `toile.training.engines.engine` takes them.
    """

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
        optimizer.build(model.trainable_variables)
        fuse_updates(optimizer)
        self.training_model = to_logits = training_model(model, before, with_training_layers)
        classes = model.output_shape[-1]
        values = [variable.value for variable in model.trainable_variables]
        all_images, all_labels = tf.constant(images), tf.constant(labels, dtype=tf.int32)
        all_said = None if taught is None else tf.constant(taught.probabilities)
        all_weights = None if weights is None else tf.constant(weights)

        def step(index: tf.Tensor, learning_rate: tf.Tensor) -> tf.Tensor:
            optimizer.learning_rate.assign(learning_rate)
            batch, target = tf.gather(all_images, index), tf.one_hot(tf.gather(all_labels, index), classes)
            soft = target * (1 - label_smoothing) + label_smoothing / classes
            with tf.GradientTape() as tape:
                logits = tf.cast(to_logits(batch, training=True), tf.float32)
                losses = tf.nn.softmax_cross_entropy_with_logits(soft, logits)
                if taught is not None:
                    said, heat, hard = tf.gather(all_said, index), taught.temperature, taught.hard_labels
                    learned = tf.nn.softmax_cross_entropy_with_logits(said, logits / heat)
                    losses = hard * losses + (1 - hard) * heat**2 * learned
                if all_weights is not None:
                    losses *= tf.gather(all_weights, index)
                loss = tf.add_n([tf.reduce_mean(losses), *model.losses])
                scaled = optimizer.scale_loss(loss)  # `apply` takes the scale out of the gradients again
            optimizer.apply(tape.gradient(scaled, values), model.trainable_variables)
            sure = tf.cast(tf.nn.softmax(logits) > 0.5, tf.float32)
            hits = tf.equal(tf.argmax(logits, 1), tf.argmax(target, 1))
            size = tf.cast(tf.shape(index)[0], tf.float32)
            return tf.stack(
                [loss * size, tf.reduce_sum(tf.cast(hits, tf.float32)), tf.reduce_sum(sure * target), tf.reduce_sum(sure)]
            )

        # Without autograph, which reads and rewrites the source of all that is called, a seventh of a second each time.
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.float32)], autograph=False)
        def epoch(order: tf.Tensor, learning_rates: tf.Tensor) -> tf.Tensor:
            def go_on(i: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                figures = step(order[i * batch_size : (i + 1) * batch_size], learning_rates[i])
                return i + 1, sums + tf.cast(figures, tf.float64)

            steps = tf.shape(learning_rates)[0]
            # float64, because a float32 sum over 60,000 images loses digits.
            return tf.while_loop(lambda i, _: i < steps, go_on, (0, tf.zeros(4, tf.float64)), maximum_iterations=steps)[1]

        self._epoch = epoch
        self._predict = tf.function(
            lambda batch: (prediction_model or model)(batch, training=False),
            input_signature=[tf.TensorSpec([None, *images.shape[1:]], images.dtype)],
            autograph=False,
        )

    def epoch(self, order: Order, learning_rates: LearningRates) -> Sums:
        """One pass over the images in `order` (a permutation, int32), a learning rate a step (float32)."""
        return Sums(*self._epoch(tf.constant(order), tf.constant(learning_rates)).numpy().tolist())

    def predict(self, images: Inputs) -> Probabilities:
        """Probabilities `(n, classes)` float32 of uint8 images."""
        batches = [
            self._predict(tf.constant(images[at : at + PREDICT_BATCH])).numpy() for at in range(0, len(images), PREDICT_BATCH)
        ]
        return np.concatenate(batches).astype(np.float32, copy=False)
