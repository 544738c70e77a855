"""Pictures of every mode in every format that has it, made here: what people's folders are full of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

# Format -> the modes that its files can have.
MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("L", "P"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
}
TURNED = ("JPEG", "PNG", "TIFF", "WEBP")
ANIMATED = ("GIF", "PNG", "WEBP", "TIFF")
SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}


def scene(size: tuple[int, int], seed: int, *, colour: bool) -> Image.Image:
    """A smooth picture, RGB, of (height, width), with a bright block on a darker ground."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC)).copy()
    pixels[size[0] // 4 : size[0] // 2, size[1] // 3 : -2] = random.integers(120, 256, 3)
    image = Image.fromarray(pixels)
    return image if colour else image.convert("L").convert("RGB")


def alpha(size: tuple[int, int], seed: int) -> Image.Image:
    """Wholly transparent, half and not at all, in stripes."""
    stripes = np.tile(np.linspace(-80, 335, size[1]).clip(0, 255).astype(np.uint8), (size[0], 1))
    return Image.fromarray(np.roll(stripes, seed, axis=1))


def in_mode(image: Image.Image, mode: str, seed: int) -> Image.Image:
    """The picture in a mode that a file can have."""
    grey = image.convert("L")
    if mode in ("LA", "RGBA"):
        made = (grey if mode == "LA" else image).convert(mode)
        made.putalpha(alpha(image.size[::-1], seed))
        return made
    if mode == "I;16":
        return Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(np.asarray(grey).astype(np.int32) * 257)
    if mode == "F":
        return Image.fromarray(np.asarray(grey).astype(np.float32) * 257)
    if mode == "P":
        return image.quantize(40)
    return image.convert(mode)


def write(folder: Path, size: tuple[int, int], *, colour: bool, seed: int = 0) -> list[Path]:
    """One file of each kind, all of (height, width) upright.

    Args:
        colour: whether pictures that can have colours do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made, size_ = [], size[::-1]

    def save(image: Image.Image, format: str, name: str, **options: object) -> None:
        assert image.size in (size_, size)
        path = folder / f"{format.lower()}-{name}{SUFFIXES.get(format, '.' + format.lower())}"
        options |= {"quality": 90} if format == "JPEG" else {}
        image.save(path, format, **options)
        made.append(path)

    for format, modes in MODES.items():
        for mode in modes:
            if not colour and mode in ("RGB", "RGBA", "CMYK"):
                continue
            image = scene(size, seed := seed + 1, colour=colour)
            save(in_mode(image, mode, seed), format, mode.replace(";", "-").lower())
    plain = "RGB" if colour else "L"
    for format in TURNED:
        for orientation in range(1, 9) if colour or format != "WEBP" else ():  # WEBP has no grey
            exif = Image.Exif()
            exif[0x0112] = orientation
            lying = scene(size if orientation < 5 else size_, seed := seed + 1, colour=colour).convert(plain)
            save(lying, format, f"turned-{orientation}", exif=exif)
    for format in ANIMATED if colour else ("GIF",):
        frames = [scene(size, seed := seed + 1, colour=colour) for _ in range(3)]
        frames = [in_mode(frame, "P", seed) for frame in frames] if format == "GIF" else frames
        save(frames[0], format, "animated", save_all=True, append_images=frames[1:])
    index = scene(size, seed := seed + 1, colour=colour).quantize(20)
    for format in ("PNG", "GIF"):
        save(index, format, "p-index", transparency=3)
    save(index, "PNG", "p-alphas", transparency=bytes(range(0, 200, 10)))
    save(scene(size, seed + 1, colour=False).convert("L"), "PNG", "l-index", transparency=128)
    return made
