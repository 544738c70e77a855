"""Images without labels, as a competition hands them out to be classified."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from toile.arrays import ImageArray, Names
from toile.data import formats
from toile.data.errors import DataError
from toile.data.reading.checks import as_ids, as_images
from toile.data.reading.limits import plain


def read(path: Path, image_shape: tuple[int, int, int], fractions: float | None = None) -> tuple[Names, ImageArray]:
    """The ids and images of a file.

    Args:
        path: of a format that has files without labels.
        image_shape: (height, width, channels) that the images must have.
        fractions: full light of floats in the data set that the model learned, as its form has it.

    Returns:
        `(n,)` ids: integers, counted from 1 where the file has none, as Kaggle does, or texts; and uint8
        `(n, height, width, channels)`.

    Raises:
        DataError: no such file, one that cannot be read, a format that has none without labels, images of another shape.
    """
    able = [name for name in formats.names() if hasattr(formats.load(name), "unlabelled")]
    plain(path)
    if (name := formats.guess(path)) not in able:
        raise DataError(f"{path}: images without labels are read from {' and '.join(able)} files; this looks like {name}")
    ids, pixels = formats.load(name).unlabelled(path, image_shape)
    if name == "csv" and fractions == 1 and pixels.max(initial=0) <= 1:
        pixels = pixels.astype(np.float32)  # a text does not tell 1 from 1.0
    if pixels.ndim == 2 and pixels.shape[1] == math.prod(image_shape):
        pixels = pixels.reshape(-1, *image_shape)
    [images] = as_images([pixels], path, known=fractions)
    if images.shape[1:] != image_shape:
        raise DataError(f"{path}: images of {images.shape[1:]}; the model was trained on {image_shape}")
    return np.arange(1, len(images) + 1) if ids is None else as_ids(ids, path), images
