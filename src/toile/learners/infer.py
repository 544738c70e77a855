"""Stored models at work on new images: `python -m toile.learners.infer images.npy out.npz MODEL…`, a process of its own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from toile.learners.process import finish

_BATCH = 500


def infer(models: Sequence[Path], backend: str, images: np.ndarray) -> list[np.ndarray]:
    """Probabilities of each model for the images, from a fresh process: the calling one never imports Keras.

    Args:
        models: `model.keras` or `model.skops` files.
        backend: Keras backend they were trained on.
        images: uint8 `(n, height, width, channels)`.

    Returns:
        `(n, classes)` float32, one a model.

    Raises:
        ToileError: a model cannot be loaded; with the last lines that Keras said.
    """
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        given, answer = Path(folder, "images.npy"), Path(folder, "probabilities.npz")
        np.save(given, images, allow_pickle=False)
        finish(["-m", "toile.learners.infer", given, answer, *models], backend, "the models could not be used")
        with np.load(answer, allow_pickle=False) as stored:
            return [stored[str(i)] for i in range(len(models))]


def main(arguments: list[str]) -> None:
    """Entry point of the process."""
    given, answer, *models = map(Path, arguments)
    images = np.load(given, allow_pickle=False)
    np.savez(answer, **{str(i): opened(path)(images) for i, path in enumerate(models)})


def opened(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A stored model as a function from uint8 images `(n, height, width, channels)` to probabilities `(n, classes)` float32."""
    if path.suffix == ".skops":
        from toile.learners.classical import model as classical

        return classical.load(path).predict
    import keras

    model = keras.models.load_model(path, compile=False)

    def ask(images: np.ndarray) -> np.ndarray:
        # Not `predict`, which makes an input pipeline of each call: 0.1 s for an image, too.
        batches = [model.predict_on_batch(images[at : at + _BATCH]) for at in range(0, len(images), _BATCH)]
        return np.concatenate(batches).astype(np.float32, copy=False)

    return ask


if __name__ == "__main__":
    main(sys.argv[1:])
