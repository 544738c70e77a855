"""Random crops by whole pixels."""

from __future__ import annotations

from typing import Any

from keras import layers, random

from toile.training.operations import ops


class PadAndCrop(layers.Layer):
    """Puts black around images and cuts windows of their size out at random, as He et al. (CVPR 2016, section 4.2) do.

    Unlike RandomTranslation it moves by whole pixels: nothing is interpolated, so nothing is blurred.

    Input and output are `(batch, height, width, channels)` float.
    """

    def __init__(self, padding: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = padding
        self.generator = random.SeedGenerator(0)

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, each moved by -padding..padding pixels along both axes if `training`."""
        if not training:
            return images
        size, around = ops.shape(images)[0], (self.padding, self.padding)
        images = ops.pad(images, ((0, 0), around, around, (0, 0)))
        for axis in (1, 2):
            length = images.shape[axis] - 2 * self.padding
            first = random.randint((size, 1), 0, 2 * self.padding + 1, seed=self.generator)
            places = first + ops.arange(length, dtype="int32")[None]
            shape = (size, length, 1, 1) if axis == 1 else (size, 1, length, 1)
            images = ops.take_along_axis(images, ops.reshape(places, shape), axis=axis)
        return images
