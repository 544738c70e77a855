"""The machine: what it is, and how fast it can be at best."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.harness.measure import Side, in_fresh_process
from toile.runner.executors.local import cores
from toile.training.provenance import collect
from toile.workers.device import seen

_WIDTH = 4096  # of the square matrices: large enough that arithmetic is all
_TIMES = 4


def facts() -> dict[str, Any]:
    """What was measured on: `machine`, `cores`, `versions`, `commit`, `load`, `gpu` if there is one, and `peak_gflops`.

    `gpu` is what JAX, else PyTorch, calls the one that it sees; then the peak is that GPU's where PyTorch is installed.
    `load` is how many processes wanted a core during the last minute: others were there too if it is not about 0.
    """
    load = round(os.getloadavg()[0], 2)  # before the product keeps all cores busy
    fastest = in_fresh_process(Side(peak))
    gpus = [found.name for found in map(seen, ("jax", "torch")) if found.device == "gpu"]
    backends = [collect(backend) for backend in ("tensorflow", "jax", "torch")]
    return {
        "machine": backends[0]["machine"],
        "cores": cores(),
        "versions": {package: version for found in backends for package, version in found["versions"].items()},
        "commit": backends[0]["commit"],
        "load": load,
        **({"gpu": gpus[0]} if gpus else {}),
        "peak_gflops": {precision: fastest[precision] for precision in ("float32", "bfloat16") if precision in fastest},
    }


def peak() -> dict[str, float]:
    """Billions of operations a second of a large matrix product on all cores: the best of the libraries that are installed.

    Returns:
        `float32` and `bfloat16`. An addition and a multiplication are two operations.
    """
    products: dict[str, list[Callable[[], Any]]] = {"float32": [], "bfloat16": []}
    if importlib.util.find_spec("tensorflow"):
        import tensorflow as tf

        for precision, kinds in products.items():
            ours = tf.ones((_WIDTH, _WIDTH), precision)
            kinds.append(lambda ours=ours: tf.matmul(ours, ours).numpy())
    if importlib.util.find_spec("torch"):
        import torch

        on = "cuda" if torch.cuda.is_available() else "cpu"
        for precision, kinds in products.items():
            theirs = torch.ones((_WIDTH, _WIDTH), dtype=getattr(torch, precision), device=on)
            # A number of it is read, because a GPU only begins when it is called.
            kinds.append(lambda theirs=theirs: (theirs @ theirs)[0, 0].item())
    return {precision: 2 * _WIDTH**3 / min(map(_seconds, kinds)) / 1e9 for precision, kinds in products.items() if kinds}


def _seconds(call: Callable[[], Any]) -> float:
    """The shortest of a few calls, after one that is not counted."""
    call()
    times = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)
