"""On a GPU: toile on JAX beside Keras `fit` on JAX and PyTorch; many trainings as one program; a kill; a short record.

Written for one GPU and a quarter of an hour, where TensorFlow need not be installed. It runs on a CPU too, and then says
nothing of a GPU. The first word of a case's name is its piece, which `--only` takes:

    works      `toile run committee` on JAX and on PyTorch, with one worker and with two that share the memory; whether a
               process that has loaded the library may be forked, and one that has computed may not; a GPU that is asked for
               and hidden
    resume     how far the weights of a training that was killed and gone on with are from those of one that was left alone,
               and how far two are from each other that were both left alone, which is the device's own noise
    many       trainings of one shape, stacked by `vmap` into one program, beside the same program for one after the other
    speed      images a second of the five reference models of `benchmarks.train`, one training at a time on every side
    speedrun   trainings of the study of that name on JAX: accuracy on 10,000 validation images, after the last epoch

On the sides of `many` and `speed` the first epoch does not count: it compiles.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.measure import Case, Side
from benchmarks.train import BFLOAT16, FLOAT32, REFERENCES, alone, keras_fit, planned, toile_run, torch_loop
from toile.workers.process import environment

BACKENDS = ("jax", "torch")
SMALL = ("ANN", "strided CNN", "1 convolution")
STACKED = ("ANN", "strided CNN")
COUNTS = (5, 25, 100)


def cases(quick: bool) -> list[Case]:
    """All pieces, in the order in which a short time is best spent."""
    return [*_runs(quick), *_resumes(quick), *_many(quick), *_speed(quick), *_speedrun(quick)]


def _runs(quick: bool) -> list[Case]:
    work = {"fraction": 0.005, "epochs_scale": 0.05} if quick else {"fraction": 0.2, "epochs_scale": 0.25}
    found = []
    for backend in BACKENDS:
        sides = {"toile": Side(committee, {"backend": backend, **work})}
        if not quick:
            sides["two workers"] = Side(committee, {"backend": backend, "workers": 2, **work})
        found.append(Case(f"works: committee, {backend}", sides))
        found.append(Case(f"works: guard, {backend}", {"toile": Side(guard, {"backend": backend}, backend=backend, threads=1)}))
    return found


def _resumes(quick: bool) -> list[Case]:
    work = {"name": "strided CNN" if quick else "deeper", "images": 256 if quick else 12_800, "epochs": 2 if quick else 4}
    return [
        Case(f"resume: {work['name']}, {backend}", {"toile": Side(resumed, {"backend": backend, **work}, backend=backend)},
             figure="largest_difference")
        for backend in BACKENDS
    ]  # fmt: skip


def _many(quick: bool) -> list[Case]:
    found = []
    for name in STACKED[: 1 if quick else None]:
        for count in (2,) if quick else COUNTS:
            work = {"name": name, "count": count, "images": 64 if quick else 12_800, "epochs": 1 if quick else 2}
            found.append(Case(
                f"many: {name}, {count} trainings",
                {"stacked": Side(together, work | {"stacked": True}, backend="jax"),
                 "one after the other": Side(together, work | {"stacked": False}, backend="jax")},
                figure="images_per_second", more_is_better=True, target=None if quick else 5.0,
            ))  # fmt: skip
    return found


def _speed(quick: bool) -> list[Case]:
    found = []
    for precision in (FLOAT32,) if quick else (FLOAT32, BFLOAT16):
        for name in STACKED[:1] if quick else REFERENCES:
            work = {"name": name, "images": 64 if quick else 24_000, "epochs": 1 if quick else 2, "precision": precision}
            sides = {
                "toile, JAX": Side(toile_run, work | {"backend": "jax", "seeds": 1}),
                "Keras fit, JAX": Side(keras_fit, work, backend="jax"),
                "PyTorch": Side(torch_loop, work),
                "PyTorch, compiled": Side(torch_loop, work | {"compiled": True}),
            }
            if quick:
                del sides["PyTorch, compiled"]  # which takes a compiler and half a minute of a core
            target = {"Keras fit, JAX": 10.0} if name in SMALL else dict.fromkeys(list(sides)[1:], 1.0)
            found.append(Case(
                f"speed: {name}, {precision}", sides, figure="images_per_second", more_is_better=True,
                target=None if quick else target,
            ))  # fmt: skip
    return found


def _speedrun(quick: bool) -> list[Case]:
    trials = ("three epochs",) if quick else ("ten epochs", "thirty epochs")
    return [
        Case(f"speedrun: {trial}, seed {seed}", {"toile, JAX": Side(record, {"trial": trial, "seed": seed, "quick": quick})},
             figure="validation_accuracy", more_is_better=True)
        for trial in trials for seed in range(1 if quick else 3)
    ]  # fmt: skip


def committee(backend: str, fraction: float, epochs_scale: float, workers: int | None = None) -> dict[str, float]:
    """The packaged study with another backend, by the command line.

    Returns:
        `runs`, how many it left, and `on_cpu`, how many of them say that they were trained on a processor.
    """
    from toile.store.store import Store

    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as folder:
        study = Path(folder) / "committee.toml"
        text = (resources.files("toile.studies") / "committee.toml").read_text("utf-8")
        study.write_text(f'backend = "{backend}"\n{text}', "utf-8")
        more = ["--workers", str(workers)] if workers else []
        _toile("run", study, "--store", folder, "--fraction", fraction, "--epochs-scale", epochs_scale, *more)
        devices = [run.provenance["device"] for run in Store(Path(folder)).runs()]
    return {"runs": len(devices), "on_cpu": sum(name == "cpu" for name in devices)}


def guard(backend: str) -> dict[str, float]:
    """What the fork server sees, and what a GPU that is hidden gives.

    Returns:
        `safe_after_imports`, 1 if workers are forked; `safe_after_computing`, which has to be 0 on a GPU; and `refused`, 1 if
        `--device gpu` ended with the error that it should.
    """
    from toile.training.provenance import device
    from toile.workers.forkserver import server

    server.load("keras")
    before = server.safe()
    device(backend)
    code = "import sys; from toile.runner.executors.local import Local; Local(on='gpu', backend=sys.argv[1])"
    hidden = subprocess.run(
        [sys.executable, "-c", code, backend], env=environment(backend, 1, "cpu"), capture_output=True, text=True, check=False
    )
    refused = "the device 'gpu' is asked for" in hidden.stderr
    return {"safe_after_imports": before, "safe_after_computing": server.safe(), "refused": refused}


def resumed(name: str, backend: str, images: int, epochs: int) -> dict[str, float]:
    """Three trainings of one trial, of which one is killed after half of its epochs and gone on with.

    Returns:
        `largest_difference` of its weights to the first, `of_two_left_alone` the same for the second, and `equal_bits`.
    """
    from toile.models import stored
    from toile.runner import run as runs
    from toile.store import atomic

    found = []
    for killed in (False, False, True):
        with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as folder:
            plan = planned(name, images, epochs, FLOAT32, backend, folder, seeds=1)
            trial = plan.trials[0].trial
            if killed:
                plan.store.prepare()
                plan.store.keep(plan.dataset, plan.requested)
                path = Path(folder) / "killed.json"
                atomic.write(path, trial.canonical())
                code = "import sys; from benchmarks.gpu import die; die(sys.argv[1], sys.argv[2], int(sys.argv[3]))"
                command = [sys.executable, "-c", code, str(path), folder, str(epochs // 2)]
                done = subprocess.run(command, env=environment(backend, 1), capture_output=True, text=True, check=False)
                if done.returncode != -signal.SIGKILL:
                    raise RuntimeError(f"it was not killed: {done.stderr[-2000:]}")
            runs.run(plan)
            run = plan.run_of(plan.trials[0])
            if len(run.provenance["sessions"]) != 1 + killed:
                raise RuntimeError("it was not gone on with")
            found.append(stored.load(run.model).get_weights())
    first, second, third = found
    return {
        "largest_difference": _difference(first, third), "of_two_left_alone": _difference(first, second),
        "equal_bits": all(one.tobytes() == other.tobytes() for one, other in zip(first, third, strict=True)),
    }  # fmt: skip


def die(path: str, root: str, epoch: int) -> None:
    """Train, and be killed after `epoch`. (From outside, a kill may come an epoch later.)"""
    from toile.store.store import Store
    from toile.study.trial import Trial
    from toile.training.train import train

    def say(event: str, **fields: Any) -> None:
        if event == "epoch" and fields["epoch"] == epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    train(Trial.parse(Path(path).read_text("utf-8")), Store(Path(root)), threads=1, say=say)


def together(name: str, count: int, images: int, epochs: int, stacked: bool) -> dict[str, float]:
    """So many trainings that differ in their seed, on toile's engine for JAX.

    Returns:
        `images_per_second` of all together, `first_seconds` of the epoch that compiles, and, where they are stacked,
        `largest_difference`: of the first one's weights after that epoch to those that it has alone.
    """
    import jax
    import jax.numpy as jnp

    from benchmarks.harness.engines import made
    from toile.models import architectures
    from toile.training import recipe

    reference = REFERENCES[name]
    ready = made(reference.study, reference.trial, images // reference.batch_size)
    images = ready.images
    engine, size = ready.engine, ready.line.recipe.batch_size
    trained = engine.training_model
    kept = (trained.trainable_variables, trained.non_trainable_variables, engine.optimizer.variables)
    states = []
    for seed in range(count):
        ready.model.set_weights(architectures.build(*ready.built).get_weights())
        recipe.reseed(trained, seed, 0)
        states.append(tuple([jnp.array(variable.value) for variable in variables] for variables in kept))
    steps = images // size
    rates = jnp.asarray(recipe.learning_rates(ready.line.recipe, 0, steps))

    def orders(epoch: int) -> list[np.ndarray]:
        return [recipe.order(seed, epoch, images).reshape(steps, size) for seed in range(count)]

    one_alone = jax.jit(engine.scan)
    many = jax.jit(jax.vmap(engine.scan, in_axes=(0, 0, None)))
    expected = one_alone(states[0], jnp.asarray(orders(0)[0]), rates)[0][0] if stacked else None
    state: Any = jax.tree.map(lambda *values: jnp.stack(values), *states) if stacked else states
    seconds, difference = [], {}
    for epoch in range(1 + epochs):
        order = orders(epoch)
        begun = time.perf_counter()
        if stacked:
            state = many(state, jnp.asarray(np.stack(order)), rates)[0]
        else:
            state = [one_alone(one, jnp.asarray(its), rates)[0] for one, its in zip(state, order, strict=True)]
        jax.block_until_ready(state)
        seconds.append(time.perf_counter() - begun)
        if expected is not None and epoch == 0:
            ours = [np.asarray(values[0]) for values in state[0]]
            difference = {"largest_difference": _difference(ours, [np.asarray(values) for values in expected])}
    speed = count * images * epochs / sum(seconds[1:])
    return {"images_per_second": speed, "first_seconds": seconds[0], **difference}


def record(trial: str, seed: int, quick: bool) -> dict[str, float]:
    """A training of the study `speedrun` on JAX, on 50,000 images; nothing of the test images is read.

    Returns:
        `validation_accuracy` after the last epoch, `training_seconds` with what the first epoch compiles, and
        `images_per_second`.
    """
    from toile import studies
    from toile.runner import run as runs

    loaded = studies.load("speedrun", "digits" if quick else None)
    [line] = (one for one in loaded.spec.trial if one.name == trial)
    if quick:  # a network of the same kind, which a CPU compiles in seconds
        small = {"stem": 4, "widths": [4], "blocks": 1}
        line = line.model_copy(update={"architecture": line.architecture.model_copy(update={"options": small})})
    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as folder:
        plan = alone(
            loaded, line, {"epochs": 1} if quick else {}, backend="jax", folder=folder, seeds=(seed,), validation=1 / 6,
            images=300 if quick else None,
        )  # fmt: skip
        runs.run(plan)
        run = plan.run_of(plan.trials[0])
        return {
            "validation_accuracy": run.metrics["validation"]["accuracy"],
            "training_seconds": run.provenance["seconds"]["train"],
            "images_per_second": run.provenance["images_per_second"],
        }


def _toile(*arguments: object) -> None:
    """A command of toile's, in a process of its own.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    command = [sys.executable, "-m", "toile.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])


def _difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    return max(float(np.abs(one - other).max()) for one, other in zip(ours, theirs, strict=True))
