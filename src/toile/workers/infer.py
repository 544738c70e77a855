"""The process that asks stored models about new images: `python -m toile.workers.infer images.npy out.npz MODEL…`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.arrays import ImageArray, Probabilities
from toile.errors import ToileError
from toile.inference.infer import load
from toile.store import atomic
from toile.workers.process import finish, say


def infer(models: Sequence[Path], backend: str, images: ImageArray) -> list[Probabilities]:
    """Probabilities of each model for the images, from a fresh process: the calling one never imports Keras.

    Args:
        models: `model.keras` or `model.skops` files.
        backend: Keras backend they were trained on.
        images: uint8 `(n, height, width, channels)`.

    Returns:
        `(n, classes)` float32, one a model.

    Raises:
        ToileError: a model cannot be loaded; with the last lines of its output.
    """
    answers = ask("toile.workers.infer", models, backend, images)
    return [answers[str(i)] for i in range(len(models))]


def ask(program: str, models: Sequence[Path], backend: str, images: ImageArray) -> dict[str, NDArray[Any]]:
    """What a program that is given images, a file to write and models has written, by name; see `infer`."""
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        images_file, output_file = Path(folder, "images.npy"), Path(folder, "probabilities.npz")
        with atomic.named(images_file):  # the folder of temporary files may be the one that is full
            np.save(images_file, images, allow_pickle=False)
        finish(["-m", program, images_file, output_file, *models], backend, "the models could not be used")
        with np.load(output_file, allow_pickle=False) as stored:
            return dict(stored)


def main(arguments: list[str]) -> int:
    """Entry point of the process."""
    images_file, output_file, *models = map(Path, arguments)
    images = np.load(images_file, allow_pickle=False)
    try:
        outputs = {str(i): load(path)(images) for i, path in enumerate(models)}
        with atomic.named(output_file):
            np.savez(output_file, **outputs)  # pyright: ignore[reportArgumentType]: none is called allow_pickle
    except (ToileError, OSError) as error:
        return say(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
