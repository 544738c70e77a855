"""Pictures brought to a size: whole on a canvas, cut to the middle, or stretched."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageOps

from toile.arrays import Colour
from toile.pictures.decode import Decoded
from toile.pictures.learned import border
from toile.study.data.pictures import Fit


def fitted(picture: tuple[int, int], size: tuple[int, int], fit: Fit) -> tuple[int, int]:
    """(height, width) to which a whole picture is resized to come to `size`."""
    if fit == "stretch":
        return size
    ratios = [wanted / found for wanted, found in zip(size, picture, strict=True)]
    scale = min(ratios) if fit == "pad" else max(ratios)
    height, width = (max(1, math.ceil(found * scale)) for found in picture)
    return height, width


def place(picture: Decoded, size: tuple[int, int], fit: Fit) -> None:
    """Bring a picture of another size to `size`, (height, width)."""
    if fit == "pad":
        return pad(picture, size, border(np.asarray(picture.image)))
    (height, width), image = size, picture.image
    if fit == "stretch":
        picture.image = image.resize((width, height), Image.Resampling.LANCZOS)
        picture.steps.append(f"stretched from {image.width} x {image.height} to {width} x {height}")
    else:
        picture.image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
        picture.steps.append(f"cut the middle of {image.width} x {image.height}, resized to {width} x {height}")
    return None


def pad(picture: Decoded, size: tuple[int, int], background: Colour, fill: float = 1.0) -> None:
    """Resize with antialiasing, keeping the proportions, and centre on a canvas.

    Args:
        size: (height, width) of the canvas.
        background: its colour, one number a channel.
        fill: share of the canvas that the picture takes in the direction in which it takes most.
    """
    (height, width), image = size, picture.image
    scale = fill * min(width / image.width, height / image.height)
    inner = (min(width, max(1, round(image.width * scale))), min(height, max(1, round(image.height * scale))))
    picture.image = image.resize(inner, Image.Resampling.LANCZOS)
    said = f"resized from {image.width} x {image.height} to {inner[0]} x {inner[1]}"
    if inner != (width, height):
        canvas = Image.new(image.mode, (width, height), tuple(int(value) for value in np.round(background)))
        canvas.paste(picture.image, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        picture.image = canvas
        said += f" and centred in {width} x {height}"
    picture.steps.append(said)
