"""A benchmark whose figures are known: what its sides do is not the matter, the harness is."""

from __future__ import annotations

import os


def known(speed: float, fails: bool = False) -> dict[str, float]:
    print("what a library says on standard output")
    if fails:
        raise ValueError("no such thing")
    return {"speed": speed, "process": os.getpid(), "threads": float(os.environ.get("OMP_NUM_THREADS", 0))}
