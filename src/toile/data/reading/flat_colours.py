"""In which order the colours of images are of which each is one row of numbers: beside each other, or one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.data.errors import DataError

_LOOKED_AT = 200  # images
_SMOOTHER = 0.6  # differences of rows in one order over those in the other, below which it is that one
# Differences within threes over those between them, or the reverse, from which on the numbers have a period of three.
_THREES = 0.67


def neighbours(pixels: NDArray[Any], shape: tuple[int, int, int], source: object, unless: str = "") -> None:
    """Refuse rows of colours that are clearly all red, then all green, then all blue: taken for neighbours, pictures would be
    scrambled.

    Args:
        pixels: `(n, height * width * 3)`; of what has another shape nothing is said.
        shape: (height, width, channels).
        source: the file, for messages.
        unless: what to do if they are neighbours all the same.

    Raises:
        DataError: they are.
    """
    high, wide, channels = shape
    rows = pixels.dtype.kind in "biuf" and pixels.ndim == 2 and len(pixels) and pixels.shape[1] == high * wide * 3
    if channels == 3 and rows and _planes(pixels, shape):
        raise DataError(
            f"{source}: its {pixels.shape[1]} pixel columns seem to be all of red, then all of green, then all of blue, as "
            f"CIFAR has them; expected red, green and blue of a pixel next to each other: x.reshape(-1, 3, {high}, {wide})"
            f".transpose(0, 2, 3, 1).reshape(len(x), -1) brings them so{unless}"
        )


def _planes(pixels: NDArray[Any], shape: tuple[int, int, int]) -> bool:
    high, wide, _ = shape
    some = pixels[:: max(1, len(pixels) // _LOOKED_AT)].astype(np.float32)
    near, apart = some.reshape(-1, *shape), some.reshape(-1, 3, high, wide).transpose(0, 2, 3, 1)
    if min(high, wide) <= 1 or (near == near[..., :1]).all():  # grey ones are neighbours, whatever they show
        return False
    (down, across), (down_apart, across_apart) = (
        [float(np.abs(np.diff(images, axis=axis)).mean()) for axis in (1, 2)] for images in (near, apart)
    )
    # Rows alone would take horizontal stripes for it: in the other order, these go on from one row into the next.
    if down_apart >= _SMOOTHER * down or across_apart >= across:
        return False
    # So do nearly grey ones, but there each three numbers are alike; where all red comes first, no three belong together.
    steps = np.abs(np.diff(some, axis=1))
    within, between = float(np.delete(steps, np.s_[2::3], axis=1).mean()), float(steps[:, 2::3].mean())
    return min(within, between) > _THREES * max(within, between)
