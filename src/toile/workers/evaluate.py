"""The process that judges stored models on images: `python -m toile.workers.evaluate images.npy out.npz MODEL…`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toile.arrays import ImageArray, Probabilities
from toile.errors import ToileError
from toile.inference.infer import load, penalty
from toile.store import atomic
from toile.workers.infer import ask
from toile.workers.process import say


@dataclass(frozen=True)
class Judged:
    """`(n, classes)` float32 of one model, and what its regularisers add to a loss."""

    probabilities: Probabilities
    penalty: float


def evaluate(models: Sequence[Path], backend: str, images: ImageArray) -> list[Judged]:
    """What each model says of the images, from a fresh process: the calling one never imports Keras.

    Args:
        models: `model.keras` files.
        backend: Keras backend they were trained on.
        images: uint8 `(n, height, width, channels)`.

    Raises:
        ToileError: a model cannot be loaded; with the last lines of its output.
    """
    answers = ask("toile.workers.evaluate", models, backend, images)
    return [Judged(answers[str(i)], float(answers["penalties"][i])) for i in range(len(models))]


def main(arguments: list[str]) -> int:
    """Entry point of the process."""
    images_file, output_file, *models = map(Path, arguments)
    images = np.load(images_file, allow_pickle=False)
    try:
        outputs = {str(i): load(path)(images) for i, path in enumerate(models)}
        outputs["penalties"] = np.array([penalty(path) for path in models])
        with atomic.named(output_file):
            np.savez(output_file, **outputs)  # pyright: ignore[reportArgumentType]: none is called allow_pickle
    except (ToileError, OSError) as error:
        return say(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
