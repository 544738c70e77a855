"""Stored models at work on new images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from toile.arrays import ImageArray, Probabilities
from toile.models import stored

_BATCH = 500


def penalty(path: Path) -> float:
    """What the regularisers of a stored model add to a loss, as Keras's `evaluate` adds it; 0 where there are none.

    Raises:
        ToileError: it cannot be loaded.
    """
    if path.suffix == ".skops":
        return 0.0
    return float(sum(float(loss) for loss in stored.load(path).losses))


def load(path: Path) -> Callable[[ImageArray], Probabilities]:
    """A stored model as a function from uint8 images `(n, height, width, channels)` to probabilities `(n, classes)` float32.

    Raises:
        ToileError: it cannot be loaded.
    """
    if path.suffix == ".skops":
        from toile.models.classical import model as classical

        return classical.load(path).predict
    model = stored.load(path)

    def predict(images: ImageArray) -> Probabilities:
        # Not Keras's `predict`, which makes an input pipeline of each call: 0.1 s for an image, too.
        batches = [model.predict_on_batch(images[at : at + _BATCH]) for at in range(0, len(images), _BATCH)]
        return np.concatenate(batches).astype(np.float32, copy=False)

    return predict
