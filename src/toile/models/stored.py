"""Models of Keras in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toile.errors import ToileError, said
from toile.models import bounded


def load(path: Path | str) -> Any:
    """The Keras model in a `.keras` file. Keras runs no code that the file brings.

    Raises:
        ToileError: it is no such file, a broken one, or one that would fill the memory.
    """
    import keras

    try:
        bounded.check(Path(path))
        return keras.models.load_model(path, compile=False)
    except ToileError:
        raise
    except Exception as error:  # it fails in as many ways as there are layers and files in it
        raise ToileError(f"{path} cannot be loaded as a model: {said(error)}") from None
