"""Augmentation inside the training graph: random changes of the images, by Keras's own layers where they do what is meant.

The layers stand before the model while it trains and are no part of it, so saved models have none. Their random generators
are seeded from (seed, epoch) like dropout's.
"""

from __future__ import annotations

from typing import Any

from keras import KerasTensor, layers

from toile.study.recipe.augmentation import Augmentation
from toile.training.augment.affine import AffineTransform
from toile.training.augment.crop import PadAndCrop
from toile.training.augment.elastic import ElasticDistortion
from toile.training.operations import ops

# Keras's own "horizontal_and_vertical" throws one coin for both; its ImageDataGenerator threw two.
_FLIPS = {"none": (), "horizontal": ("horizontal",), "vertical": ("vertical",), "both": ("horizontal", "vertical")}


def augmenting(spec: Augmentation | None) -> list[Any]:
    """The layers that carry out an augmentation, in the order rotation with shift, shear and zoom, crop, flip, elastic
    distortion, erasing.

    They take uint8 images and give uint8 images; there are none for None.

    What comes in from outside of the image repeats its edge (mirrors it, for an elastic distortion), as in Keras's
    ImageDataGenerator, which the documents used, and in the elastic distortion of theirs; what `crop` brings in is black.
    """
    if spec is None:
        return []
    # In float32 whatever the model's precision: a pixel's place between its neighbours takes more than bfloat16's 8 bits.
    kept: dict[str, Any] = {"dtype": "float32"}
    found: list[Any] = [layers.Rescaling(1.0, **kept)]
    if spec.rotation or spec.zoom or spec.shear or any(spec.shift):
        found.append(AffineTransform(spec, **kept))
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
