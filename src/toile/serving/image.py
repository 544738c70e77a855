"""A picture from anywhere, brought into the form of the images that a model has learnt, and a record of what was done.

The steps are those by which Fashion-MNIST itself was made from shop photographs (Xiao, Rasul & Vollgraf 2017, table 1): trim
what is as dark as the border, bring the longest edge to size, centre, negate, to grey. Only the sharpening is left out. A
picture that has the model's size already is not moved: it may well be one of the data set's own.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from toile.errors import ToileError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
MAX_PIXELS = 4_000_000
MAX_SIDE = 4096  # what is resized costs as much as its longest side, times the model's
UNTOUCHED = ("taken as it is",)
MAX_SCANS = 100  # of a JPEG; encoders make about ten, and each of thousands would decode the whole picture again
ORIENTATION = 0x0112  # EXIF tag; 1 is upright
CLOSE = 13  # of 255: what is no farther from the border's median belongs to the background (5 %, as in the paper)


class ImageError(ToileError, ValueError):
    """A picture that cannot be used. The message says which, why, and what is allowed."""


@dataclass(frozen=True)
class Prepared:
    """`pixels` are uint8 `(height, width, channels)`; `steps` say in plain English what was done, in order."""

    pixels: np.ndarray
    steps: tuple[str, ...]


@dataclass
class _Picture:
    """A picture on its way, with the record of what was done to it.

    `image` is of mode L or RGB after `_decode`; `background` is its colour, (1,) or (3,), once that is needed.
    """

    image: Image.Image
    name: str
    background: np.ndarray | None = None
    steps: list[str] = field(default_factory=list)


def prepare(source: Path | bytes, image_shape: tuple[int, int, int], *, light_on_black: bool | None = None) -> Prepared:
    """Read a picture of any size and colour and bring it to `image_shape`.

    Args:
        source: a file, or its content: PNG, JPEG, GIF, BMP, WEBP or TIFF, at most 4 megapixels. Of several frames, the first.
        image_shape: (height, width, channels) of the model's images; 1 channel or 3.
        light_on_black: whether the model has learnt light objects on black, as in Fashion-MNIST. Then a picture with a bright
            border is inverted, and one of another size trimmed to its object. Left out: yes for grey, no for colour models,
            whose backgrounds mean something.

    Raises:
        ImageError: not a picture, of no allowed format, broken, cut short, too large, or no file at all.
    """
    height, width, channels = image_shape
    if channels not in (1, 3):
        raise ImageError(f"the model takes images of {channels} channels; a picture can be made into 1 (grey) or 3 (colour)")
    if light_on_black is None:
        light_on_black = channels == 1
    picture = _decode(source)
    _channels(picture, channels)
    if light_on_black:
        _invert(picture)
    if picture.image.size != (width, height):
        if light_on_black:
            _trim(picture)
        _fit(picture, width, height)
    pixels = np.asarray(picture.image, dtype=np.uint8).reshape(height, width, channels)
    return Prepared(pixels, tuple(picture.steps) or UNTOUCHED)


def _decode(source: Path | bytes) -> _Picture:
    """Upright, eight bits a channel, without transparency: mode L or RGB."""
    name = "the file" if isinstance(source, bytes) else str(source)
    try:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not a picture, or of another format; allowed: {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name} is too large: {error}; allowed are {MAX_PIXELS:,} pixels") from None
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # decoders meet broken headers with errors of every kind
        raise ImageError(f"{name} is broken: {error}") from None
    with image:
        width, height = image.size
        if width * height > MAX_PIXELS:  # known from the header: nothing has been decoded yet
            raise ImageError(
                f"{name} is too large: {width} x {height} is {width * height / 1e6:.1f} megapixels; "
                f"allowed are {MAX_PIXELS / 1e6:g}"
            )
        if max(width, height) > MAX_SIDE:
            raise ImageError(f"{name} is too large: {width} x {height}; allowed are sides of {MAX_SIDE:,} pixels")
        # SOS markers; compressed data never has these two bytes in a row.
        if isinstance(source, bytes) and image.format == "JPEG" and source.count(b"\xff\xda") > MAX_SCANS:
            raise ImageError(f"{name} is a JPEG of more than {MAX_SCANS} scans, which no encoder makes")
        try:
            frames = getattr(image, "n_frames", 1)
            orientation = image.getexif().get(ORIENTATION, 1)  # asked before decoding, in which a TIFF is turned
            upright = ImageOps.exif_transpose(image)
        except Exception as error:  # see above
            raise ImageError(f"{name} is broken or cut short: {error}") from None
    picture = _Picture(upright, name)
    if frames > 1:
        picture.steps.append(f"took the first of {frames} frames")
    if orientation in range(2, 9):
        picture.steps.append("turned upright, as its EXIF orientation says")
    if upright.mode.startswith(("I", "F")):
        _eight_bits(picture)
    elif upright.has_transparency_data:
        _flatten(picture)
    if picture.image.mode not in ("L", "RGB"):
        try:
            picture.image = picture.image.convert("L" if picture.image.mode == "1" else "RGB")
        except ValueError as error:  # CIE Lab, for one
            raise ImageError(f"{name} has colours of mode {picture.image.mode}: {error}") from None
    return picture


def _eight_bits(picture: _Picture) -> None:
    """Modes I;16, I and F to L: full scale where the numbers tell which it is, else from least to greatest."""
    values = np.asarray(picture.image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ImageError(f"{picture.name} has pixels that are not finite numbers")
    low, high = float(values.min()), float(values.max())
    if picture.image.mode.startswith("I;16"):
        scale, said = (0, 65535), "16 bits to 8"
    elif picture.image.mode == "F" and low >= 0 and high <= 1:
        scale, said = (0, 1), "0..1 to 0..255"
    elif low >= 0 and high <= 255:
        scale, said = (0, 255), "pixels to 8 bits"
    elif low >= 0 and high <= 65535 and picture.image.mode == "I":
        scale, said = (0, 65535), "16 bits to 8"
    else:
        scale, said = (low, max(high, low + 1e-9)), f"pixels from {low:g}..{high:g} to 0..255"
    values = (values - scale[0]) / (scale[1] - scale[0]) * 255
    picture.image = Image.fromarray(np.round(np.clip(values, 0, 255)).astype(np.uint8))
    picture.steps.append(f"scaled {said}")


def _flatten(picture: _Picture) -> None:
    """Put what is transparent on the one of black and white that the visible part stands out from."""
    rgba = picture.image.convert("RGBA")
    alpha = np.asarray(rgba.getchannel("A"), dtype=np.float64)
    if alpha.min() == 255:
        picture.image = rgba.convert("RGB")
        return
    if not alpha.any():
        raise ImageError(f"{picture.name} is wholly transparent; there is nothing to see")
    light = np.average(np.asarray(rgba.convert("RGB").convert("L")), weights=alpha) > 127
    ground = Image.new("RGBA", rgba.size, (0, 0, 0, 255) if light else (255, 255, 255, 255))
    picture.image = Image.alpha_composite(ground, rgba).convert("RGB")
    picture.steps.append(f"put what is transparent on {'black' if light else 'white'}")


def _channels(picture: _Picture, channels: int) -> None:
    image = picture.image
    if channels == 1 and image.mode == "RGB":
        pixels = np.asarray(image)
        if (pixels != pixels[:, :, :1]).any():  # a grey picture saved as RGB loses nothing, so nothing is said
            picture.steps.append("converted colour to grey")
        picture.image = image.convert("L")
    elif channels == 3 and image.mode == "L":
        picture.image = image.convert("RGB")
        picture.steps.append("repeated grey in three channels")


def border(pixels: np.ndarray) -> np.ndarray:
    """The median colour of the outermost pixels of an image, `(height, width)` or `(height, width, channels)`: (channels,)."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    edges = (pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1])
    return np.median(np.concatenate(edges), axis=0)


