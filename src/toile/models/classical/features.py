"""What classical models see of images: pixels, or histograms of oriented gradients.

A kind of features is a function of uint8 images `(n, height, width, channels)` and of its own options that returns float32
`(n, features)`. It learns nothing.
"""

from __future__ import annotations

import numpy as np

from toile.arrays import Features, ImageArray
from toile.errors import ToileError
from toile.version import installing


def pixels(images: ImageArray) -> Features:
    """All pixels in a row, 0..1."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def hog(images: ImageArray, *, orientations: int, cell: int, block: int) -> Features:
    """Histograms of oriented gradients (Dalal & Triggs 2005), block-normalised by L2-Hys; of colours, the steepest counts.

    Args:
        orientations: bins of the half circle.
        cell: pixels a side of the square that makes a histogram.
        block: cells a side of the square that is normalised together; blocks overlap.

    Raises:
        ToileError: scikit-image is not installed.
    """
    try:
        from skimage import feature
    except ImportError as error:
        raise ToileError(f"HOG features need scikit-image ({error}): {installing('classical')}") from error
    colours = images.shape[3] > 1
    return np.stack([
        feature.hog(
            image if colours else image[:, :, 0], orientations=orientations, pixels_per_cell=(cell, cell),
            cells_per_block=(block, block), block_norm="L2-Hys", channel_axis=-1 if colours else None,
        ).astype(np.float32)
        for image in images
    ])  # fmt: skip


def hog_length(image_shape: tuple[int, int, int], orientations: int, cell: int, block: int) -> int:
    """How many numbers `hog` makes of an image of the shape (height, width, channels).

    Raises:
        ValueError: the image is smaller than one block.
    """
    height, width = (side // cell - block + 1 for side in image_shape[:2])
    if min(height, width) < 1:
        shape = f"{image_shape[0]}x{image_shape[1]}"
        raise ValueError(f"HOG: a block of {block}x{block} cells of {cell} pixels does not fit into {shape} images")
    return height * width * block * block * orientations
