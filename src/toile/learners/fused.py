"""Batch normalisation of images by TensorFlow's fused kernel, while a model trains.

Keras computes it from a dozen elementary operations in float32, which takes longer than the convolution before it: four to
six times as long as the kernel on a CPU with bfloat16, three times with float32. (Keras 2 used the kernel.) The result is the
same up to the last bits. Only the training graph is changed, so that a saved model has Keras's own layers.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import KerasTensor, Model, layers, models


def with_fused_normalization(model: Model) -> Model:
    """The same model over the same variables, its batch normalisation of images fused; for training alone."""
    return models.clone_model(model, clone_function=lambda layer: Fused(layer) if _fusible(layer) else layer)


class Fused(layers.Layer):
    """What a `BatchNormalization` layer does while it trains, with that layer's variables.

    Input and output are `(batch, height, width, channels)`, float32 or bfloat16; the moments are computed in float32.
    """

    def __init__(self, normalization: layers.BatchNormalization) -> None:
        super().__init__(name=f"fused_{normalization.name}", dtype=normalization.dtype_policy)
        self.normalization = normalization
        self.built = True

    def call(self, images: Any, training: bool = True, mask: Any = None) -> Any:
        """The normalised images; the layer's moving averages take in this batch."""
        kept = self.normalization
        images, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            images, kept.gamma.value, kept.beta.value, epsilon=kept.epsilon, is_training=True
        )
        # The kernel divides the squares by n - 1 and Keras by n; a single pixel has no variance either way.
        pixels = tf.cast(tf.reduce_prod(tf.shape(images)[:3]), tf.float32)
        variance *= (pixels - 1) / pixels
        for average, now in ((kept.moving_mean, mean), (kept.moving_variance, variance)):
            average.assign(average * kept.momentum + now * (1 - kept.momentum))
        return images

    def compute_output_spec(self, images: Any, training: bool = True, mask: Any = None) -> Any:
        return KerasTensor(images.shape, images.dtype)


def _fusible(layer: Any) -> bool:
    """Whether the layer is a batch normalisation that the kernel can take over, and learns."""
    if type(layer) is not layers.BatchNormalization or not layer.trainable:
        return False
    images = len(layer.input.shape) == 4 and layer.axis in (3, -1)
    return images and layer.scale and layer.center and not (layer.renorm or layer.synchronized)
