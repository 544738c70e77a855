"""TIFFs of more than eight bits that Pillow opens without a word and reads as something else: they are known by their tags."""

from __future__ import annotations

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR = 258, 262, 277, 284  # tags


def negative(image: Image.Image) -> bool:
    """Whether 0 is white in it (WhiteIsZero) and Pillow leaves it so, as it does with 16 bits; eight it inverts itself."""
    return isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0 and image.mode.startswith(("I", "F"))


def misread(image: Image.Image) -> str | None:
    """Why a picture whose header was read must not be decoded, and the way out; None where it may."""
    if not isinstance(image, TiffImageFile):
        return None
    tags, bits = image.tag_v2, max(image.tag_v2.get(_BITS, (1,)))
    raw = bool(image.tile) and image.tile[0][0] == "raw"
    turned, wide = tags.prefix == b"MM", image.mode in ("I", "F")
    # Pillow takes each plane for one of eight bits. One plane of 32 bits is the picture itself, in the order that it expects.
    if tags.get(_PLANAR) == 2 and bits > 8 and raw and not (tags.get(_SAMPLES, 1) == 1 and bits == 32 and not turned):
        return (
            f"is a TIFF of {bits} bits that keeps each colour in a plane of its own (planar) without compression, which is not "
            "read; save it with the colours of a pixel next to each other (chunky), or compressed by zlib"
        )
    if turned and wide and not raw:
        return "is a compressed TIFF of big-endian numbers, which is not read; save it as little-endian, or without compression"
    if negative(image) and wide:
        return "is a TIFF of numbers without a greatest one in which 0 is white (WhiteIsZero); save it with 0 as black"
    return None
