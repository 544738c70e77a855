"""Layers that compute what Keras's do, and faster, while a model trains on TensorFlow.

Only the training graph is changed, so that a saved model has Keras's own layers. What was tried and did not pay is in
docs/performance.md.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from keras import KerasTensor, layers, models

from toile.models.protocols import KerasModel


def with_training_layers(model: KerasModel) -> KerasModel:
    """The same model over the same variables and generators, with layers of this module where they can stand in."""

    def choose(layer: layers.Layer) -> layers.Layer:
        if _fusible(layer):
            return FusedNormalization(layer)
        return PackedDropout(layer) if _packable(layer) else layer

    return models.clone_model(model, clone_function=choose)


class _StandIn(layers.Layer):
    """Takes the place of a layer that it keeps, and with it that layer's variables; the shape stays as it is."""

    def __init__(self, replaced: layers.Layer) -> None:
        super().__init__(name=f"fast_{replaced.name}", dtype=replaced.dtype_policy)
        self.replaced = replaced
        self.built = True

    def compute_output_spec(self, x: Any, training: bool = True, mask: Any = None) -> Any:
        return KerasTensor(x.shape, x.dtype)


class FusedNormalization(_StandIn):
    """Batch normalisation of images by TensorFlow's fused kernel.

    Keras computes it from a dozen elementary operations in float32, which takes longer than the convolution before it: four to
    six times as long as the kernel on a CPU with bfloat16, three times with float32. (Keras 2 used the kernel.) The result is
    the same up to the last bits. Input and output are `(batch, height, width, channels)`, float32 or bfloat16; the moments
    are computed in float32.
    """

    def call(self, images: Any, training: bool = True, mask: Any = None) -> Any:
        """The normalised images; the layer's moving averages take in this batch."""
        kept = self.replaced
        images, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            images, kept.gamma.value, kept.beta.value, epsilon=kept.epsilon, is_training=True
        )
        # The kernel divides the squares by n - 1 and Keras by n; a single pixel has no variance either way.
        pixels = tf.cast(tf.reduce_prod(tf.shape(images)[:3]), tf.float32)
        variance *= (pixels - 1) / pixels
        for average, now in ((kept.moving_mean, mean), (kept.moving_variance, variance)):
            average.assign(average * kept.momentum + now * (1 - kept.momentum))
        return images


class PackedDropout(_StandIn):
    """Dropout that draws 8 or 16 random bits a number, where TensorFlow draws 32.

    More than half of a dropout's time on a CPU goes into its random numbers. With 8 bits it takes 0.4 of Keras's time on a
    large image map and 0.7 to 0.9 on a small vector. A rate of n/256 is exact with them; others are rounded to n/65,536, and
    the scale is that of the rounded rate, so that the expected output is the input, as with Keras (Srivastava et al., JMLR 15,
    2014). The numbers are others than Keras's from the same generator, just as good, and come again from the same state.
    Input and output are `(batch, ...)`, float32 or bfloat16; only the batch may be of any size.
    """

    def __init__(self, replaced: layers.Dropout) -> None:
        super().__init__(replaced)
        self.bits, self.dropped = _packed(replaced.rate)

    def call(self, x: Any, training: bool = True, mask: Any = None) -> Any:
        """`x` with a share of it dropped, and the rest scaled up."""
        numbers = math.prod(x.shape[1:])
        words = math.ceil(numbers * self.bits / 32)
        seed = tf.cast(self.replaced.seed_generator.next(), tf.int64)
        shape: Any = (tf.shape(x)[0], words)
        every: Any = None  # TensorFlow documents it for no bounds, and its types do not know it
        drawn = tf.random.stateless_uniform(shape, seed, minval=every, maxval=every, dtype=tf.uint32)
        drawn = tf.reshape(tf.bitcast(drawn, {8: tf.uint8, 16: tf.uint16}[self.bits]), (-1, words * 32 // self.bits))
        kept = tf.reshape(drawn[:, :numbers] >= self.dropped, tf.shape(x))
        # One product of two arrays, forward and back, is faster than `where`, which Keras takes.
        return x * (tf.cast(kept, x.dtype) * (1 / (1 - self.dropped / 2**self.bits)))


def _packed(rate: float) -> tuple[int, int]:
    """How many bits a number has, and of how many of its values the output is dropped."""
    bits = 8 if (rate * 2**8).is_integer() else 16
    return bits, round(rate * 2**bits)


def _fusible(layer: layers.Layer) -> bool:
    """Whether the layer is a batch normalisation that the kernel can take over, and learns."""
    if type(layer) is not layers.BatchNormalization or not layer.trainable:
        return False
    given: Any = layer.input
    images = len(given.shape) == 4 and layer.axis in (3, -1)
    return images and layer.scale and layer.center and not (layer.renorm or layer.synchronized)


def _packable(layer: layers.Layer) -> bool:
    """Whether the layer is a dropout of single numbers at a rate that 16 bits can tell from 0 and 1."""
    if type(layer) is not layers.Dropout or layer.noise_shape is not None:
        return False
    given: Any = layer.input
    bits, dropped = _packed(layer.rate)
    return None not in given.shape[1:] and 0 < dropped < 2**bits
