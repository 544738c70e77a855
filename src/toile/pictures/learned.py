"""What the training images show of the pictures that a model knows: the light of their borders, and how large objects are.

A picture that comes from elsewhere may be dark on white where all that were learned are light on black, or have wide margins
where none had any. What to do about such a picture is a guess, so it is made only where the training images agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Colour, Grey, ImageArray, PerImage
from toile.pictures.form import Form, Guess

CLOSE = 13  # of 255: what is no farther from the border's median belongs to the background (5 %)
AGREE = 0.95  # share of the training images that have the same border; of these, the share whose objects are of one size
_SAMPLE = 2000  # images that are looked at, of all in equal steps
_SMALLEST = 8  # pixels of a side; smaller images are nearly all border


def form_of(images: ImageArray) -> Form:
    """The form of a data set that came as arrays, by its training images: pictures have the size of these, or are strange.

    Args:
        images: uint8 `(n, height, width, 1 or 3)`.
    """
    height, width, channels = map(int, images.shape[1:])
    return Form((height, width), channels, own=((height, width),), guess=learned(images))


def learned(images: ImageArray) -> Guess | None:
    """What there is to guess about strange pictures, from the training images; None for nothing.

    Colour images have backgrounds that mean something: about them nothing is guessed.

    Args:
        images: uint8 `(n, height, width, channels)`.
    """
    if len(images) == 0 or images.shape[3] != 1 or min(images.shape[1:3]) < _SMALLEST:
        return None
    some = np.asarray(images[:: max(1, len(images) // _SAMPLE)])[..., 0]
    edges = np.concatenate([some[:, 0], some[:, -1], some[:, 1:-1, 0], some[:, 1:-1, -1]], axis=1)
    borders = np.median(edges, axis=1)
    usual = float(np.median(borders))
    if np.mean(np.abs(borders - usual) <= CLOSE) < AGREE:
        return None
    return Guess(border=usual, fill=_fill(some, borders))


def _fill(images: Grey, borders: PerImage) -> float | None:
    """The share of the frame that the object's longer side takes, in about all images; None where it varies."""
    shares = filled(images, borders)
    shares = shares[shares > 0]
    if len(shares) == 0:
        return None
    usual = float(np.median(shares))
    return usual if np.mean(np.abs(shares - usual) <= tolerance(images.shape[1:])) >= AGREE else None


def filled(images: Grey, borders: PerImage) -> PerImage:
    """The share of the frame that the object's longer side takes, in each image; 0 where nothing stands out from its border.

    Args:
        borders: `(images,)`, the light of each image's border.
    """
    object_ = np.abs(images.astype(np.int16) - borders[:, None, None]) > CLOSE
    sides = np.stack([_extent(np.any(object_, axis=axis)) for axis in (2, 1)])
    return (sides / np.array(images.shape[1:])[:, None]).max(axis=0)


def tolerance(size: tuple[int, ...]) -> float:
    """By how much the share of two objects may differ that are called equally large: a pixel and a half of the frame."""
    return 1.5 / min(size)


def _extent(found: NDArray[np.bool]) -> NDArray[np.int64]:
    """`(n,)`: from the first to the last true of each row of `(n, length)`."""
    length = found.shape[1]
    return np.where(found.any(axis=1), length - found.argmax(axis=1) - found[:, ::-1].argmax(axis=1), 0)


def border(pixels: NDArray[np.uint8]) -> Colour:
    """The median colour of the outermost pixels of an image, `(height, width)` or `(height, width, channels)`: (channels,)."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    edges = (pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1])
    return np.median(np.concatenate(edges), axis=0)
