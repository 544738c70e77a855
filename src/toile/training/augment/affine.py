"""Rotation, shift, shear and zoom as one change of place, so that grey values are interpolated once and not four times."""

from __future__ import annotations

import math
from typing import Any

from keras import layers, random

from toile.study.recipe.augmentation import Augmentation
from toile.training.augment.sampling import sampled
from toile.training.operations import ops


class AffineTransform(layers.Layer):
    """Draws a rotation, a shift, a shear and a zoom for each image, and carries them out together.

    As Keras's ImageDataGenerator has it: the pixel at (x, y) from the centre comes from R T S Z (x, y), where the rotation R
    is by an angle, the shift T by pixels, the shear S is (x - sin(s) y, cos(s) y), and the zoom Z is by one factor along each
    axis, each drawn uniformly from its range. What lies outside repeats the edge.

    Input and output are `(batch, height, width, channels)` float.
    """

    def __init__(self, spec: Augmentation, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec
        self.generator = random.SeedGenerator(0)

    def drawn(self, size: Any, height: int, width: int) -> tuple[Any, ...]:
        """Angle and shear in radians, shifts down and right in pixels, zoom along x and y: six, each `(size, 1, 1)` float32."""
        spec = self.spec
        most = (math.radians(spec.rotation), math.radians(spec.shear), spec.shift[0] * height, spec.shift[1] * width)
        units = random.uniform((6, size, 1, 1), -1.0, 1.0, seed=self.generator)
        return *(units[i] * most[i] for i in range(4)), 1 + units[4] * spec.zoom, 1 + units[5] * spec.zoom

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, each moved in its own way if `training`."""
        if not training:
            return images
        size, (height, width) = ops.shape(images)[0], images.shape[1:3]
        angle, shear, down, right, zoom_x, zoom_y = self.drawn(size, height, width)
        y, x = ops.arange(height, dtype="float32")[None, :, None], ops.arange(width, dtype="float32")[None, None, :]
        # The last factor of the product is the first that happens to a place.
        x, y = (x - (width - 1) / 2) * zoom_x, (y - (height - 1) / 2) * zoom_y
        x, y = x - ops.sin(shear) * y, ops.cos(shear) * y
        x, y = x + right, y + down
        x, y = ops.cos(angle) * x - ops.sin(angle) * y, ops.sin(angle) * x + ops.cos(angle) * y
        return sampled(images, y + (height - 1) / 2, x + (width - 1) / 2)
