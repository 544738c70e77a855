"""The process that changes images as an augmentation does: `python -m toile.workers.preview images.npy out.npy SPEC`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from toile.arrays import ImageArray
from toile.study.recipe.augmentation import Augmentation
from toile.workers.process import finish

# How many times each image is changed.
TIMES = 4


def preview(augmentation: Augmentation, backend: str, images: ImageArray) -> np.ndarray:
    """What a training with this augmentation sees of some images, from a fresh process: the calling one never imports Keras.

    Args:
        images: uint8 `(n, height, width, channels)`.

    Returns:
        uint8 `(4, n, height, width, channels)`: each image changed four times, drawn with seed 0.

    Raises:
        ToileError: the process failed; with the last lines of its output.
    """
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        images_file, output_file = Path(folder, "images.npy"), Path(folder, "augmented.npy")
        np.save(images_file, images, allow_pickle=False)
        arguments = ["-m", "toile.workers.preview", images_file, output_file, augmentation.model_dump_json()]
        finish(arguments, backend, "the images could not be augmented")
        return np.load(output_file, allow_pickle=False)


def main(arguments: list[str]) -> int:
    """Entry point of the process."""
    import keras

    from toile.training.augment import augmenting

    images_file, output_file, spec = arguments
    images = np.load(images_file, allow_pickle=False)
    keras.utils.set_random_seed(0)
    changed = inputs = keras.Input(images.shape[1:], dtype="uint8")
    for layer in augmenting(Augmentation.model_validate_json(spec)):
        changed = layer(changed)
    model = keras.Model(inputs, changed)
    drawn: Any = [keras.ops.convert_to_numpy(model(images, training=True)) for _ in range(TIMES)]
    np.save(output_file, np.stack(drawn).astype(np.uint8), allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
