"""What training processes compute on: a CPU or a GPU.

`python -m toile.workers.device BACKEND` is the process that asks: whoever asks opens the GPU, and keeps some of its memory.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from toile.errors import Misuse, ToileError, nearest
from toile.workers.process import environment

Device = Literal["cpu", "gpu"]
DEVICES: tuple[Device, ...] = get_args(Device)
# How the files begin by which Linux gives a GPU to a process: NVIDIA's, AMD's, any graphics card's, Windows's in its Linux.
FILES = ("/dev/nvidia", "/dev/kfd", "/dev/dri", "/dev/dxg")
_HOW = {
    "tensorflow": 'tensorflow-cpu, which toile brings, knows no GPU; write `backend = "jax"` in the study',
    "jax": '`pip install -U "jax[cuda13]"` installs the JAX for NVIDIA\'s',
    "torch": "https://pytorch.org/get-started/locally names the PyTorch for yours",
}


class Seen(NamedTuple):
    """What Keras takes on a backend: a CPU or a GPU, and what the backend's library calls it."""

    device: Device
    name: str


def device(asked: Device | None, backend: str | None) -> Seen:
    """What trainings on a backend compute on.

    Args:
        asked: by the user; None for a GPU where the backend's library sees one.
        backend: Keras's; None where nothing is trained by Keras, which needs no GPU.

    Raises:
        Misuse: `asked` is no device.
        ToileError: a GPU is asked for and there is none.
    """
    if asked is not None and asked not in DEVICES:
        raise Misuse(f"unknown device {asked!r}{nearest(asked, DEVICES)}; known: {', '.join(DEVICES)}")
    if asked == "cpu" or backend is None:
        return Seen("cpu", "")
    found = seen(backend)
    if asked == "gpu" and found.device != "gpu":
        raise ToileError(
            f"the device 'gpu' is asked for, and {backend} sees none here: {found.name or 'no GPU'}. {_HOW[backend]}; "
            "`--device cpu` trains on the processor"
        )
    return found


@cache
def seen(backend: str) -> Seen:
    """What a training process on `backend` would compute on.

    A child process is asked, once; none where the system has no GPU. A library that is not installed, or that fails when it
    opens the GPU, sees none, and `name` says why.
    """
    if sys.platform == "linux" and not any(str(file).startswith(FILES) for file in Path("/dev").iterdir()):
        return Seen("cpu", "no GPU on this machine")
    if backend == "tensorflow":
        with suppress(importlib.metadata.PackageNotFoundError):
            return Seen("cpu", f"tensorflow-cpu {importlib.metadata.version('tensorflow-cpu')}")
    done = subprocess.run(
        [sys.executable, "-m", __name__, backend], env=environment(backend, 1), capture_output=True,
        encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        return Seen("cpu", (done.stderr.strip().splitlines() or ["it ended without a word"])[-1])
    return Seen(*json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    from toile.training import provenance

    print("\n" + json.dumps(provenance.device(sys.argv[1])))
