"""What classical models see of images: pixels, HOG features, principal components of either.

A kind of features is a function of uint8 images `(n, height, width, channels)` and of its own options that returns float32
`(n, features)`. It learns nothing; components do, from training images alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from toile.errors import Misuse, ToileError


def pixels(images: np.ndarray) -> np.ndarray:
    """All pixels in a row, 0..1."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def hog(images: np.ndarray, *, orientations: int, cell: int, block: int) -> np.ndarray:
    """Histograms of oriented gradients (Dalal & Triggs 2005), block-normalised by L2-Hys; of colours, the steepest counts.

    Args:
        orientations: bins of the half circle.
        cell: pixels a side of the square that makes a histogram.
        block: cells a side of the square that is normalised together; blocks overlap.

    Raises:
        ToileError: scikit-image is not installed.
        Misuse: the images are smaller than one block.
    """
    try:
        from skimage import feature
    except ImportError as error:
        raise ToileError(f"HOG features need scikit-image ({error}): pip install 'toile[classical]'") from error
    height, width = images.shape[1:3]
    if min(height, width) < cell * block:
        raise Misuse(f"HOG: a block of {block}x{block} cells of {cell} pixels does not fit into {height}x{width} images")
    colours = images.shape[3] > 1
    return np.stack([
        feature.hog(
            image if colours else image[:, :, 0], orientations=orientations, pixels_per_cell=(cell, cell),
            cells_per_block=(block, block), block_norm="L2-Hys", channel_axis=-1 if colours else None,
        ).astype(np.float32)
        for image in images
    ])  # fmt: skip


def principal_components(features: np.ndarray, components: int, whiten: bool, seed: int) -> Any:
    """scikit-learn's PCA, fitted to `features` `(n, features)`.

    Args:
        components: at most the number of features, and of images.
        whiten: whether to bring each component to variance 1.
        seed: of the randomised solver, which large problems take.

    Raises:
        Misuse: more components than there can be.
    """
    from sklearn.decomposition import PCA

    if components > min(features.shape):
        images, width = features.shape
        raise Misuse(f"components = {components}: {images} images of {width} features have at most {min(features.shape)}")
    return PCA(components, whiten=whiten, random_state=seed).fit(features)
