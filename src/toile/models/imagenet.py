"""ImageNet weights that lie in a file on this machine: where they are looked for, and how they are known to be what they say.

Keras's own download is known by its name in Keras's cache. A file of another origin, `vgg16_imagenet_notop.weights.h5` or
`mobilenet_0.25_imagenet_notop.weights.h5`, is known by its tensors: the digest here is of the numbers alone, so it is the same
however the layers are called and in whatever order they were written.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from toile.data.errors import reading
from toile.data.reading.limits import Budget
from toile.errors import Misuse, ToileError

# Of the weights without the classifier (include_top=False), for images of 224 pixels. Simonyan & Zisserman 2015 (VGG16) and
# Howard et al. 2017 (MobileNet), as `keras.applications` has them.
TENSORS = {
    ("mobilenet", 0.25): "55f91a0c09e79cc8d3185591768b57c752a88e186c3b96863e54fe300ab2021e",
    ("vgg16", 1.0): "f49e34b2064e4445f273f4288623e7ebc49f13f9c198061d3e9b5ce7d4a05a70",
}


def keras_folder() -> Path:
    """Where Keras keeps downloaded weights, found as Keras finds it."""
    if home := os.environ.get("KERAS_HOME"):
        return Path(home, "models")
    user = Path(os.path.expanduser("~"))  # noqa: PTH111 - as Keras: it stays as it is for a user whom the system does not know
    return (user if os.access(user, os.W_OK) else Path("/tmp")) / ".keras" / "models"


def places() -> list[Path]:
    """The folders in which a weights file that is named without a folder is looked for, in order."""
    roots = [os.environ.get("TOILE_WEIGHTS") or None, "weights", Path("..", "shared", "weights"), keras_folder()]
    return list(dict.fromkeys(Path(os.path.abspath(os.path.expanduser(root))) for root in roots if root is not None))  # noqa: PTH100, PTH111


def known(backbone: str, alpha: float) -> Path | None:
    """The file in one of `places()` that holds a backbone's ImageNet weights.

    Raises:
        Misuse: a file has that name and other weights.
    """
    if (backbone, alpha) not in TENSORS:
        return None
    name = file_name(backbone, alpha)
    path = next((folder / name for folder in places() if (folder / name).is_file()), None)
    if path is None:
        return None
    stat = path.stat()
    if (found := _digest(path, stat.st_size, stat.st_mtime_ns)) != TENSORS[backbone, alpha]:
        raise Misuse(
            f"{path} is not what its name says: the digest of its tensors is {found[:16]}, and that of the ImageNet weights of "
            f"{backbone} is {TENSORS[backbone, alpha][:16]}; put the right file there, or give this one another name"
        )
    return path


def file_name(backbone: str, alpha: float) -> str:
    """What a file of ImageNet weights without the classifier is called."""
    return f"{backbone}{'' if alpha == 1 else f'_{alpha:g}'}_imagenet_notop.weights.h5"


def tensors_digest(path: Path) -> str:
    """SHA-256 over the arrays of a weights file, each with its shape, whatever their names and order.

    Raises:
        ToileError: it is no HDF5 file, or a damaged one, or declares more numbers than are read.
    """
    import h5py

    found, budget = list[bytes](), Budget("the file of weights")

    def add(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (size := item.size or 0) > 1:
            budget.take(4 * size, path)  # a file of a kilobyte may declare a terabyte of zeros
            array = np.ascontiguousarray(item[()], dtype="<f4")
            found.append(hashlib.sha256(repr(array.shape).encode() + array.tobytes()).digest())

    with reading(path, "no whole weights file of Keras", ToileError), h5py.File(path, "r") as file:
        file.visititems(add)
    return hashlib.sha256(b"".join(sorted(found))).hexdigest()


@cache
def _digest(path: Path, size: int, changed: int) -> str:
    return tensors_digest(path)
