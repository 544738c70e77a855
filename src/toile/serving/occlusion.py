"""Which part of an image mattered: cover a patch of it and see how much surer or less sure the model becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toile.errors import Misuse
from toile.pictures.learned import border

MOST = 1024  # patches of one map


@dataclass(frozen=True)
class Patches:
    """Where the patches of one map lie, `size` pixels square at most; `corners` are their (row, column)."""

    size: int
    corners: tuple[tuple[int, int], ...]


def patches(shape: tuple[int, int, int], size: int | None = None, stride: int | None = None) -> Patches:
    """Patches at every `stride`-th pixel; the last ones of a row and column reach the edge.

    Args:
        shape: (height, width, channels) of the image.
        size: of a patch, in pixels; a fifth of the image's shorter edge where left out.
        stride: from one patch to the next, in pixels; a third of a patch where left out.

    Raises:
        Misuse: larger than the image, less than a pixel, or more than 1,024 patches.
    """
    height, width = shape[:2]
    size = max(1, round(min(height, width) / 5)) if size is None else size
    stride = max(1, size // 3) if stride is None else stride
    if not 1 <= size <= min(height, width) or not 1 <= stride <= size:
        allowed = f"a patch of 1 to {min(height, width)} pixels and a stride of 1 to the patch's size"
        raise Misuse(f"got patches of {size} with a stride of {stride}; allowed are {allowed}")
    rows, columns = (sorted({*range(0, edge - size + 1, stride), edge - size}) for edge in (height, width))
    if len(rows) * len(columns) > MOST:
        raise Misuse(f"that would be {len(rows) * len(columns)} patches; allowed are {MOST}: take a larger stride")
    return Patches(size, tuple((row, column) for row in rows for column in columns))


def covered(image: np.ndarray, where: Patches) -> np.ndarray:
    """The image once a patch, which has the colour of the image's border.

    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", cover with grey. Grey on an image with a
    black background is an object of its own; the colour of the border is how nothing looks.

    Args:
        image: uint8 `(height, width, channels)`.

    Returns:
        uint8 `(patches, height, width, channels)`.
    """
    background = border(image).round().astype(np.uint8)
    images = np.repeat(image[None], len(where.corners), axis=0)
    for one, (row, column) in zip(images, where.corners, strict=True):
        one[row : row + where.size, column : column + where.size] = background
    return images


def relevance(drops: Sequence[float] | np.ndarray, where: Patches, shape: tuple[int, int, int]) -> np.ndarray:
    """How much each pixel mattered: the mean of the drops of all patches that cover it.

    Args:
        drops: `(patches,)`, by how much the probability of a class fell when the patch was covered, -1..1.
        shape: (height, width, channels) of the image.

    Returns:
        float64 `(height, width)`, -1..1; above 0 spoke for the class, below 0 against it.
    """
    total, times = np.zeros(shape[:2]), np.zeros(shape[:2])
    for drop, (row, column) in zip(drops, where.corners, strict=True):
        area = np.s_[row : row + where.size, column : column + where.size]
        total[area] += drop
        times[area] += 1
    return total / times
