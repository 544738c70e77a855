"""Stored models written as one that needs no toile: `python -m toile.learners.export job.json`, a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toile.errors import ToileError
from toile.learners import bare
from toile.learners.process import finish

# Of ONNX's operators: what tf2onnx writes at most, and what onnxruntime has read since 1.14 (2023).
OPSET = 18
BATCH = 500


@dataclass(frozen=True)
class Job:
    """What is to be written.

    Args:
        models: `model.keras` files of the members.
        rule, weights: see `toile.learners.combined.combined`.
        to: a key of `WRITERS`.
        output: what is written, which must not be there.
        about: what it says of itself, text by key; one of them is `toile`.
    """

    models: tuple[str, ...]
    rule: str | None
    weights: tuple[float, ...] | None
    to: str
    output: str
    about: dict[str, str] = field(default_factory=dict)


def write(job: Job, images: np.ndarray) -> np.ndarray:
    """Do the job in a fresh process: the calling one never imports Keras.

    Args:
        images: uint8 `(n, height, width, channels)`.

    Returns:
        `(members, n, classes)` float32: what the stored models themselves say of the images, in float32 under TensorFlow.

    Raises:
        ToileError: a model cannot be loaded or written; with the last lines that were said.
    """
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        given, asked, answer = (Path(folder, name) for name in ("job.json", "images.npy", "said.npy"))
        given.write_text(json.dumps(asdict(job)), "utf-8")
        np.save(asked, images, allow_pickle=False)
        # The weights are the same on every backend of Keras; TensorFlow is the one that all formats can be written from.
        finish(["-m", "toile.learners.export", given, asked, answer], "tensorflow", f"cannot be exported to {job.to}")
        return np.load(answer, allow_pickle=False)


def without_toile(model: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What an exported Keras model or SavedModel says in a fresh process that cannot import toile.

    Returns:
        `(n, classes)` and `(n, members, classes)` float32, as `toile.serving.predictor.Predictor.predict` gives them.

    Raises:
        ToileError: it cannot be loaded or asked.
    """
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        asked, answer = Path(folder, "images.npy"), Path(folder, "said.npz")
        np.save(asked, images, allow_pickle=False)
        # -P: the folder of the program, which is toile's, is not on the path either.
        finish(["-P", bare.__file__, model, asked, answer], "tensorflow", "cannot be loaded without toile")
        with np.load(answer, allow_pickle=False) as said:
            return said["probabilities"], said["members"]


def _onnx(model: Any, path: Path, about: dict[str, str]) -> None:
    import onnx
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="images")]
    function = tf.function(lambda images: model(images, training=False), input_signature=signature)
    made, _ = tf2onnx.convert.from_function(
        function, input_signature=signature, opset=OPSET, custom_op_handlers={"Erfc": (_erfc, [])}
    )
    try:
        # tf2onnx logs what it has no ONNX operator for, and returns a graph that nothing can load.
        onnx.checker.check_model(made)
    except onnx.checker.ValidationError as error:
        raise ToileError(f"tf2onnx made a graph that is not ONNX: {str(error).splitlines()[0]}") from None
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(made, about)
    onnx.save(made, path)


def _erfc(context: Any, node: Any, name: str, arguments: list[Any]) -> None:
    """TensorFlow's Erfc, which is in the exact gelu and which tf2onnx does not know: 1 - Erf."""
    kind, shape = context.get_dtype(node.output[0]), context.get_shape(node.output[0])
    one = context.make_const(f"{name}/one", np.array(1, np.float32))
    erf = context.make_node("Erf", node.input, shapes=[shape], dtypes=[kind])
    context.remove_node(name)
    context.make_node("Sub", [one.output[0], erf.output[0]], name=name, outputs=node.output, shapes=[shape], dtypes=[kind])


def _keras(model: Any, path: Path, about: dict[str, str]) -> None:
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:  # Keras reads what it knows, by name
        archive.writestr("toile.json", about["toile"])


def _saved_model(model: Any, path: Path, about: dict[str, str]) -> None:
    model.export(path, format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"  # TensorFlow's name for what others put into a SavedModel
    extra.mkdir()
    (extra / "toile.json").write_text(about["toile"], "utf-8")


WRITERS: dict[str, Callable[[Any, Path, dict[str, str]], None]] = {
    "onnx": _onnx,
    "keras": _keras,
    "savedmodel": _saved_model,
}


def packages(to: str) -> tuple[str, ...]:
    """Those that have a part in writing a format."""
    return ("toile", "keras", "tensorflow", "tensorflow-cpu", "numpy", *(("tf2onnx", "onnx") if to == "onnx" else ()))


def main(arguments: Sequence[str]) -> int:
    """Entry point of the process."""
    given, asked, answer = map(Path, arguments)
    import keras

    from toile.learners.combined import combined, in_float32

    job, images = json.loads(given.read_text("utf-8")), np.load(asked, allow_pickle=False)
    models = [in_float32(keras.models.load_model(path, compile=False)) for path in job["models"]]
    np.save(answer, np.stack([model.predict(images, batch_size=BATCH, verbose=0) for model in models]))
    try:
        WRITERS[job["to"]](combined(models, job["rule"], job["weights"]), Path(job["output"]), job["about"])
    except ToileError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
