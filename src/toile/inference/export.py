"""Models written in the formats that other programs load: ONNX, Keras's own, TensorFlow's SavedModel."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from toile.errors import ToileError
from toile.inference import checksum
from toile.models.protocols import KerasModel
from toile.version import DISTRIBUTION

# Of ONNX's operators: what tf2onnx writes at most, and what onnxruntime has read since 1.14 (2023).
OPSET = 18


def _onnx(model: KerasModel, path: Path, about: dict[str, str]) -> None:
    import onnx
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="images")]
    function = tf.function(lambda images: model(images, training=False), input_signature=signature, autograph=False)
    made, _ = tf2onnx.convert.from_function(
        function, input_signature=signature, opset=OPSET, custom_op_handlers={"Erfc": (_erfc, []), "Log": (_log, [])}
    )
    _only_images(made.graph)
    try:
        # tf2onnx logs what it has no ONNX operator for, and returns a graph that nothing can load.
        onnx.checker.check_model(made)
    except onnx.checker.ValidationError as error:
        raise ToileError(f"tf2onnx made a graph that is not ONNX: {str(error).splitlines()[0]}") from None
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # tf2onnx has them by the alphabet, `members` first; most programs take the first output for the answer.
    outputs = sorted(made.graph.output, key=lambda one: one.name != "probabilities")
    del made.graph.output[:]
    made.graph.output.extend(outputs)
    onnx.helper.set_model_props(made, about | {checksum.KEY: checksum.EMPTY})
    path.write_bytes(checksum.seal(made.SerializeToString()))


def _only_images(graph: Any) -> None:
    """tf2onnx also calls the constants of a normalisation inputs, which EfficientNet has: they are in the graph already.

    Raises:
        ToileError: one of them is not.
    """
    used = {name for node in graph.node for name in node.input}
    for value in [value for value in graph.input if value.name != "images"]:
        if value.name in used:
            raise ToileError(f"tf2onnx made a graph that asks for {value.name!r} besides images")
        graph.input.remove(value)


def _log(context: Any, node: Any, name: str, arguments: list[Any]) -> None:
    """TensorFlow's Log is ONNX's, of float64 too, which tf2onnx would take in float32: old onnxruntimes had no other."""


def _erfc(context: Any, node: Any, name: str, arguments: list[Any]) -> None:
    """TensorFlow's Erfc, which is in the exact gelu and which tf2onnx does not know: 1 - Erf."""
    kind, shape = context.get_dtype(node.output[0]), context.get_shape(node.output[0])
    one = context.make_const(f"{name}/one", np.array(1, np.float32))
    erf = context.make_node("Erf", node.input, shapes=[shape], dtypes=[kind])
    context.remove_node(name)
    context.make_node("Sub", [one.output[0], erf.output[0]], name=name, outputs=node.output, shapes=[shape], dtypes=[kind])


def _keras(model: KerasModel, path: Path, about: dict[str, str]) -> None:
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:  # Keras reads what it knows, by name
        archive.writestr("toile.json", about["toile"])


def _saved_model(model: KerasModel, path: Path, about: dict[str, str]) -> None:
    model.export(path, format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"  # TensorFlow's name for what others put into a SavedModel
    extra.mkdir()
    (extra / "toile.json").write_text(about["toile"], "utf-8")


WRITERS: dict[str, Callable[[KerasModel, Path, dict[str, str]], None]] = {
    "onnx": _onnx,
    "keras": _keras,
    "savedmodel": _saved_model,
}


def packages(to: str) -> tuple[str, ...]:
    """Those that have a part in writing a format."""
    return (DISTRIBUTION, "keras", "tensorflow", "tensorflow-cpu", "numpy", *(("tf2onnx", "onnx") if to == "onnx" else ()))
