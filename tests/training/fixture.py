"""A small store with real digits, trials over it, and processes that train them.

A training in pytest's own process leaves TensorFlow's graphs behind, some megabytes each, for as long as the process lives.
`elsewhere` runs a function, and with it its trainings, in a process that ends with it.
"""

from __future__ import annotations

import importlib.util
import io
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from toile.data.dataset import Dataset
from toile.data.sources import digits
from toile.models import architectures
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec
from toile.study.recipe.recipe import RecipeSpec
from toile.study.trial import Trial, TrialArchitecture, TrialDataset
from toile.training.train import train
from toile.workers.process import environment

TRAIN, TEST = 200, 60

OTHER_BACKENDS = [
    pytest.param(
        name,
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed"),
        ],
    )
    for name in ("jax", "torch")
]
ALL_BACKENDS = ["tensorflow", *OTHER_BACKENDS]

# Everything that has a state of its own: dropout's generators, batch normalisation's averages, Adam's moments.
STATEFUL = {"filters": [4], "strides": 2, "order": "conv norm pool dropout", "dropout": 0.3, "dense": [8], "dense_dropout": 0.2}


@cache
def dataset() -> Dataset:
    """The first of the built-in digits: 200 to train on (of which a split takes its share) and 60 to test."""
    whole = digits.load()
    return Dataset("digits", whole.train[:TRAIN], whole.test[:TEST], whole.class_names)


def make_store(folder: Path) -> Store:
    store = Store(folder)
    store.prepare()
    store.keep(dataset(), DatasetSpec(name="digits"))
    return store


def make_trial(
    architecture: str = "mlp", options: dict[str, Any] | None = None, *, seed: int = 0, backend: str = "tensorflow",
    validation: float = 0.2, **recipe: Any,
) -> Trial:  # fmt: skip
    """A trial over the digits of `dataset`; `recipe` as a study file would have it."""
    data, module = dataset(), architectures.load(architecture)
    return Trial(
        dataset=TrialDataset(content=data.content, classes=data.classes, image_shape=data.image_shape),
        split=SplitSpec(validation=validation),
        architecture=TrialArchitecture(
            name=architecture, options=architectures.complete(architecture, options or {}), revision=module.REVISION
        ),
        recipe=RecipeSpec.model_validate({"epochs": 2, "batch_size": 32, **recipe}),
        seed=seed,
        backend=backend,
    )


# On Linux each process is a fork of one that has loaded TensorFlow and computed nothing.
_PROCESSES = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
_PROCESSES.set_forkserver_preload(["keras", "toile.training.engines.tensorflow", __name__])


@cache
def _one_by_one() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=_PROCESSES, max_tasks_per_child=1)


def elsewhere(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a function returns or raises in a process of its own. All must be picklable."""
    return _one_by_one().submit(function, *arguments, **options).result()


class Interrupted(BaseException):
    """What a training does not expect."""


def train_here(trial: Trial, store: Store, stop_after: int | None = None, **more: Any) -> list[dict[str, Any]]:
    """Train in this process; all events. `stop_after` ends it as a signal would, between an epoch and the next."""
    said = []

    def say(event: str, **fields: Any) -> None:
        said.append({"event": event, **fields})
        if event == "epoch" and fields["epoch"] == stop_after:
            raise Interrupted

    try:
        train(trial, store, threads=1, say=say, **more)
    except Interrupted:
        pass
    else:
        assert stop_after is None
    return said


def train_elsewhere(trial: Trial, store: Store, stop_after: int | None = None, **more: Any) -> list[dict[str, Any]]:
    """The same in a process of its own."""
    return elsewhere(train_here, trial, store, stop_after, **more)


def _train_and_die(trial: Trial, root: Path, epoch: int) -> None:
    def say(event: str, **fields: Any) -> None:
        if event == "epoch" and fields["epoch"] == epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    train(trial, Store(root), threads=1, say=say)


def train_and_die(trial: Trial, store: Store, epoch: int) -> None:
    """Train in a process that is killed after so many epochs. (A kill from outside may come an epoch later.)"""
    process = _PROCESSES.Process(target=_train_and_die, args=(trial, store.root, epoch))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@contextmanager
def worker(trial: Trial, store: Store) -> Iterator[subprocess.Popen]:
    """The worker process as the local executor starts it: attached by its standard input. Killed if it is left running."""
    path = store.root / f"{trial.fingerprint}.json"
    path.write_text(trial.canonical(), "utf-8")
    command = [sys.executable, "-m", "toile.workers.train", str(path), str(store.root), "--attached", "--threads", "1"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=environment(trial.backend, 1),
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def events(process: subprocess.Popen) -> Iterator[dict[str, Any]]:
    """What a worker says, as it says it. Every line has to be an event."""
    for line in process.stdout:
        yield json.loads(line)


def work(trial: Trial, store: Store) -> list[dict[str, Any]]:
    """Train in a process of its own, to its end; all its events."""
    with worker(trial, store) as process:
        return list(events(process))


def python(code: str, *arguments: str | Path, backend: str = "tensorflow", ends: int = 0) -> str:
    """What a fresh interpreter prints that runs `code`, which may import from `tests`.

    Args:
        ends: the exit status that it has to have.
    """
    prelude = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + code, *map(str, arguments)],
        env=environment(backend, 1), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ends, done.stderr
    return done.stdout


def weights(path: Path) -> list[np.ndarray]:
    """All weights of a stored model."""
    import keras

    return keras.models.load_model(path, compile=False).get_weights()


def _content(path: Path) -> dict[str, bytes]:
    """All arrays of a stored model by their names in its file, which is read without Keras."""
    found = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with zipfile.ZipFile(path) as model, h5py.File(io.BytesIO(model.read("model.weights.h5"))) as file:
        file.visititems(keep)
    return found


def assert_same_result(store: Store, other: Store, trial: Trial) -> None:
    """Bit by bit the same run in both stores: probabilities, weights, history (but for the seconds that it took)."""
    run, twin = store.get(trial.fingerprint), other.get(trial.fingerprint)
    for split in ("validation", "test"):
        assert run.probabilities(split).tobytes() == twin.probabilities(split).tobytes()
    ours = _content(run.model_path)
    assert ours and ours == _content(twin.model_path)
    assert [{**row, "seconds": 0} for row in run.history] == [{**row, "seconds": 0} for row in twin.history]
    assert run.trial == twin.trial


def some_images(shape: tuple[int, int, int], count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def counted(model: Any) -> int:
    """Multiplications of convolutions and dense layers, from the shapes that Keras computed."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            total += math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    return total
