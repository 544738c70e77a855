"""Backbones: the networks of `keras.applications` that a transfer begins with, and what is known of them without Keras.

A plan asks here whether a backbone can be had (its size, its weights) before anything trains, in a process that never
imports Keras. Numbers of parameters are those without the classifier ("top"); they depend on no image size.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from toile.data.errors import reading
from toile.data.reading.fetch import reachable
from toile.data.reading.limits import Budget, anchored
from toile.errors import Misuse, ToileError, nearest
from toile.models.applications import BACKBONES
from toile.models.imagenet import TENSORS, file_name, keras_folder, known, places

_SERVER = "https://storage.googleapis.com/tensorflow/keras-applications"
_SECONDS_TO_ANSWER = 5
SUFFIXES = (".weights.h5", ".h5", ".hdf5", ".keras")


class WeightsMissing(Misuse):
    """A file of weights that is nowhere."""


def check(backbone: str, alpha: float, size: int, weights: str) -> None:
    """Whether the backbone can be had so. Without Keras; the network is asked only for ImageNet weights that are not here.

    Raises:
        Misuse: unknown, images too small, alpha where there is none, weights of another architecture.
        WeightsMissing: a weights file that is not there.
        ToileError: ImageNet weights that are neither in Keras's cache nor can be downloaded; within seconds.
    """
    if backbone not in BACKBONES:
        raise Misuse(f"unknown backbone {backbone!r}{nearest(backbone, BACKBONES)}; known: {', '.join(BACKBONES)}")
    found = BACKBONES[backbone]
    if size < found.minimum:
        raise Misuse(f"{backbone} takes images of at least {found.minimum} pixels a side, got size = {size}")
    if alpha != 1 and not found.alphas:
        having = ", ".join(name for name, other in BACKBONES.items() if other.alphas)
        raise Misuse(f"{backbone} has no width multiplier, got alpha = {alpha:g}; only these have: {having}")
    if weights == "imagenet":
        if found.alphas and alpha not in found.alphas:
            known = ", ".join(f"{value:g}" for value in found.alphas)
            raise Misuse(f"there are no ImageNet weights of {backbone} for alpha = {alpha:g}; there are for: {known}")
        _check_imagenet(backbone, alpha, size)
    elif weights != "none":
        _check_file(backbone, alpha, weights)


def content(weights: str) -> str | None:
    """SHA-256 of a weights file, which decides a result as its path does not; None for "imagenet" and "none".

    Raises:
        WeightsMissing: there is no such file.
    """
    if weights in ("imagenet", "none"):
        return None
    path = _existing(weights)
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


def located(weights: str, beside: Path) -> str:
    """What a study says as weights, as it means the same from every folder.

    Args:
        weights: "imagenet", "none", or a file: a path from `beside`, or a name that may also lie in one of `places()`.
        beside: the study's folder.

    Returns:
        An absolute path; the name itself where there is no such file, for `check` to complain of.
    """
    if weights in ("imagenet", "none"):
        return weights
    found = anchored(weights, beside)
    if Path(weights).name != weights:
        return str(found)
    return next((str(path) for folder in (beside, *places()) if (path := anchored(weights, folder)).is_file()), weights)


def imagenet_url(backbone: str, alpha: float, size: int) -> str:
    """Where Keras downloads the ImageNet weights from."""
    return f"{_SERVER}/{BACKBONES[backbone].imagenet_file(alpha, size)}"


def imagenet_path(backbone: str, alpha: float, size: int) -> Path:
    """Where Keras keeps the ImageNet weights that it has downloaded."""
    return keras_folder() / imagenet_url(backbone, alpha, size).rsplit("/", 1)[1]


def unavailable(backbone: str, alpha: float, url: str, why: str) -> ToileError:
    """The error for ImageNet weights that cannot be downloaded, with the way out."""
    name = url.rsplit("/", 1)[1]
    folders = ", ".join(map(str, places()))
    own = f", for {file_name(backbone, alpha)} in {folders}," if (backbone, alpha) in TENSORS else ""
    return ToileError(
        f"the ImageNet weights of {backbone} are not here and cannot be downloaded: {why}. Looked for "
        f"{keras_folder() / name}{own} and asked {url}. Where there is a network, download that file; then either put it into "
        f'that folder or say weights = "/path/to/{name}"'
    )


def imagenet_here(backbone: str, alpha: float, size: int) -> Path | None:
    """The file of ImageNet weights on this machine: `toile.models.imagenet.known`'s, else the one that Keras downloaded.

    Raises:
        Misuse: a file of that name holds other weights.
    """
    sizes = BACKBONES[backbone].sizes
    # Where there are weights for several sizes of images, the file without a size in its name is the one for 224.
    if (size not in sizes or size == 224) and (found := known(backbone, alpha)):
        return found
    path = imagenet_path(backbone, alpha, size)
    return path if path.is_file() else None


def _check_imagenet(backbone: str, alpha: float, size: int) -> None:
    url = imagenet_url(backbone, alpha, size)
    if imagenet_here(backbone, alpha, size) is None and (why := _unreachable(url)):
        raise unavailable(backbone, alpha, url, why)


@cache
def _unreachable(url: str) -> str | None:
    """Why a file cannot be downloaded, or None; asked once, not once a trial."""
    return reachable([url], _SECONDS_TO_ANSWER)[url]


def _existing(weights: str) -> Path:
    anchored(weights, Path())  # refuses what can be no path at all
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    bare = path.name == weights
    folders = places() if bare else [path.parent]
    near = nearest(path.name, [other.name for folder in folders if folder.is_dir() for other in folder.glob("*")])
    looked = f"; looked beside the study, here and in {', '.join(map(str, folders))}" if bare else ""
    raise WeightsMissing(
        f'no weights file {path}{near}{looked}; weights is "imagenet", "none", a path or the name of a file there'
    )


def _check_file(backbone: str, alpha: float, weights: str) -> None:
    path = _existing(weights)
    if not path.name.endswith(SUFFIXES):
        raise Misuse(f"{path}: weights are read from files called *{', *'.join(SUFFIXES)}")
    stat = path.stat()
    found, wanted = _parameters(path, stat.st_size, stat.st_mtime_ns), BACKBONES[backbone].count(alpha)
    if found != wanted:
        raise Misuse(
            f"{path} does not fit {_words(backbone, alpha)}: it holds {found:,} numbers, {wanted:,} are wanted (without the "
            f"classifier, include_top=False); {_fitting(found)}"
        )


def _fitting(parameters: int) -> str:
    fitting = [
        _words(name, alpha)
        for name, backbone in BACKBONES.items()
        for alpha in backbone.alphas or (1.0,)
        if backbone.count(alpha) == parameters
    ]
    return f"it fits {' or '.join(fitting)}" if fitting else f"it fits no backbone that is known: {', '.join(BACKBONES)}"


def _words(backbone: str, alpha: float) -> str:
    return f"{backbone} with alpha = {alpha:g}" if BACKBONES[backbone].alphas else backbone


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _parameters(path: Path, size: int, changed: int) -> int:
    """How many numbers a weights file holds, without what optimizers and random generators left there."""
    import h5py

    total = 0

    def add(name: str, item: Any) -> None:
        nonlocal total
        parts = set(str(name).split("/"))  # a name that is no UTF-8 comes as bytes
        if isinstance(item, h5py.Dataset) and not {"optimizer", "optimizer_weights", "seed_generator"} & parts:
            total += item.size or 0

    with reading(path, "no whole weights file of Keras", ToileError):
        source: Any = path
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                member = archive.getinfo("model.weights.h5")
                Budget("the file of weights").take(member.file_size, path)
                source = io.BytesIO(archive.read(member))
        with h5py.File(source, "r") as file:
            file.visititems(add)
    return total
