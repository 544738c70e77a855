"""Elastic distortion."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers, random

from toile.study.recipe.augmentation import Elastic
from toile.training.augment.sampling import sampled
from toile.training.operations import ops

# A Gaussian ends after so many sigmas, as SciPy's does.
_CUT = 4.0


class ElasticDistortion(layers.Layer):
    """Moves every pixel by a smoothed random field (Simard, Steinkraus & Platt, ICDAR 2003, section 2).

    Both components of the field are drawn from -1..1 for each pixel, smoothed by a Gaussian of `sigma` pixels and multiplied
    by `alpha`, which is drawn for each image; grey values between pixels are interpolated linearly, and images are mirrored
    at their edges. So it is SciPy's `gaussian_filter` and `map_coordinates` with mode "reflect", as the fifth document calls
    them. Keras's RandomElasticTransform is another thing: its field has neither this `alpha` nor this `sigma`.

    Input and output are `(batch, height, width, channels)` float, in any range.
    """

    def __init__(self, spec: Elastic, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec
        self.generator = random.SeedGenerator(0)
        radius = int(_CUT * spec.sigma + 0.5)
        bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / spec.sigma) ** 2)
        self.bell, self.radius = (bell / bell.sum()).astype("float32"), radius

    def field(self, size: Any, height: int, width: int) -> Any:
        """Displacements in pixels, `(2 * size, height, width, 1)` float32: first all vertical, then all horizontal ones."""
        drawn = random.uniform((2 * size, height, width, 1), -1.0, 1.0, seed=self.generator)
        for axis, length in ((1, height), (2, width)):
            # Mirrored as scipy's gaussian_filter does in mode "reflect", again and again where the Gaussian is wider than the
            # image (which `ops.pad` cannot).
            drawn = ops.take(drawn, np.pad(np.arange(length), self.radius, mode="symmetric"), axis=axis)
        drawn = ops.conv(drawn, self.bell.reshape(-1, 1, 1, 1), padding="valid")
        drawn = ops.conv(drawn, self.bell.reshape(1, -1, 1, 1), padding="valid")
        alpha = random.uniform((size, 1, 1, 1), *self.spec.alpha, seed=self.generator)
        return drawn * ops.concatenate([alpha, alpha])

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, distorted if `training`."""
        if not training:
            return images
        size, (height, width) = ops.shape(images)[0], images.shape[1:3]
        field = self.field(size, height, width)[..., 0]
        rows = ops.arange(height, dtype="float32")[None, :, None] + field[:size]
        columns = ops.arange(width, dtype="float32")[None, None, :] + field[size:]
        return sampled(images, rows, columns, mirrored=True)
