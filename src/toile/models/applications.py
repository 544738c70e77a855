"""The networks of `keras.applications` that can be backbones, and what is known of them without Keras.

Numbers of parameters and layers are those without the classifier ("top"); they depend on no image size.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, NamedTuple


class Backbone(NamedTuple):
    """One of `keras.applications`.

    Args:
        function: its name there.
        minimum: the smallest side of images that it takes, in pixels.
        preprocessing: "tf" (-1..1), "caffe" (BGR, less the mean of ImageNet), "torch" (standardised) or "inside" (0..255).
        parameters: how many; of the width multiplier alpha where there is one.
        layers: how many have a kernel, and so can be unfrozen.
        last_stage: how many of those come last, after what halves the resolution for the last time.
        multiply_adds: millions, of one image of 224 pixels; of the width multiplier 1.
        file: folder and name of the ImageNet weights on Keras's server.
        alphas: width multipliers that ImageNet weights exist for; empty where there is no such option.
        sizes: sides that ImageNet weights were made for, where there are several; else those of 224 are taken.
        channels: of what comes out of it; of the width multiplier 1.
    """

    function: str
    minimum: int
    preprocessing: Literal["tf", "caffe", "torch", "inside"]
    parameters: int | Callable[[float], int]
    layers: int
    last_stage: int
    multiply_adds: int
    file: str
    alphas: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    channels: int = 2048

    def count(self, alpha: float) -> int:
        """Parameters without the classifier."""
        return self.parameters(alpha) if callable(self.parameters) else self.parameters

    def width(self, alpha: float) -> int:
        """Channels of what comes out of it. MobileNetV2's last layer becomes wider with alpha, and no narrower."""
        return int(self.channels * (alpha if self.function == "MobileNet" else max(alpha, 1.0)))

    def work(self, alpha: float, size: int) -> float:
        """Multiplications of one image's forward pass, about: widths count twice, as inputs and as outputs of a layer."""
        return self.multiply_adds * 1e6 * alpha**2 * (size / 224) ** 2

    def unfrozen(self, unfreeze: str | int) -> int:
        """How many of the layers with a kernel learn, from the last one on.

        Args:
            unfreeze: "none", "last-stage", "all" or a number of layers.

        Raises:
            ValueError: a larger number than there are.
        """
        if isinstance(unfreeze, str):
            return {"none": 0, "last-stage": self.last_stage, "all": self.layers}[unfreeze]
        if unfreeze > self.layers:
            raise ValueError(f"unfreeze is at most {self.layers}, all layers of {self.function} with a kernel; got {unfreeze}")
        return unfreeze

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
        "MobileNet", 32, "tf", _mobilenet, 27, 4, 568, "mobilenet/mobilenet_{word}_{rows}_tf_no_top.h5",
        (0.25, 0.5, 0.75, 1.0), (128, 160, 192, 224), 1024,
    ),
    "mobilenet-v2": Backbone(
        "MobileNetV2", 32, "tf", _mobilenet_v2, 52, 13, 299,
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{rows}_no_top.h5",
        (0.35, 0.5, 0.75, 1.0, 1.3, 1.4), (96, 128, 160, 192, 224), 1280,
    ),
    "vgg16": Backbone("VGG16", 32, "caffe", 14_714_688, 13, 3, 15_347, _plain("vgg16"), channels=512),
    "vgg19": Backbone("VGG19", 32, "caffe", 20_024_384, 16, 4, 19_508, _plain("vgg19"), channels=512),
    "resnet50": Backbone("ResNet50", 32, "caffe", 23_587_712, 53, 10, 3_856, _plain("resnet50", "resnet")),
    "resnet101": Backbone("ResNet101", 32, "caffe", 42_658_176, 104, 10, 7_568, _plain("resnet101", "resnet")),
    "resnet152": Backbone("ResNet152", 32, "caffe", 58_370_944, 155, 10, 11_280, _plain("resnet152", "resnet")),
    "densenet121": Backbone(
        "DenseNet121", 32, "torch", 7_037_504, 120, 32, 2_833, _plain("densenet121", "densenet"), channels=1024
    ),
    "efficientnet-v2-b0": Backbone(
        "EfficientNetV2B0", 32, "inside", 5_919_312, 91, 41, 717, "efficientnet_v2/efficientnetv2-b0_notop.h5", channels=1280
    ),
    "inception-v3": Backbone("InceptionV3", 75, "tf", 21_802_784, 94, 24, 2_836, _plain("inception_v3")),
    "xception": Backbone("Xception", 71, "tf", 20_861_480, 40, 5, 4_551, _plain("xception")),
}  # fmt: skip

Name = Literal[
    "mobilenet", "mobilenet-v2", "vgg16", "vgg19", "resnet50", "resnet101", "resnet152", "densenet121",
    "efficientnet-v2-b0", "inception-v3", "xception",
]  # fmt: skip
