"""A small export made by hand, to the contract of `toile export --to onnx`, whose every number a test can work out.

And a server of it, as a user starts it.
"""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from toile.inference import checksum

CLASSES = ("top left", "top right", "bottom left", "bottom right")
SHAPE = (28, 28, 1)
MEMBERS = ({"name": "sure", "sharpness": 8.0}, {"name": "unsure", "sharpness": 1.0}, {"name": "upside down", "sharpness": 4.0})


def quadrants(shape: tuple[int, int, int]) -> np.ndarray:
    """`(pixels, 4)`: the mean brightness of each quarter of an image."""
    height, width, channels = shape
    masks = np.zeros((height, width, channels, 4), np.float32)
    for corner, (rows, columns) in enumerate(
        [(slice(height // 2), slice(width // 2)), (slice(height // 2), slice(width // 2, None)),
         (slice(height // 2, None), slice(width // 2)), (slice(height // 2, None), slice(width // 2, None))]
    ):  # fmt: skip
        masks[rows, columns, :, corner] = 1
    masks = masks.reshape(-1, 4)
    return masks / masks.sum(axis=0)


def expected(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the export says, worked out in NumPy: each quarter's brightness through a softmax; the third member sees the image
    upside down."""
    brightness = images.reshape(len(images), -1).astype(np.float32) / 255 @ quadrants(images.shape[1:])
    upside_down = brightness[:, [2, 3, 0, 1]]
    logits = np.stack([8 * brightness, brightness, 4 * upside_down], axis=1)
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    members = exponent / exponent.sum(axis=-1, keepdims=True)
    return members.mean(axis=1), members


def metadata(shape: tuple[int, int, int] = SHAPE, **changed: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "kind": "committee",
        "study": "quarters",
        "name": "three",
        "classes": list(CLASSES),
        "image_shape": list(shape),
        "members": [{"name": m["name"], "fingerprint": f"{i}" * 64, "architecture": "by hand"} for i, m in enumerate(MEMBERS)],
        "rule": {"name": "mean"},
        "dataset": {"name": "quarters", "content": "c" * 64},
        "metrics": {"test": {"accuracy": 0.875}},
        "provenance": {"onnx": onnx.__version__},
        "toile": "0.1.0",
        "checksum": "sha256",
    } | changed


def sample(corner: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """uint8 image with one bright quarter."""
    bright = (quadrants(shape)[:, corner] > 0).reshape(shape)
    return np.where(bright, 220, 0).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def samples(count: int = 10) -> list[dict[str, str]]:
    return [{"class": CLASSES[i % 4], "png": base64.b64encode(png(sample(i % 4))).decode()} for i in range(count)]


def write_export(
    path: Path,
    *,
    shape: tuple[int, int, int] = SHAPE,
    about: dict[str, Any] | str | None = None,
    with_samples: list | str | None = None,
    sealed: bool = True,
) -> Path:
    """Write the export.

    Args:
        about: the metadata, if others than the true ones; a string goes in as it is, and `""` leaves the key out.
        with_samples: images for the page.
        sealed: with a checksum; files of earlier toiles have none, and do not say that they have one.
    """
    pixels = int(np.prod(shape))
    turned = np.eye(4, dtype=np.float32)[[2, 3, 0, 1]]
    constants = {"flat": np.array([-1, pixels], np.int64), "scale": np.float32(255), "quarters": quadrants(shape),
                 "axis": np.array([1], np.int64), "turned": turned}  # fmt: skip
    nodes = [
        helper.make_node("Reshape", ["images", "flat"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["numbers", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "quarters"], ["brightness"]),
        helper.make_node("MatMul", ["brightness", "turned"], ["upside_down"]),
    ]
    for index, member in enumerate(MEMBERS):
        constants[f"sharp{index}"] = np.float32(member["sharpness"])
        source = "upside_down" if member["name"] == "upside down" else "brightness"
        nodes += [
            helper.make_node("Mul", [source, f"sharp{index}"], [f"logits{index}"]),
            helper.make_node("Softmax", [f"logits{index}"], [f"said{index}"], axis=-1),
            helper.make_node("Unsqueeze", [f"said{index}", "axis"], [f"row{index}"]),
        ]
    nodes += [
        helper.make_node("Concat", [f"row{index}" for index in range(len(MEMBERS))], ["members"], axis=1),
        helper.make_node("ReduceMean", ["members", "axis"], ["probabilities"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "quarters",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *shape])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 4]),
            helper.make_tensor_value_info("members", TensorProto.FLOAT, ["batch", len(MEMBERS), 4]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    said = {}
    if about != "":
        own = dict(about) if isinstance(about, dict) else metadata(shape)
        if not sealed:
            own.pop("checksum", None)
        said["toile"] = about if isinstance(about, str) else json.dumps(own)
    if with_samples is not None:
        said["toile-samples"] = with_samples if isinstance(with_samples, str) else json.dumps(with_samples)
    helper.set_model_props(model, said | ({checksum.KEY: checksum.EMPTY} if sealed else {}))
    path.write_bytes(checksum.seal(model.SerializeToString()) if sealed else model.SerializeToString())
    return path


@dataclass
class Server:
    """A `toile serve` in a process of its own."""

    address: str
    process: subprocess.Popen
    client: httpx.Client

    @property
    def place(self) -> tuple[str, int]:
        """(host, port), for whoever speaks to it without HTTP."""
        url = urlsplit(self.address)
        return url.hostname, url.port

    def metric(self, line: str) -> float:
        """The value of a line of /metrics, given as it begins."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(one.rpartition(" ")[2]) for one in lines if one.startswith(line))

    def raw(self, *pieces: bytes) -> bytes:
        """Everything that comes back for these bytes, until the server hangs up."""
        with socket.create_connection(self.place, timeout=30) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    connection.settimeout(30)
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionError:
                pass
            return answer


@contextmanager
def serving(export: Path, *options: str, files: int | None = None) -> Iterator[Server]:
    """Start the command on a free port, stop it by SIGTERM; it must end well, and never have told of a mistake of its own.

    Args:
        files: how many the system lets it open.
    """
    command = [sys.executable, "-m", "toile.cli", "serve", str(export), "--port", "0", *options]
    if files is not None:
        command = ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", *command]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = process.stderr.readline()
        assert "http://" in said, said
        address = re.search(r"http://\S+", said).group()
        with httpx.Client(base_url=address, timeout=30) as client:
            yield Server(address, process, client)
    finally:
        process.terminate()
        rest = process.communicate(timeout=60)[1]
    assert rest == "", rest
    assert process.returncode == 0, process.returncode
