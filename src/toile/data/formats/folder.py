"""A folder of PNG, JPEG, GIF, BMP or WEBP images: one sub-folder a class, or train/ and test/ above those"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from toile.data.checks import MAX_PIXELS, as_dataset
from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.limits import Budget, pictures

_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
_KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")


def matches(path: Path) -> bool:
    return path.is_dir()


def read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset:
    """Labels are the sorted sub-folders (by number where all are numbers). `class_names` that hold every folder's name
    set the order of the labels; others rename the sorted classes."""
    inside = {folder.name: folder for folder in _folders(path)}
    train_path = path
    if "train" in inside and set(inside) <= {"train", "test"} and _folders(inside["train"]):
        if test_path is not None and "test" in inside:
            raise DataError(f"{path}: holds test/ already; leave out test_path ({test_path})")
        train_path, test_path = inside["train"], inside.get("test", test_path)
    order = _order(train_path, class_names)
    budget = Budget()
    train = _images(train_path, order, budget)
    test = _images(test_path, order, budget) if test_path is not None else None
    arrays = [*train[0]] if test is None else [*train[0], *test[0]]
    colour = any(array.shape[2] == 3 for array in arrays)
    names = class_names if class_names is not None else tuple(order)
    return as_dataset(path.name, path, _stacked(train, colour), _stacked(test, colour) if test else None, names)


def _order(path: Path, class_names: tuple[str, ...] | None) -> dict[str, int]:
    """Folder name -> label."""
    found = [folder.name for folder in _folders(path)]
    if not found:
        raise DataError(f"{path}: no sub-folders; expected one a class, with images in it")
    if class_names is not None and set(found) <= set(class_names):
        return {name: label for label, name in enumerate(class_names)}
    if class_names is not None and len(class_names) != len(found):
        raise DataError(f"{path}: {len(found)} class folders, {len(class_names)} class names; expected one each")
    if all(name.isdecimal() for name in found):
        found.sort(key=int)
    return {name: label for label, name in enumerate(found)}


def _images(path: Path, order: dict[str, int], budget: Budget) -> tuple[list[np.ndarray], list[int]]:
    """Arrays `(h, w, 1 or 3)` and labels, class by class, in the order of the file names."""
    arrays: list[np.ndarray] = []
    labels: list[int] = []
    first: Path | None = None
    folders = {folder.name: folder for folder in _folders(path)}
    unknown = sorted(set(folders) - set(order))
    if unknown:
        raise DataError(f"{path}: class {unknown[0]!r} is not among the training classes {', '.join(order)}")
    if not folders:
        raise DataError(f"{path}: no sub-folders; expected one a class, with images in it")
    for name in sorted(folders, key=order.__getitem__):
        files = sorted(file for file in folders[name].iterdir() if not file.name.startswith("."))
        if not files:
            raise DataError(f"{folders[name]}: empty; expected the images of class {name!r}")
        pictures((file for file in files if file.suffix.lower() in _ENDINGS), budget, _KINDS)
        for file in files:
            array = _decoded(file)
            if first is None:
                first = file
            elif array.shape[:2] != arrays[0].shape[:2]:
                raise DataError(
                    f"{file}: {array.shape[0]}x{array.shape[1]} (height x width), but {first} is "
                    f"{arrays[0].shape[0]}x{arrays[0].shape[1]}; expected one size"
                )
            arrays.append(array)
            labels.append(order[name])
    return arrays, labels


def _stacked(images: tuple[list[np.ndarray], list[int]], colour: bool) -> tuple[np.ndarray, np.ndarray]:
    arrays = images[0]
    out = np.empty((len(arrays), *arrays[0].shape[:2], 3 if colour else 1), np.uint8)
    for row, array in enumerate(arrays):
        out[row] = array  # grey among colour: one channel spreads over three
    return out, np.array(images[1], np.int64)


def _decoded(path: Path) -> np.ndarray:
    """uint8 `(h, w, 1)` of a grey image, `(h, w, 3)` of a colour one; of a moving one the first picture. Transparent
    parts become white, as viewers show them; 16 bits become the upper 8; a camera's rotation is applied."""
    from PIL import Image, ImageOps

    if path.suffix.lower() not in _ENDINGS or not path.is_file():
        raise DataError(f"{path}: not an image; expected only {', '.join(_ENDINGS)} in a class folder")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_KINDS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(f"{path}: {image.width}x{image.height} is over 4 megapixels; toile is for small images")
                image = ImageOps.exif_transpose(image)
                if image.mode.startswith("I"):  # 16-bit grey
                    return (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)[..., None]
                if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
                    back = Image.new("RGBA", image.size, "white")
                    seen = Image.alpha_composite(back, image.convert("RGBA")).convert("RGB")
                elif image.mode in ("1", "L"):
                    return np.array(image.convert("L"))[..., None]
                else:
                    seen = image.convert("RGB")
                pixels = np.array(seen)
                grey = image.mode in ("L", "LA", "P", "PA") and bool(np.all(pixels == pixels[..., :1]))
                return pixels[..., :1] if grey else pixels
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: cannot be read as an image ({error})") from error


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        raise DataError(f"{path}: not a folder; expected one sub-folder a class")
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
