"""Some images as an augmentation changes them, for reports: made once by a process with Keras, and kept in the store."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from toile.arrays import ImageArray
from toile.data.dataset import Dataset
from toile.errors import ToileError
from toile.store import sealed
from toile.store.checked import Damaged
from toile.store.store import Store
from toile.study.recipe.augmentation import Augmentation
from toile.workers.preview import preview

# The first training images: nobody chose them.
IMAGES = 10
FOLDER = "previews"  # in that of the reports


def augmented(store: Store, data: Dataset, augmentation: Augmentation, backend: str) -> tuple[ImageArray, np.ndarray]:
    """The first training images of a data set, and each of them as the augmentation changes it.

    Args:
        store: where they are kept; of what is damaged there a new one is made.
        backend: Keras's, of the trainings that they are shown for.

    Returns:
        uint8 `(n, height, width, channels)` with n at most 10, and `(4, n, height, width, channels)`.

    Raises:
        ToileError: they could not be made, or not be kept.
    """
    images = data.train.images[:IMAGES]
    spec = augmentation.current()
    said = json.dumps([data.content, spec.model_dump(mode="json"), backend, len(images)], sort_keys=True)
    path = store.reports_folder / FOLDER / f"{hashlib.sha256(said.encode()).hexdigest()}.npy"
    if path.exists():
        try:
            found, hashed = sealed.array(path)
            if hashed and found.shape[1:] == images.shape and found.dtype == np.uint8:
                return images, found
        except Damaged:
            pass
    made = preview(spec, backend, np.asarray(images))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with sealed.writing(path) as file:
            np.save(file, made)
    except OSError as error:
        raise ToileError(f"the preview of an augmentation cannot be kept in {store.root}: {error.strerror or error}") from None
    return images, made
