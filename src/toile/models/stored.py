"""Models of Keras in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toile.errors import ToileError, said


def load(path: Path | str) -> Any:
    """The Keras model in a `.keras` file. Keras runs no code that the file brings.

    Raises:
        ToileError: it is no such file, or a broken one.
    """
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # it fails in as many ways as there are layers and files in it
        raise ToileError(f"{path} cannot be loaded as a model: {said(error)}") from None
