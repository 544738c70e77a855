"""A benchmark whose figures are known: what its sides do is not the matter, the harness is."""

from __future__ import annotations

import os


def known(speed: float, fails: bool = False) -> dict[str, float]:
    print("what a library says on standard output")
    if fails:
        raise ValueError("no such thing")
    return {"speed": speed, "process": os.getpid(), "threads": float(os.environ.get("OMP_NUM_THREADS", 0))}


def torch_parameters(name: str) -> dict[str, float]:
    """What the rival in PyTorch has to learn; asked for in a process of its own, because PyTorch takes 200 MB for good."""
    from torch.nn import Sequential

    from benchmarks.rivals import torch_models

    theirs = Sequential(*torch_models.MODELS[name]())
    averages = [buffer for buffer in theirs.buffers() if buffer.is_floating_point()]
    return {"parameters": sum(tensor.numel() for tensor in (*theirs.parameters(), *averages))}
