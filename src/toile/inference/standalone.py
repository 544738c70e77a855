"""An exported model at work where there is no toile: `python -P standalone.py MODEL images.npy probabilities.npz`.

A program, not a module: it proves that a `.keras` file or a SavedModel is loaded by Keras or TensorFlow alone. The
environment says on which of Keras's backends.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 500


def main(model: Path, images_file: Path, output_file: Path) -> None:
    """Write `probabilities` and `members` for the images, uint8 `(n, height, width, channels)`."""
    images = np.load(images_file, allow_pickle=False)
    if model.is_dir():
        import tensorflow as tf

        predict = tf.saved_model.load(str(model)).signatures["serving_default"]
        outputs = [
            {key: value.numpy() for key, value in predict(images=tf.constant(batch)).items()} for batch in _batches(images)
        ]
    else:
        import keras

        loaded: Any = keras.models.load_model(model, compile=False)
        outputs = [loaded.predict_on_batch(batch) for batch in _batches(images)]
    probabilities, members = (np.concatenate([part[key] for part in outputs]) for key in ("probabilities", "members"))
    np.savez(output_file, probabilities=probabilities, members=members)


def _batches(images: np.ndarray) -> list[np.ndarray]:
    return [images[at : at + BATCH] for at in range(0, len(images), BATCH)]


if __name__ == "__main__":
    sys.modules["toile"] = None  # pyright: ignore[reportArgumentType]: documented: an import of toile fails from here on, wherever it is installed
    main(*map(Path, sys.argv[1:]))