def _invert(picture: _Picture) -> None:
    if border(np.asarray(picture.image)).mean() > 127:
        picture.image = ImageOps.invert(picture.image)
        picture.steps.append("inverted, because its border is bright and the model knows light objects on black")


def _trim(picture: _Picture) -> None:
    image = picture.image
    picture.background = border(np.asarray(image))
    pixels = np.asarray(image, dtype=np.float64).reshape(image.height, image.width, -1)
    object_ = np.any(np.abs(pixels - picture.background) > CLOSE, axis=2)
    if not object_.any():
        picture.steps.append("found nothing that stands out from the background")
        return
    rows, columns = np.flatnonzero(object_.any(axis=1)), np.flatnonzero(object_.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    if box != (0, 0, *image.size):
        picture.image = image.crop(box)
        picture.steps.append(
            f"trimmed the margins from {image.width} x {image.height} to {picture.image.width} x {picture.image.height}"
        )


def _fit(picture: _Picture, width: int, height: int) -> None:
    """Resize with antialiasing, keeping the proportions, and centre on the background."""
    image = picture.image
    background = border(np.asarray(image)) if picture.background is None else picture.background
    scale = min(width / image.width, height / image.height)
    size = (min(width, max(1, round(image.width * scale))), min(height, max(1, round(image.height * scale))))
    resized = image.resize(size, Image.Resampling.LANCZOS)
    said = f"resized from {image.width} x {image.height} to {size[0]} x {size[1]}"
    if size != (width, height):
        canvas = Image.new(image.mode, (width, height), tuple(int(value) for value in np.round(background)))
        canvas.paste(resized, ((width - size[0]) // 2, (height - size[1]) // 2))
        resized = canvas
        said += f" and centred in {width} x {height}"
    picture.image = resized
    picture.steps.append(said)
