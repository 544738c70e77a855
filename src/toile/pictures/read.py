"""The one reader: a picture file becomes the input of a model, by the form of the pictures that the model has learned.

Of a data set's own picture it makes what the training made of it, to the last bit. About a picture of another size it may
guess, by the steps with which Fashion-MNIST itself was made from shop photographs (Xiao, Rasul & Vollgraf 2017, table 1):
negate, trim what is as dark as the border, bring the longest edge to size, centre. What it did it says.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ImageOps

from toile.arrays import Pixels
from toile.pictures.decode import FILES, Bounds, Decoded, ImageError, grey, opened
from toile.pictures.fit import fitted, pad, place
from toile.pictures.form import Form, Guess
from toile.pictures.learned import CLOSE, border, filled, tolerance

UNTOUCHED = ("taken as it is",)
MAX_BYTES = 2**28 + 2**20  # of a file: 64 megapixels of four bytes each, uncompressed
_DARK, _LIGHT = 63, 192  # of 255: learned borders that are called so; of one between them a negative is no better
_SEEN = 1024  # pixels of the longer side, in which an object is looked for


@dataclass(frozen=True)
class Blob:
    """A picture that is in no file of its own: its content, and what it is called."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Prepared:
    """`pixels` are uint8 `(height, width, channels)`; `steps` say in plain English what was done, in order."""

    pixels: Pixels
    steps: tuple[str, ...]


def read(source: bytes | Path, form: Form, *, as_is: bool = False, bounds: Bounds = FILES, name: str | None = None) -> Prepared:
    """A picture of any size and colour as a model's input.

    Args:
        source: a file, or its content: PNG, JPEG, GIF, BMP, WEBP or TIFF. Of several frames, the first.
        form: how the model's own pictures were read, as its data set has it.
        as_is: guess nothing: neither invert nor trim.
        bounds: of its size.
        name: what to call it in messages.

    Raises:
        ImageError: not a picture, of no allowed format, broken, cut short, too large, or no file at all.
    """
    name = name or ("the file" if isinstance(source, bytes) else str(source))
    content = source if isinstance(source, bytes) else contents(source)
    file = opened(content, name, upright=form.upright, bounds=bounds)
    guess = None if as_is or file.size in form.own else form.guess
    file.reduce(fitted(file.size, form.size, form.fit) if guess is None else (_SEEN, _SEEN))
    picture = file.decode("white" if as_is and form.ground is None else form.ground, form.full, form.fractions)
    if form.channels == 1 and picture.image.mode == "RGB":
        if not grey(picture.image):  # a grey picture saved as RGB loses nothing, so nothing is said
            picture.steps.append("converted colour to grey")
        picture.image = picture.image.convert("L")
    if guess is not None:
        _invert(picture, guess)
    if file.size != form.size and not (guess is not None and _trim(picture, guess, form.size)):
        place(picture, form.size, form.fit)
    if form.channels == 3 and picture.image.mode == "L":
        picture.steps.append("repeated grey in three channels")
    return Prepared(array(picture, form.channels), tuple(picture.steps) or UNTOUCHED)


def array(picture: Decoded, channels: int) -> Pixels:
    """The pixels, uint8 `(height, width, channels)`, of a picture that is grey or has three channels."""
    pixels = np.asarray(picture.image, np.uint8).reshape(picture.image.height, picture.image.width, -1)
    return pixels if pixels.shape[2] == channels else np.repeat(pixels, channels, axis=2)


def contents(path: Path | Blob) -> bytes:
    """What is in a file.

    Raises:
        ImageError: it cannot be read, is absurdly large, or is no file: a pipe or a device would be read for ever.
    """
    if isinstance(path, Blob):
        return path.content
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise ImageError(f"{path} cannot be read: it is not a file")
        if about.st_size > MAX_BYTES:
            raise ImageError(f"{path} is too large: {about.st_size:,} bytes; allowed are {MAX_BYTES:,}")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from None


def _invert(picture: Decoded, guess: Guess) -> None:
    seen = float(border(np.asarray(picture.image)).mean())
    if guess.border <= _DARK and seen > 127:
        said = f"bright and the model knows light objects on black (border median {guess.border:g})"
    elif guess.border >= _LIGHT and seen < 128:
        said = f"dark and the model knows dark objects on white (border median {guess.border:g})"
    else:
        return
    picture.image = ImageOps.invert(picture.image)
    picture.steps.append(f"inverted, because its border is {said}")


def _trim(picture: Decoded, guess: Guess, size: tuple[int, int]) -> bool:
    """Give the object the place that the learned ones have in their frames, on a canvas of `size`; whether that was needed."""
    if guess.fill is None or picture.image.mode != "L":
        return False
    image = picture.image
    background = border(np.asarray(image))
    pixels = np.asarray(image, dtype=np.int16)
    object_ = np.abs(pixels - background) > CLOSE
    if not object_.any():
        picture.steps.append("found nothing that stands out from the background")
        return False
    rows, columns = np.flatnonzero(np.any(object_, axis=1)), np.flatnonzero(np.any(object_, axis=0))
    left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    # Seen as the learned ones were: in the size of the model, in which edges are wider.
    seen = Decoded(image, picture.name)
    pad(seen, size, background)
    share = filled(np.asarray(seen.image)[None], background)[0]
    if abs(share - guess.fill) <= tolerance(size):
        return False
    if (left, top, right, bottom) != (0, 0, *image.size):
        picture.image = image.crop((left, top, right, bottom))
        picture.steps.append(f"trimmed the margins from {image.width} x {image.height} to {right - left} x {bottom - top}")
    pad(picture, size, background, guess.fill)
    return True
