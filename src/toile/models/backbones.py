"""Backbones: the networks of `keras.applications` that a transfer begins with, and what is known of them without Keras.

A plan asks here whether a backbone can be had (its size, its weights) before anything trains, in a process that never
imports Keras. Numbers of parameters are those without the classifier ("top"); they depend on no image size.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

from toile.data.errors import reading
from toile.data.fetch import reachable
from toile.data.limits import Budget, anchored
from toile.errors import Misuse, ToileError, nearest
from toile.models.imagenet import keras_folder, known, places

_SERVER = "https://storage.googleapis.com/tensorflow/keras-applications"
_SECONDS_TO_ANSWER = 5
SUFFIXES = (".weights.h5", ".h5", ".hdf5", ".keras")


class WeightsMissing(Misuse):
    """A file of weights that is nowhere."""


class Backbone(NamedTuple):
    """One of `keras.applications`.

    Args:
        function: its name there.
        minimum: the smallest side of images that it takes, in pixels.
        preprocessing: "tf" (-1..1), "caffe" (BGR, less the mean of ImageNet), "torch" (standardised) or "inside" (0..255).
        parameters: how many; of the width multiplier alpha where there is one.
        file: folder and name of the ImageNet weights on Keras's server.
        alphas: width multipliers that ImageNet weights exist for; empty where there is no such option.
        sizes: sides that ImageNet weights were made for, where there are several; else those of 224 are taken.
    """

    function: str
    minimum: int
    preprocessing: Literal["tf", "caffe", "torch", "inside"]
    parameters: int | Callable[[float], int]
    file: str
    alphas: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()

    def count(self, alpha: float) -> int:
        """Parameters without the classifier."""
        return self.parameters(alpha) if callable(self.parameters) else self.parameters

    def imagenet_file(self, alpha: float, size: int) -> str:
        """Folder and name of the ImageNet weights without the classifier."""
        words = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
        rows = size if size in self.sizes else 224
        return self.file.format(alpha=alpha, word=words.get(alpha), rows=rows)


def _mobilenet(alpha: float) -> int:
    """Howard et al. 2017, table 1, widths times alpha; four numbers a channel of batch normalisation."""
    widths = [int(width * alpha) for width in (32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)]
    return 31 * widths[0] + sum(13 * a + a * b + 4 * b for a, b in pairwise(widths))


def _mobilenet_v2(alpha: float) -> int:
    """Sandler et al. 2018, table 2: (expansion, channels, repeats), widths times alpha in whole eights."""

    def eights(width: float) -> int:
        rounded = max(8, int(width + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * width else rounded

    width = eights(32 * alpha)
    total = 31 * width
    for expansion, channels, repeats in ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)):
        for _ in range(repeats):
            inner, out = expansion * width, eights(int(channels * alpha))
            total += (width * inner + 4 * inner if expansion > 1 else 0) + 13 * inner + inner * out + 4 * out
            width = out
    last = eights(1280 * alpha) if alpha > 1 else 1280
    return total + width * last + 4 * last


def _plain(name: str, folder: str | None = None) -> str:
    return f"{folder or name}/{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"


# EfficientNet's first version is not here: Keras builds another network for "imagenet" than for the same weights by path.
BACKBONES = {
    "mobilenet": Backbone(
        "MobileNet", 32, "tf", _mobilenet, "mobilenet/mobilenet_{word}_{rows}_tf_no_top.h5",
        (0.25, 0.5, 0.75, 1.0), (128, 160, 192, 224),
    ),
    "mobilenet-v2": Backbone(
        "MobileNetV2", 32, "tf", _mobilenet_v2,
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{rows}_no_top.h5",
        (0.35, 0.5, 0.75, 1.0, 1.3, 1.4), (96, 128, 160, 192, 224),
    ),
    "vgg16": Backbone("VGG16", 32, "caffe", 14_714_688, _plain("vgg16")),
    "vgg19": Backbone("VGG19", 32, "caffe", 20_024_384, _plain("vgg19")),
    "resnet50": Backbone("ResNet50", 32, "caffe", 23_587_712, _plain("resnet50", "resnet")),
    "resnet101": Backbone("ResNet101", 32, "caffe", 42_658_176, _plain("resnet101", "resnet")),
    "resnet152": Backbone("ResNet152", 32, "caffe", 58_370_944, _plain("resnet152", "resnet")),
    "densenet121": Backbone("DenseNet121", 32, "torch", 7_037_504, _plain("densenet121", "densenet")),
    "efficientnet-v2-b0": Backbone("EfficientNetV2B0", 32, "inside", 5_919_312, "efficientnet_v2/efficientnetv2-b0_notop.h5"),
    "inception-v3": Backbone("InceptionV3", 75, "tf", 21_802_784, _plain("inception_v3")),
    "xception": Backbone("Xception", 71, "tf", 20_861_480, _plain("xception")),
}  # fmt: skip

Name = Literal[
    "mobilenet", "mobilenet-v2", "vgg16", "vgg19", "resnet50", "resnet101", "resnet152", "densenet121",
    "efficientnet-v2-b0", "inception-v3", "xception",
]  # fmt: skip


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


def unavailable(backbone: str, url: str, why: str) -> ToileError:
    """The error for ImageNet weights that cannot be downloaded, with the way out."""
    name = url.rsplit("/", 1)[1]
    return ToileError(
        f"the ImageNet weights of {backbone} are not here and cannot be downloaded: {why}. Looked for "
        f"{keras_folder() / name} and asked {url}. Where there is a network, download that file; then either put it into "
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
        raise unavailable(backbone, url, why)


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
