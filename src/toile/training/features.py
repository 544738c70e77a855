"""Features: what the frozen layers of a backbone make of the images, computed once and kept; an epoch is then the rest's alone.

`toile.training.division` says where a model is cut for that.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from filelock import FileLock, Timeout

from toile.arrays import Features, ImageArray
from toile.data.dataset import Dataset, Images
from toile.models.architectures import transfer
from toile.models.protocols import KerasLayer, KerasModel
from toile.store import atomic, checked, sealed
from toile.store.checked import Damaged
from toile.training.division import divide

# Raised when features are computed in another way, which changes their last bits.
_REVISION = 2
# Batches that one process computes before it looks what others have done: some seconds' work.
_PIECE = 32
_SECONDS = ".seconds"  # ending of the file that says how long a piece, or all, took


def content(model: KerasModel) -> str:
    """SHA-256 of all weights of the model's backbone: random ones of a seed, too, are known by it."""
    digest = hashlib.sha256()
    for array in model.get_layer("backbone").get_weights():
        digest.update(f"|{array.shape}{array.dtype}|".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def key(options: dict[str, Any], *, dataset: str, part: str, weights: str, backend: str, precision: str = "float32") -> str:
    """SHA-256 of everything that decides the features of a part of a data set.

    Args:
        options: of the architecture, complete. Those of the head play no part, nor does the weights' path. (What is unfrozen
            does: there the model is cut.)
        dataset: hash of the data set's content.
        part: "train", "validation" or "test", as the data set brings them, before any split.
        weights: hash of the backbone's weights, as `content` gives it.
        backend: Keras's; another one rounds otherwise.
        precision: of the arithmetic.
    """
    decisive = {name: value for name, value in options.items() if name not in (*transfer.HEAD_OPTIONS, "weights")}
    everything = {
        "computed": _REVISION, "options": decisive, "revision": transfer.REVISION, "dataset": dataset, "part": part,
        "weights": weights, "backend": backend, "precision": precision,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def cached(
    model: KerasModel,
    images: ImageArray,
    folder: Path,
    *,
    batch: int = 128,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Features:
    """The features of the images, from `folder/features.npy`, computed if they are not there yet.

    The file appears whole or not at all. Processes that want it at once share the work, a piece of the images each in turn, and
    what one had done when it was killed is not done again.

    Args:
        model: `to_features` of `divide`.
        images: uint8 `(n, height, width, channels)`.
        batch: images at a time.
        progress: called with how many images are done, and how many there are.

    Returns:
        `(n, *features)` float32, memory-mapped, read-only.

    Raises:
        OSError: the disk is full or not writable; nothing half-written stays behind.
    """
    path, shape = folder / "features.npy", (len(images), *model.output_shape[1:])
    if (found := _open(path, shape)) is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    forward, step = _forward(model), batch * _PIECE
    starts = range(0, len(images), step)
    for wait in (False, True):  # first what nobody is at; then what others began, and may have left
        for start in starts:
            some = images[start : start + step]
            piece = folder / f"{start}.npy", (len(some), *shape[1:])
            try:
                with FileLock(folder / f"{start}.lock", timeout=-1 if wait else 0):
                    if _open(*piece) is None and _open(path, shape) is None:
                        began = time.perf_counter()
                        _write(*piece, forward, some, batch, lambda done, start=start: progress(start + done, len(images)))
                        atomic.write(piece[0].with_suffix(_SECONDS), repr(time.perf_counter() - began))
            except Timeout:
                continue
    with FileLock(folder / "lock"):
        if _open(path, shape) is None:
            _join(path, shape, [folder / f"{start}.npy" for start in starts])
    if (found := _open(path, shape)) is None:
        raise OSError(f"{path} was written, and cannot be read")
    return found


def seconds(folder: Path) -> float:
    """How long the pass through the backbone took that made these features, whoever did it; 0 for features of before it was
    written down."""
    path = folder / f"features{_SECONDS}"
    try:
        return float(path.read_text("utf-8"))
    except (OSError, ValueError):
        return 0.0


def dataset_of_features(
    model: KerasModel,
    at: KerasLayer,
    dataset: Dataset,
    place: Callable[[str], Path],
    *,
    options: dict[str, Any],
    backend: str,
    precision: str = "float32",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[KerasModel, Dataset]:
    """The model's head, and the data set as it sees it: features float32 in the images' place.

    Splits and folds are cut from it as from the images, so all of them share one pass through the backbone.

    Args:
        at: the layer behind which the model is cut, as `toile.training.division.cut` gives it.
        place: the folder for features of a key, marked as needed by the trial that asks, as
            `toile.store.store.Store.features` gives it.

    For the rest see `key` and `cached`.
    """
    to_features, head = divide(model, at)
    weights = content(model)

    def part(name: str, images: Images) -> Images:
        named = key(options, dataset=dataset.content, part=name, weights=weights, backend=backend, precision=precision)
        found = cached(to_features, images.images, place(named), progress=progress)
        # All that follows is whole numbers' and features' alike.
        return replace(images, images=cast("ImageArray", found))

    # With all else that is known of it, such as the groups that a split keeps together.
    return head, replace(dataset, **{name: part(name, images) for name, images in dataset.parts.items()})


def _open(path: Path, shape: tuple[int, ...]) -> Features | None:
    """The kept features, or None if there are none that fit, or damaged ones: they are computed again then."""
    if not path.exists():
        return None
    try:
        found, _ = sealed.array(path)
    except Damaged as error:
        checked.say(f"{error}; it is computed again")
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None


def _write(
    path: Path,
    shape: tuple[int, ...],
    forward: Callable[[ImageArray], Any],
    images: ImageArray,
    batch: int,
    progress: Callable[[int], None],
) -> None:
    """The features of a piece of the images."""
    found = np.empty(shape, "<f4")
    for at in range(0, len(images), batch):
        some = images[at : at + batch]
        # The last batch is filled up: another shape would be compiled anew, which takes longer than the batch.
        filled = np.zeros((batch, *images.shape[1:]), dtype=np.uint8)
        filled[: len(some)] = some
        found[at : at + batch] = np.asarray(forward(filled))[: len(some)]
        progress(at + len(some))
    with sealed.writing(path) as file:
        np.save(file, found)


def _join(path: Path, shape: tuple[int, ...], pieces: list[Path]) -> None:
    """One file of all pieces."""
    for left in path.parent.glob("*.tmp"):
        left.unlink(missing_ok=True)  # of a process that was killed: all pieces are done, and nobody writes
    took = [float(at.read_text("utf-8")) for piece in pieces if (at := piece.with_suffix(_SECONDS)).exists()]
    atomic.write(path.with_suffix(_SECONDS), repr(sum(took)))
    # Written in a row and not through a memory map, in which a full disk is a SIGBUS and no exception.
    with sealed.writing(path) as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for piece in pieces:
            file.write(np.ascontiguousarray(np.load(piece)).data)
    for piece in pieces:
        piece.unlink()
        piece.with_suffix(_SECONDS).unlink(missing_ok=True)


def _forward(model: KerasModel) -> Callable[[ImageArray], Any]:
    """What makes features of a batch of images.

    In TensorFlow the weights become constants of the graph. Its optimiser then folds batch normalisation into the convolutions,
    which `predict` on the same model leaves alone; MobileNet takes a quarter to a third less time.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return model.predict_on_batch
    import tensorflow as tf

    weights = [[variable.numpy() for variable in group] for group in (model.trainable_variables, model.non_trainable_variables)]

    # Without autograph, which would write what it makes of this function to a file in the folder of temporary files, and leave
    # it there: a worker ends without Python's own end.
    @tf.function(input_signature=[tf.TensorSpec([None, *model.input_shape[1:]], tf.uint8)], autograph=False)
    def forward(images: Any) -> Any:
        trained, fixed = ([tf.constant(array) for array in group] for group in weights)
        return model.stateless_call(trained, fixed, images, training=False)[0]

    return lambda images: forward(tf.constant(images))
