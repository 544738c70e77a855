"""About how long a training takes on one core, from its arithmetic alone: where no run of its like is stored.

The constants are those of cores with AVX-512, as they were measured: `docs/performance.md` has the speeds of Keras models, and
the stored results of the packaged studies have those of all others. Most of these are estimated within a factor of two. On
another machine all are wrong by about the same factor, which the first run of an architecture corrects.
"""

from __future__ import annotations

from functools import cache
from math import prod
from pathlib import Path

from toile.models import architectures
from toile.study.recipe.recipe import RecipeSpec
from toile.study.trial import Trial

# Operations of a core in a second: of a training in float32; of one in bfloat16 beyond the first multiplications of an image,
# which are those of the layers nearest to the pixels, and gain nothing by it; and of passes through what is frozen.
OPERATIONS, OPERATIONS_BFLOAT16, OPERATIONS_FORWARD = 9e10, 2.8e11, 6e10
NOT_FASTER = 1.5e6
# Twice as much backward as forward, two operations a multiplication.
OPERATIONS_PER_MULTIPLICATION = 6
SECONDS_PER_STEP = {"keras": 4e-4, "scratch": 1.2e-4, "classical": 0.0}
SECONDS_TO_START = {"keras": 8.0, "scratch": 8.0, "classical": 2.0}
# What it takes to turn, stretch, move or distort one pixel of an image.
SECONDS_PER_PIXEL_MOVED = 7e-7


def seconds(trial: Trial, counts: dict[str, int], epochs: int) -> float:
    """About how long a training takes, in seconds on one core.

    Args:
        counts: the images of each part.
        epochs: how many are trained.
    """
    name, options, shape = trial.architecture.name, trial.architecture.options, trial.dataset.image_shape
    judged = sum(counts.values()) - counts["train"]
    known = architectures.seconds(name, counts["train"], judged, shape, trial.dataset.classes, options)
    if known is not None:
        return SECONDS_TO_START[trial.learner] + known
    frozen, learning = architectures.work(name, shape, trial.dataset.classes, options)
    forward = 2 * frozen / OPERATIONS_FORWARD  # seconds of an image
    # What is frozen sees images that stay the same once, those of all parts; see `toile.training.division`.
    varies = trial.recipe.varies_images
    once = 0.0 if varies else forward * sum(counts.values())
    per_image = _learned(learning, trial.recipe.precision) + _moved(trial.recipe, shape) + (forward if varies else 0.0)
    per_image += SECONDS_PER_STEP[trial.learner] / trial.recipe.batch_size
    return SECONDS_TO_START[trial.learner] + once + counts["train"] * epochs * per_image


def _learned(multiplications: float, precision: str) -> float:
    """Seconds that an image takes to be learned from."""
    faster = max(multiplications - NOT_FASTER, 0.0) if precision == "bfloat16" and multiplies_bfloat16() else 0.0
    slower = multiplications - faster
    return OPERATIONS_PER_MULTIPLICATION * (slower / OPERATIONS + faster / OPERATIONS_BFLOAT16)


def _moved(recipe: RecipeSpec, shape: tuple[int, int, int]) -> float:
    """Seconds that an image takes to be changed by augmentation. Flips, crops and erasing are next to nothing."""
    changes = recipe.augmentation
    if changes is None:
        return 0.0
    affine = bool(changes.rotation or changes.zoom or changes.shear or any(changes.shift))
    return (affine + bool(changes.elastic)) * SECONDS_PER_PIXEL_MOVED * prod(shape[:2])


@cache
def multiplies_bfloat16() -> bool:
    """Whether this processor says that it multiplies bfloat16 itself. Others are no faster by it, and some slower."""
    try:
        words = Path("/proc/cpuinfo").read_text("utf-8").split()
    except (OSError, ValueError):
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(words))
