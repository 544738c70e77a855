"""Augmentation inside the training graph: random changes of the images, by Keras's own layers where it has them.

The layers stand before the model while it trains and are no part of it, so saved models have none. Their random generators
are seeded from (seed, epoch) like dropout's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import KerasTensor, layers, random
from keras import ops as operations

from toile.study.augmentation import Augmentation, Elastic

ops: Any = operations  # untyped: Keras's own code says of many that they may give None

# Keras's own "horizontal_and_vertical" throws one coin for both; its ImageDataGenerator threw two.
_FLIPS = {"none": (), "horizontal": ("horizontal",), "vertical": ("vertical",), "both": ("horizontal", "vertical")}


def augmenting(spec: Augmentation | None) -> list[Any]:
    """The layers that carry out an augmentation, in the order rotation, zoom, shear, shift, crop, flip, elastic distortion,
    erasing.

    They take uint8 images and give uint8 images; there are none for None.

    What comes in from outside of the image repeats its edge, as in Keras's ImageDataGenerator, which the documents used; what
    `crop` brings in is black.
    """
    if spec is None:
        return []
    # In float32 whatever the model's precision: a pixel's place between its neighbours takes more than bfloat16's 8 bits.
    kept: dict[str, Any] = {"dtype": "float32"}
    found: list[Any] = [layers.Rescaling(1.0, **kept)]
    if spec.rotation:
        found.append(layers.RandomRotation(spec.rotation / 360, fill_mode="nearest", **kept))
    if spec.zoom:
        zoom = (-spec.zoom, spec.zoom)
        found.append(layers.RandomZoom(zoom, zoom, fill_mode="nearest", **kept))
    if spec.shear:
        tangent = float(np.tan(np.radians(spec.shear)))
        found.append(shear := layers.RandomShear(fill_mode="nearest", **kept))
        shear.x_factor = (-tangent, tangent)  # as an argument it may be at most 1, which is 45 degrees
    if any(spec.shift):
        found.append(layers.RandomTranslation(*spec.shift, fill_mode="nearest", **kept))
    if spec.crop:
        found.append(PadAndCrop(spec.crop, **kept))
    found += [layers.RandomFlip(mode, **kept) for mode in _FLIPS[spec.flip]]
    if spec.elastic:
        found.append(ElasticDistortion(spec.elastic, **kept))
    if spec.erasing:
        probability: Any = (spec.erasing.probability,) * 2  # one number would be the end of a range from 0
        found.append(layers.RandomErasing(probability, spec.erasing.area, fill_value=0.0, value_range=(0, 255), **kept))
    return [*found, ToPixels(**kept)]


class ToPixels(layers.Layer):
    """Back to uint8, as images are that nobody has changed."""

    def call(self, images: Any) -> Any:
        """Rounded, cut to 0..255."""
        return ops.cast(ops.clip(ops.round(images), 0, 255), "uint8")

    def compute_output_spec(self, images: Any) -> Any:
        return KerasTensor(images.shape, "uint8")


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


class ElasticDistortion(layers.Layer):
    """Moves every pixel by a smoothed random field (Simard, Steinkraus & Platt, ICDAR 2003, section 2).

    Both components of the field are drawn from -1..1 for each pixel, smoothed by a Gaussian of `sigma` pixels and
    multiplied by `alpha`; grey values between pixels are interpolated linearly. Keras's RandomElasticTransform is
    another thing: its field has neither this `alpha` nor this `sigma`. Edges are repeated where the field points out.

    Input and output are `(batch, height, width, channels)` float, in any range.
    """

    def __init__(self, spec: Elastic, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec
        self.generator = random.SeedGenerator(0)
        radius = int(np.ceil(3 * spec.sigma))
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
        return drawn * random.uniform((), *self.spec.alpha, seed=self.generator)

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, distorted if `training`."""
        if not training:
            return images
        size, (height, width) = ops.shape(images)[0], images.shape[1:3]
        field = self.field(size, height, width)[..., 0]
        rows = ops.clip(ops.arange(height, dtype="float32")[None, :, None] + field[:size], 0, height - 1)
        columns = ops.clip(ops.arange(width, dtype="float32")[None, None, :] + field[size:], 0, width - 1)
        top, left = ops.floor(rows), ops.floor(columns)
        down, right = (rows - top)[..., None], (columns - left)[..., None]
        top, left = ops.cast(top, "int32"), ops.cast(left, "int32")
        below, beside = ops.minimum(top + 1, height - 1), ops.minimum(left + 1, width - 1)
        flat = ops.reshape(images, (-1, images.shape[3]))
        start = ops.arange(size, dtype="int32")[:, None, None] * (height * width)

        def pixels(row: Any, column: Any) -> Any:
            return ops.take(flat, start + row * width + column, axis=0)

        upper = pixels(top, left) * (1 - right) + pixels(top, beside) * right
        lower = pixels(below, left) * (1 - right) + pixels(below, beside) * right
        return upper * (1 - down) + lower * down
