"""An engine as a worker process has it, for a training of a packaged study, over random images.

A step costs the same whatever the weights are and whatever the images show.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from toile.study.expand import Variant


class Ready(NamedTuple):
    """What trains on so many images. `built` are the arguments of `architectures.build` that made the model."""

    engine: Any
    model: Any
    line: Variant
    built: tuple[Any, ...]
    images: int


def made(study: str, trial: str, steps: int) -> Ready:
    """The engine on the backend that this process runs Keras on, before its first epoch of so many steps."""
    import keras

    from toile import studies
    from toile.models import architectures
    from toile.study.expand import variants
    from toile.training import recipe
    from toile.training.augment import augmenting
    from toile.training.engines import engine

    spec = studies.load(study).spec
    line = next(line for line in variants(spec) if line.name == trial)
    if line.recipe.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    options = architectures.complete(line.architecture.name, line.architecture.options)
    built = (line.architecture.name, (28, 28, 1), 1 + max(spec.dataset.class_map or [9]), options)
    model = architectures.build(*built)
    drawn, count = np.random.default_rng(0), steps * line.recipe.batch_size
    learner = engine(
        keras.backend.backend(), model, recipe.optimizer(line.recipe),
        drawn.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8), drawn.integers(0, built[2], count),
        batch_size=line.recipe.batch_size, label_smoothing=line.recipe.label_smoothing,
        before=augmenting(line.recipe.augmentation),
    )  # fmt: skip
    return Ready(learner, model, line, built, count)
