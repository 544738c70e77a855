"""Which backbone can be had for a set of pictures, and is worth its time."""

from __future__ import annotations

from dataclasses import dataclass

from toile.errors import ToileError
from toile.models import backbones
from toile.models.applications import BACKBONES

# In the order in which they are wanted.
_WANTED = (("vgg16", 1.0), ("mobilenet", 1.0), ("mobilenet", 0.25))
_MOST = 3e12  # multiplications in all: a minute or two of one core
_SIDE = 64  # pixels


@dataclass(frozen=True)
class Found:
    """A backbone, its width multiplier, the side of the images that it sees, and whether its weights can be had now."""

    name: str
    alpha: float
    size: int
    obtainable: bool

    @property
    def options(self) -> str:
        """Of the architecture `transfer`, as TOML has them."""
        alpha = f", alpha = {self.alpha:g}" if self.alpha != 1 else ""
        return f'backbone = "{self.name}"{alpha}, size = {self.size}'


def backbone(image_shape: tuple[int, int, int], images: int) -> Found:
    """The first backbone that is affordable and whose ImageNet weights are here; else the first that can be downloaded; else
    the one that would be wanted.

    Args:
        image_shape: (height, width, channels).
        images: how many it would see, each one so often.
    """
    size = max(_SIDE, *image_shape[:2])
    affordable = [one for one in _WANTED if BACKBONES[one[0]].work(one[1], size) * images <= _MOST] or [_WANTED[-1]]
    here = [one for one in affordable if backbones.imagenet_here(*one, size)]
    for name, alpha in (*here, *affordable):
        if _obtainable(name, alpha, size):
            return Found(name, alpha, size, True)
    return Found(*affordable[0], size, False)


def _obtainable(name: str, alpha: float, size: int) -> bool:
    try:
        backbones.check(name, alpha, size, "imagenet")
    except ToileError:
        return False
    return True
