"""One file of many: read as far as it can be before all the others are known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from toile.arrays import Pixels
from toile.pictures.decode import FLOATS, ImageError, Opened, opened
from toile.pictures.fit import fitted, place
from toile.pictures.read import Blob, array, contents
from toile.study.data.pictures import Fit, Ground

# Pixels from which on a picture is decoded alone, after the others: as many at once as there are cores would fill the memory.
_LARGE = 8_000_000
_BITS, _SIGNED = 258, 339  # TIFF's tags of bits a sample, and of their kind: 1, or nothing, is without a sign


@dataclass(frozen=True)
class Wanted:
    """How pictures are to be read, as far as it is known before: see `toile.pictures.form.Form`.

    `native` is the (height, width) of the first one, where no `size` is wanted; only others of that size are decoded. Without a
    `ground` what is transparent is put on white, as viewers show it.
    """

    size: tuple[int, int] | None = None
    fit: Fit = "pad"
    ground: Ground | None = None
    upright: bool = True
    native: tuple[int, int] | None = None
    full: float | None = None
    fractions: float | None = None

    @property
    def target(self) -> tuple[int, int] | None:
        """(height, width) of the images."""
        return self.size or self.native


@dataclass
class Look:
    """What was seen of a file.

    Args:
        size: (height, width) of the picture, upright; None where there is none.
        pixels: uint8 `(height, width, 1 or 3)`; None where it has another size than the others, or is left for `later`.
        broken: why it cannot be used.
        transparent: whether parts of it may be.
        later: whether it has to wait: until it is known which number is full light, or because it is large.
        deep: the least and the greatest number of a picture of more than eight bits.
        whole: whether its numbers are.
        frames: of an animation, or pages, of which the first is the picture; what phones add to a photograph is none.
    """

    size: tuple[int, int] | None = None
    pixels: Pixels | None = None
    broken: str | None = None
    transparent: bool = False
    later: bool = False
    deep: tuple[float, float] | None = None
    whole: bool = True
    frames: int = 1


def sound(path: Path | Blob, wanted: Wanted, most: int) -> tuple[int, int] | None:
    """(height, width) of a picture of at most so many pixels; None where it has more, or is broken."""
    try:
        with warnings.catch_warnings(action="ignore"):
            size = opened(contents(path), str(path), upright=wanted.upright).size
    except ImageError:
        return None
    if size[0] * size[1] > most or look(path, replace(wanted, native=size), last=True).broken is not None:
        return None
    return size


def look(path: Path | Blob, wanted: Wanted, *, last: bool = False) -> Look:
    """Read a picture file.

    Args:
        last: whether all is known by now, so that nothing is left for later.
    """
    found = Look()
    try:
        with warnings.catch_warnings(action="ignore"):  # Pillow's, of damage that it can live with
            file = opened(contents(path), str(path), upright=wanted.upright)
            found.size, found.transparent = file.size, file.transparent
            found.frames = 1 if file.image.format == "MPO" else file.frames
            target = wanted.target
            if target is None or (wanted.size is None and file.size != target):
                return found
            file.reduce(fitted(file.size, target, wanted.fit))
            found.later = not last and (file.deep or file.image.width * file.image.height > _LARGE)
            if found.later:
                if file.deep:
                    _look_deep(file, found)
                return found
            picture = file.decode(wanted.ground or "white", wanted.full, wanted.fractions)
            if file.size != target:
                place(picture, target, wanted.fit)
            found.pixels = array(picture, 1 if picture.image.mode == "L" else 3)
    except ImageError as error:
        found.broken = str(error)
    return found


def _look_deep(file: Opened, found: Look) -> None:
    values, found.whole = file.values(), file.image.mode != FLOATS
    found.deep = float(values.min()), float(values.max())
    if found.whole and found.deep[0] < 0:
        tags = getattr(file.image, "tag_v2", {})
        if tags.get(_BITS) == (32,) and tags.get(_SIGNED, (1,)) == (1,):  # Pillow takes them for numbers with a sign
            raise ImageError(f"{file.name} has pixels of 32 bits above 2,147,483,647; expected smaller numbers")
        raise ImageError(f"{file.name} has pixels below 0, down to {found.deep[0]:g}")
