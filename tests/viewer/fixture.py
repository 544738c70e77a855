"""A `toile open` in a process of its own; trainings that only look as if they were at work; what a store is, file by file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from filelock import FileLock

from toile.runner.plans.planned import PlannedTrial
from toile.store import sealed
from toile.store.store import Store


@contextmanager
def opened(store: Path, *options: str, folder: Path | None = None) -> Iterator[httpx.Client]:
    """Start the command on a free port, stop it by SIGTERM; it must end well, and never have told of a mistake of its own."""
    command = [sys.executable, "-m", "toile.cli", "open", *options, "--store", str(store), "--port", "0", "--no-browser"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(store.parent / "cache")}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder or store.parent)
    try:
        said = process.stderr.readline()
        assert "http://" in said, said
        with httpx.Client(base_url=re.search(r"http://[^\s]+", said).group(), timeout=60) as client:
            yield client
    finally:
        process.terminate()
        rest = process.communicate(timeout=60)[1]
    assert rest == "", rest
    assert process.returncode == 0, process.returncode


def rows(epochs: int) -> list[dict[str, float]]:
    """A history that gets better."""
    return [
        {"epoch": epoch, "learning_rate": 0.001, "loss": 2 / epoch, "accuracy": 1 - 0.5 / epoch, "validation_loss": 2.2 / epoch,
         "validation_accuracy": 1 - 0.6 / epoch, "seconds": 2.0}
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip


def checkpoint(store: Store, fingerprint: str, epochs: int) -> None:
    """What a training leaves after so many epochs: its history, and weights, of which nothing is read here."""
    state: dict[str, Any] = {"history": rows(epochs), "sessions": [], "patience": [None, 0, 0]}
    arrays = {"state": np.frombuffer(json.dumps(state).encode(), np.uint8), "weights/0000": np.zeros((4, 4), np.float32)}
    content = io.BytesIO()
    np.savez(content, **arrays)
    with sealed.writing(store.work(fingerprint) / "checkpoint.npz") as file:
        file.write(content.getbuffer())


@contextmanager
def at_work(store: Store, planned: PlannedTrial, epochs: int) -> Iterator[None]:
    """A training that has done so many epochs and holds its claim."""
    folder = store.work(planned.fingerprint)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trial.json").write_text(planned.trial.canonical())
    if epochs:
        checkpoint(store, planned.fingerprint, epochs)
    with FileLock(store.work_folder / f"{planned.fingerprint}.lock"):
        yield


def everything(folder: Path) -> dict[str, tuple[int, str]]:
    """When each file was written, and what it is."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }
