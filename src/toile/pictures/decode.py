"""From a file to a picture of eight bits without transparency, upright: mode L where it is grey, RGB where it has colours.

Files come from anywhere. What is too large is known from the header, before anything is decoded; a phone's JPEG is decoded at
an eighth, a quarter or half of its size where no more is needed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from toile.arrays import Deep
from toile.errors import ToileError
from toile.pictures.ranges import nearly_black, of_bits, of_floats
from toile.pictures.tiff import misread, negative
from toile.study.data.pictures import Ground

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
MAX_SCANS = 100  # of a JPEG; encoders make about ten, and each of thousands would decode the whole picture again
ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_LYING = range(5, 9)  # orientations with width and height exchanged
_GREY = ("1", "L", "LA", "P", "PA")  # modes that a grey picture may have; one that is saved as RGB counts as coloured
# From so many pixels on a JPEG is decoded at reduced scale, if it is to become that much smaller.
_REDUCED = 1_000_000
FLOATS = "F"  # the mode of numbers that need not be whole
_BRIGHTER = 2  # times full light up to which a picture may be one of the learned kind in which something shines
_MOSTLY = 0.99  # of the pixels, among which that is seen: a sensor has hot ones, and a scan markers
_SIXTEEN = 65535  # full light of 16 bits
_DEEP = ("I", FLOATS)  # what modes of more than eight bits begin with


@dataclass(frozen=True)
class Bounds:
    """How large a picture may be. What is resized costs as much as its longest side, times the model's.

    Args:
        pixels: in all; phones make 12 to 50 megapixels.
        side: pixels of the longer one.
    """

    pixels: int = 64_000_000
    side: int = 2**16


class ImageError(ToileError, ValueError):
    """A picture that cannot be used. The message says which, why, and what is allowed."""


@dataclass
class Decoded:
    """A picture on its way to a model, with the record of what was done to it.

    `image` is of mode L or RGB; `steps` say in plain English what was done.
    """

    image: Image.Image
    name: str
    steps: list[str] = field(default_factory=list)


@dataclass
class Opened:
    """A file of which the header was read. `size` is (height, width) upright, `orientation` EXIF's."""

    image: Image.Image
    size: tuple[int, int]
    orientation: int
    frames: int
    name: str

    @property
    def deep(self) -> bool:
        """Whether it has more than eight bits, so that it is a question which number is full light."""
        return self.image.mode.startswith(_DEEP)

    @property
    def transparent(self) -> bool:
        """Whether parts of it may be."""
        return self.image.has_transparency_data and not self.deep

    def reduce(self, size: tuple[int, int]) -> None:
        """Have a large JPEG decoded at a smaller scale, as long as it stays twice as large as `size` (height, width)."""
        if self.image.format in ("JPEG", "MPO") and self.image.width * self.image.height > _REDUCED:
            height, width = size[::-1] if self.orientation in _LYING else size
            self.image.draft(self.image.mode, (2 * width, 2 * height))

    def values(self) -> Deep:
        """The numbers of a deep picture, `(height, width)` float64, upright, the higher the lighter.

        Raises:
            ImageError: it is broken, or has numbers that are not finite, or of which nobody can say which is black.
        """
        values = np.asarray(self._upright(), dtype=np.float64)
        if not np.isfinite(values).all():
            raise ImageError(f"{self.name} has pixels that are not finite numbers")
        if not negative(self.image):
            return values
        if values.max() < _SIXTEEN // 16:  # which number is black nobody says; of twelve bits all would be nearly white
            raise ImageError(
                f"{self.name} is a TIFF in which 0 is white (WhiteIsZero), and its numbers go up to {values.max():.0f} of "
                f"{_SIXTEEN} only; save it with 0 as black"
            )
        return _SIXTEEN - values

    def decode(self, ground: Ground | None, full: float | None, fractions: float | None = None) -> Decoded:
        """The picture in eight bits a channel.

        Args:
            ground, full, fractions: as in `toile.pictures.form.Form`.

        Raises:
            ImageError: it is broken, cut short, wholly transparent without a `ground`, or has colours that cannot be shown.
        """
        made = Decoded(self.image, self.name)
        if self.frames > 1:
            made.steps.append(f"took the first of {self.frames} frames")
        if self.orientation in range(2, 9):
            made.steps.append("turned upright, as its EXIF orientation says")
        if (scale := round(max(self.size) / max(self.image.size))) > 1:
            made.steps.append(f"decoded at 1/{scale} of its size, {self.size[1]} x {self.size[0]}")
        if self.deep:
            values, mode = self.values(), self.image.mode
            _eight_bits(made, values, mode, _of_kind(mode, values, full, fractions))
            return made
        transparent, made.image = self.transparent, self._upright()
        mode = made.image.mode
        if transparent:
            _flatten(made, ground)
        if made.image.mode not in ("L", "RGB"):
            try:
                made.image = made.image.convert("L" if mode == "1" else "RGB")
            except ValueError as error:  # CIE Lab, for one
                raise ImageError(f"{self.name} has colours of mode {mode}: {error}") from None
        if made.image.mode == "RGB" and mode in _GREY and grey(made.image):
            made.image = made.image.getchannel(0)
        return made

    def _upright(self) -> Image.Image:
        """Decoded, and turned as EXIF says unless the header was told to forget that."""
        try:
            self.image.load()
            if self.orientation != 1:
                return ImageOps.exif_transpose(self.image)
            # A lying TIFF that is not turned tells the size that it would have then; a copy has its own.
            return self.image if self.image.size == self.image.im.size else self.image.copy()
        except Exception as error:  # decoders meet broken files with errors of every kind
            raise ImageError(f"{self.name} is broken or cut short: {error}") from None


