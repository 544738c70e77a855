"""Facts about a training that do not decide its result: versions, machine, commit, memory."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

from toile.version import DISTRIBUTION

_BACKEND_PACKAGES = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "jax": ("jax", "jaxlib"), "torch": ("torch",)}


def collect(backend: str) -> dict[str, Any]:
    """`backend`, `versions`, `machine`, `commit` (None outside of a checkout) and `peak_memory_mb` of this process (None where
    the system does not tell)."""
    packages = (DISTRIBUTION, "keras", "numpy", "scikit-learn", *_BACKEND_PACKAGES[backend])
    return {
        "backend": backend,
        "versions": versions(*packages),
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "commit": _commit(),
        "peak_memory_mb": _peak_memory(),
    }


def device(backend: str) -> tuple[Literal["cpu", "gpu"], str]:
    """What Keras computes on in this process, and what the backend's library calls it, as "NVIDIA H100 80GB HBM3".

    The process opens the device, and keeps it to its end.
    """
    if backend == "tensorflow":
        import tensorflow as tf

        if not (found := tf.config.list_physical_devices("GPU")):
            return "cpu", "cpu"
        return "gpu", tf.config.experimental.get_device_details(found[0]).get("device_name", "GPU")
    if backend == "jax":
        import jax  # pyright: ignore[reportMissingImports]: there with the extra

        first = jax.devices()[0]
        return ("cpu" if first.platform == "cpu" else "gpu"), first.device_kind
    import torch  # pyright: ignore[reportMissingImports]: there with the extra
    from keras import ops

    ours: Any = ops.zeros(())
    if ours.device.type == "cuda":
        return "gpu", torch.cuda.get_device_name(ours.device)
    return ("cpu" if ours.device.type == "cpu" else "gpu"), ours.device.type


def versions(*packages: str) -> dict[str, str]:
    """Of Python, and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@cache
def _commit() -> str | None:
    """The commit of toile's own checkout, with "+" behind it if the tree differs from it; asked for once a process."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) not in here.parents or not git("ls-files", str(here)):
            return None
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", str(here)) else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _peak_memory() -> float | None:
    """Megabytes. Linux counts in kibibytes, macOS in bytes; Windows has no such module."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
