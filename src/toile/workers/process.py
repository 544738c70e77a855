"""The worker as a process: the environment it starts in, and how it ends when the one who started it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from toile.errors import ToileError, refused

# Set before the process starts, because the libraries read them when they are loaded.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

# Of several processes each takes of a GPU's memory what it needs, where JAX by itself takes three quarters at its start, and
# TensorFlow all. What the user has set goes before.
_SHARED_MEMORY = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
# What has a library leave a GPU alone.
_NO_GPU = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu"}

# The exit code of a process whose last line is an error meant for a person.
_SAID = 4


def environment(backend: str, threads: int, device: str | None = None) -> dict[str, str]:
    """The environment of a fresh process that runs Keras on `backend` with `threads` threads.

    The number of threads changes the order of sums and so the last bits of a result; it is pinned, and recorded.

    Args:
        device: "cpu" hides a GPU; else the library takes one where it sees one.
    """
    pinned = {variable: str(threads) for variable in _THREAD_VARIABLES}
    if backend == "jax" and threads == 1:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        pinned["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    return {
        **_SHARED_MEMORY,
        **os.environ,
        **pinned,
        **(_NO_GPU if device == "cpu" else {}),
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",  # else TensorFlow's greetings drown the last lines of a failure
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
    }


def finish(arguments: Sequence[str | Path], backend: str, failing: str) -> None:
    """Run Python with `arguments` in a fresh process with Keras on `backend`, one thread, to its end.

    Raises:
        ToileError: it failed; `failing` says what that means, and what it said of it by `say` follows, or its last lines.
    """
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        command, env=environment(backend, 1), capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-1 if done.returncode == _SAID else -5 :])
        raise ToileError(f"{failing}: {last}")


def say(error: ToileError | OSError) -> int:
    """For a process that `finish` runs: tell an error that is meant for a person, or of the system. Returns the exit code for
    it."""
    text = refused(error) if isinstance(error, OSError) else str(error)
    print(" ".join(text.split()), file=sys.stderr, flush=True)
    return _SAID


def end_with_parent() -> None:
    """End this process when its standard input closes.

    The parent holds the other end and never writes; the system closes it however the parent dies, SIGKILL included. What
    was checkpointed is safe, and nothing else is worth keeping.
    """

    def watch() -> None:
        # Not sys.stdin: a thread that waits in Python's own buffer aborts the interpreter's shutdown.
        while os.read(0, 1):
            pass
        os._exit(3)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