FILES = Bounds()


def opened(content: bytes, name: str, *, upright: bool = True, bounds: Bounds = FILES) -> Opened:
    """Read the header of a picture file.

    Args:
        content: of the file.
        name: for messages.
        upright: whether EXIF's orientation counts.
        bounds: of its size.

    Raises:
        ImageError: no picture, of no allowed format, broken, too large, or a TIFF of a kind that would be read wrong.
    """
    if not content:
        raise ImageError(f"{name} is an empty file")
    try:
        image = Image.open(io.BytesIO(content), formats=list(FORMATS))
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not a picture, or of another format; allowed: {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name} is too large: {error}; allowed are {bounds.pixels:,} pixels") from None
    except Exception as error:  # see above
        raise ImageError(f"{name} is broken: {error}") from None
    width, height = image.size
    if width * height > bounds.pixels:  # known from the header: nothing has been decoded yet
        megapixels = f"{width} x {height} is {width * height / 1e6:.1f} megapixels; allowed are {bounds.pixels / 1e6:g}"
        raise ImageError(f"{name} is too large: {megapixels}")
    if max(width, height) > bounds.side:
        raise ImageError(f"{name} is too large: {width} x {height}; allowed are sides of {bounds.side:,} pixels")
    # SOS markers; compressed data never has these two bytes in a row.
    if image.format in ("JPEG", "MPO") and content.count(b"\xff\xda") > MAX_SCANS:
        raise ImageError(f"{name} is a JPEG of more than {MAX_SCANS} scans, which no encoder makes")
    try:
        frames = getattr(image, "n_frames", 1)
        wrong = misread(image)
        exif = image.getexif()  # before decoding, in which a TIFF is turned
        orientation = exif.get(ORIENTATION, 1)
        if image.format == "TIFF" and orientation in _LYING:  # Pillow tells the size of these upright
            width, height = height, width
        if not upright:
            exif.pop(ORIENTATION, None)
            orientation = 1
    except Exception as error:  # see above
        raise ImageError(f"{name} is broken or cut short: {error}") from None
    if wrong is not None:
        raise ImageError(f"{name} {wrong}")
    size = (width, height) if orientation in _LYING else (height, width)
    return Opened(image, size, orientation, frames, name)


