"""The layers of a stored Keras model, as its file describes them: read without Keras, so that reports start at once.

A `.keras` file is a zip of `config.json`, which has the layers with the shapes that go into them, and `model.weights.h5`, in
which Keras names a layer's arrays by its class and its place among the layers of that class.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from toile.errors import ToileError, said

# A model inside of a model with more layers than these, such as a backbone, is one line.
EXPANDED = 40


@dataclass(frozen=True)
class LayerLine:
    """One layer.

    Args:
        name: its name in the model; of one in an inner model with that model's name before it.
        kind: Keras's class.
        shape: what comes out of it, without the axis of images, such as `14 x 14 x 32`; empty where the file does not say.
        parameters: how many numbers it keeps.
        says: the options that a reader wants to know, such as `32 filters 3 x 3, relu`.
    """

    name: str
    kind: str
    shape: str
    parameters: int
    says: str


def outline(path: Path) -> list[LayerLine]:
    """The layers of the model in a `.keras` file, in their order; of inner models with up to 40 layers, theirs.

    Raises:
        ToileError: it is no such file.
    """
    if path.suffix != ".keras":
        raise ToileError(f"{path.name} is a classical model, which has no layers")
    try:
        with zipfile.ZipFile(path) as file:
            config, weights = json.loads(file.read("config.json")), file.read("model.weights.h5")
        return _lines(config, _sizes(weights), "", "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, zipfile.BadZipFile) as error:
        raise ToileError(f"{path} cannot be read as a model: {said(error)}") from None


def _sizes(weights: bytes) -> dict[str, int]:
    """Path of an array in the file of weights -> how many numbers it has."""
    import h5py

    found: dict[str, int] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = math.prod(item.shape)

    with h5py.File(io.BytesIO(weights)) as file:
        file.visititems(keep)
    return found


def _lines(config: dict[str, Any], sizes: dict[str, int], folder: str, before: str) -> list[LayerLine]:
    layers, used = config["config"]["layers"], Counter[str]()
    lines: list[LayerLine] = []
    shapes = _shapes(config)
    for layer in layers:
        kind = layer["class_name"].rpartition(">")[2]
        place = _snake(kind)
        used[place] += 1
        inside = f"{folder}layers/{place}" + (f"_{used[place] - 1}" if used[place] > 1 else "") + "/"
        name, own = layer["config"].get("name", ""), layer["config"]
        if "layers" in own and len(own["layers"]) <= EXPANDED:
            lines += _lines(layer, sizes, inside, f"{before}{name}/")
            continue
        parameters = sum(size for path, size in sizes.items() if path.startswith(inside) and "seed_generator" not in path)
        says = f"{len(own['layers'])} layers" if "layers" in own else _said(own)
        # What only changes numbers gives the shape that it is given; of a last layer nothing else tells it.
        before_it = lines[-1].shape if lines and kind in ("Softmax", "Activation") else ""
        lines.append(LayerLine(before + name, kind, shapes.get(name, before_it), parameters, says))
    return lines


def _snake(kind: str) -> str:
    """A class as Keras names it in a file of weights."""
    name = re.sub(r"\W+", "", kind)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _shapes(config: dict[str, Any]) -> dict[str, str]:
    """What comes out of a model's layers: of each, what the layers behind it say that they are given."""
    found: dict[str, str] = {}

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                found[value["config"]["keras_history"][0]] = _written(value["config"]["shape"])
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    layers = config["config"]["layers"]
    look([layer.get("inbound_nodes") for layer in layers])
    for layer, behind in pairwise(layers):  # a Sequential says what each was built for
        given = (behind.get("build_config") or {}).get("input_shape")
        if given and not behind.get("inbound_nodes"):
            found.setdefault(layer["config"].get("name", ""), _written(given))
    last = layers[-1]["config"]
    if "units" in last:
        found.setdefault(last.get("name", ""), f"{last['units']:,}")
    return found


def _written(shape: list[int | None]) -> str:
    return " x ".join("any" if size is None else str(size) for size in shape[1:])


def _said(config: dict[str, Any]) -> str:
    """What a reader wants to know of a layer's options."""
    size, words = config.get("kernel_size") or config.get("pool_size"), []
    if config.get("filters"):
        words.append(f"{config['filters']} filters")
    if config.get("units"):
        words.append(f"{config['units']} units")
    if size:
        words.append(" x ".join(map(str, size)) if isinstance(size, list) else str(size))
    if set(_several(config.get("strides"))) - {1} and not config.get("pool_size"):
        words.append(f"stride {config['strides'][0]}")
    if config.get("padding") == "same":
        words.append("same padding")
    if config.get("rate"):
        words.append(f"rate {config['rate']:g}")
    if isinstance(config.get("activation"), str) and config["activation"] != "linear":
        words.append(config["activation"])
    if isinstance(regularizer := config.get("kernel_regularizer"), dict):
        words.append(f"L2 {regularizer['config'].get('l2', 0):g}")
    return ", ".join(words)


def _several(value: Any) -> list[int]:
    return value if isinstance(value, list) else []
