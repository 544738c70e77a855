"""Pixels brought to the range that a model learns on. Architectures divide by 255; a recipe may fit the range instead."""

from __future__ import annotations

from typing import Any

import numpy as np

from toile.arrays import Inputs
from toile.models.protocols import KerasModel


def fit(model: KerasModel, scaling: str, images: Inputs) -> None:
    """Make a model's "scale" layer what the recipe says, fitted on the training part alone.

    `min-max` is scikit-learn's MinMaxScaler on flattened images: each pixel by its own smallest and largest value in
    `images`, to 0..1; a pixel that never changes becomes 0. Other images may leave 0..1, as they may there. The layer has
    no weights, so the model's parameters are what its architecture says.

    Args:
        scaling: `pixels` (left as it is) or `min-max`.
        images: uint8 `(n, height, width, channels)`, those that are trained on.
    """
    if scaling == "pixels":
        return
    low, high = images.min(axis=0).astype(np.float64), images.max(axis=0).astype(np.float64)
    scale = 1 / np.where(high > low, high - low, 1)
    layer: Any = model.get_layer("scale")
    # Lists, because Keras writes the layer's configuration into the saved model as JSON.
    layer.scale, layer.offset = scale.tolist(), (-low * scale).tolist()