def grey(image: Image.Image) -> bool:
    """Whether the channels of an RGB image are all the same."""
    pixels = np.asarray(image)
    return bool((pixels == pixels[:, :, :1]).all())


def _of_kind(mode: str, values: Deep, full: float | None, fractions: float | None) -> float | None:
    """The number that is full light in a picture, by the form of pictures of its kind, or by its own numbers where these cannot
    be those of such a picture: it would be all white, or all black. None where the form knows none such."""
    known, most = fractions if mode == FLOATS and fractions is not None else full, float(values.max())
    if known is None or (known <= 1 and mode != FLOATS):
        return None
    # Pictures whose full light is above 1 are never read together with fractions up to 1, so these are strange ones.
    if mode == FLOATS and known > 1 and 0 < most <= 1:
        return 1.0
    if most > _BRIGHTER * known and (most := float(np.quantile(values, _MOSTLY, method="lower"))) > _BRIGHTER * known:
        own = of_floats(most) if mode == FLOATS else of_bits(most)
        return known if nearly_black(most, own) else own
    return known


def _eight_bits(made: Decoded, values: Deep, mode: str, full: float | None) -> None:
    """Modes I;16, I and F to L. Where it is not known which number is full light: the one that the mode or the numbers tell,
    else the greatest."""
    if full is not None:
        # Whole numbers lose their lower bits.
        light = np.rint(values * 255 / full) if mode == FLOATS else np.floor(values * 256 / (full + 1))
        made.image = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))
        made.steps.append(f"scaled pixels from 0..{full:g} to 0..255{_dark(float(values.max()), full)}")
        return
    low, high = float(values.min()), float(values.max())
    if mode.startswith("I;16"):
        scale, said = (0, 65535), "16 bits to 8"
    elif mode == FLOATS and low >= 0 and high <= 1:
        scale, said = (0, 1), "0..1 to 0..255"
    elif low >= 0 and high <= 255:
        scale, said = (0, 255), "pixels to 8 bits"
    elif low >= 0 and high <= 65535 and mode == "I":
        scale, said = (0, 65535), "16 bits to 8"
    else:
        scale, said = (low, max(high, low + 1e-9)), f"pixels from {low:g}..{high:g} to 0..255"
    values = (values - scale[0]) / (scale[1] - scale[0]) * 255
    made.image = Image.fromarray(np.round(np.clip(values, 0, 255)).astype(np.uint8))
    made.steps.append(f"scaled {said}{_dark(high, scale[1])}")


def _dark(most: float, full: float) -> str:
    """That a picture has become nearly black: its maker may have meant fewer bits, as 12 in a file of 16."""
    return f", and it is nearly black, as its numbers go up to {most:g} only" if nearly_black(most, full) else ""


def _flatten(made: Decoded, ground: Ground | None) -> None:
    """Put what is transparent on `ground`, or on the one of black and white that the visible part stands out from."""
    rgba = made.image.convert("RGBA")
    least, most = rgba.getchannel("A").getextrema()
    if least == 255:
        made.image = rgba.convert("RGB")
        return
    if ground is None:
        if most == 0:
            raise ImageError(f"{made.name} is wholly transparent; there is nothing to see")
        ground = "black" if _light(rgba) else "white"
    back = Image.new("RGBA", rgba.size, ground)
    made.image = Image.alpha_composite(back, rgba).convert("RGB")
    made.steps.append(f"put what is transparent on {ground}")


def _light(rgba: Image.Image) -> bool:
    """Whether the visible part is lighter than middle grey."""
    return bool(np.average(np.asarray(rgba.convert("RGB").convert("L")), weights=np.asarray(rgba.getchannel("A"))) > 127)
