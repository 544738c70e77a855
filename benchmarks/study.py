"""A whole study: `toile run ann-cnn-study`, beside the loops in plain Keras that its document has.

The study is reduced to a quarter of the training images and an eighth of the epochs (`--fraction 0.25 --epochs-scale 0.125`).
What is not reduced is the start of each training, which therefore weighs 32 times as much as in the whole study, on toile's
side (a fork, a compilation) as on the rival's (a compilation). The rival fits one model after the other with all cores, judges
it on the test images, and cross-validates as `cross_validate` and `GridSearchCV` do (without the fit on all images that the
latter adds at its end). toile also predicts the held-out images after every epoch, and stores everything.

The sides between say what each thing gives: without the planner's sharing (a training of 25 epochs is the beginning of one
of 200), then without packing too (one process at a time), which leaves the engine against `fit`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness.measure import Case, Side
from toile.study.reduction import Reduction

STUDY = "ann-cnn-study"
EPOCHS = (25, 50, 100, 200)  # of the document's first table
FIRST_TABLE = tuple(f"ann, {epochs} epochs" for epochs in EPOCHS)


def cases(quick: bool) -> list[Case]:
    """The study; its first table alone where `quick`."""
    reduced = {"fraction": 0.01, "epochs_scale": 0.02} if quick else {"fraction": 0.25, "epochs_scale": 0.125}
    work = {**reduced, "first_table": quick}
    sides = {
        "toile run": Side(toile_run, work),
        "without sharing": Side(toile_run, work | {"sharing": False}),
        "without sharing or packing": Side(toile_run, work | {"sharing": False, "workers": 1}),
        "Keras loops": Side(keras_loops, work),
    }
    name = "its first table" if quick else "the whole study"
    return [Case(f"{name}, {Reduction(**reduced)}", sides, target={"Keras loops": 5.0})]


def toile_run(
    fraction: float, epochs_scale: float, first_table: bool, sharing: bool = True, workers: int | None = None
) -> dict[str, float]:
    """`toile run` with as many workers as cores, or as many as are given.

    Returns:
        `trainings`, and `images` that they learned from, each as often as it was seen.
    """
    from toile import api
    from toile.runner import jobs
    from toile.runner.executors import executor
    from toile.runner.executors.local import Local
    from toile.runner.run import TrialsFailed

    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as folder:
        plan = api.plan(STUDY, store=Path(folder, "store"), fraction=fraction, epochs_scale=epochs_scale)
        pending = plan.pending(FIRST_TABLE if first_table else ())
        asked = jobs.jobs(pending) if sharing else [jobs.Job((one,)) for one in pending]
        plan.store.prepare()
        plan.store.keep(plan.dataset, plan.requested)
        with Local(workers) as place:
            errors = executor.execute(asked, plan.store, place, lambda event: None)
        if errors:
            raise TrialsFailed(errors, {one.fingerprint: one.name for one in pending})
    longest = [job.longest.trial for job in asked]
    return {
        "trainings": len(asked),
        "images": sum(plan.counts[trial.split]["train"] * trial.recipe.epochs for trial in longest),
    }  # fmt: skip


def keras_loops(fraction: float, epochs_scale: float, first_table: bool) -> dict[str, float]:
    """The document's cells, one after the other; returns what `toile_run` does."""
    import numpy as np
    from sklearn.model_selection import KFold

    from benchmarks.rivals.keras_models import convolutions, dense
    from toile.data import sources

    data, seen = sources.load("fashion-mnist"), []
    count = round(len(data.train) * fraction)
    x, y = data.train.images[:count].astype(np.float32) / 255, data.train.labels[:count]
    x_test, y_test = data.test.images.astype(np.float32) / 255, data.test.labels

    def fit(model: Any, epochs: int, batch_size: int = 32, train: Any = slice(None), held: Any = None) -> None:
        epochs = max(1, round(epochs * epochs_scale))
        model.fit(x[train], y[train], batch_size=batch_size, epochs=epochs, verbose=0)
        model.evaluate(*((x_test, y_test) if held is None else (x[held], y[held])), verbose=0)
        seen.append(len(y[train]) * epochs)

    def cross_validate(build: Callable[[], Any], folds: int, epochs: int, batch_size: int = 32) -> None:
        for train, held in KFold(folds).split(x):
            fit(build(), epochs, batch_size, train, held)

    for epochs in EPOCHS:
        fit(dense(256), epochs)
    if not first_table:
        for folds in (5, 10):
            cross_validate(lambda: dense(256), folds, epochs=25)
        for hidden in ((256, 128), (256, 128, 256)):
            fit(dense(*hidden), 50)
        for rate in (0.1, 0.2, 0.3):
            fit(dense(256, 128, dropout=rate), 50)
        for layers in (1, 2, 3):
            fit(convolutions(layers), 50)
        for batch_size in (10, 32):
            for optimizer in ("adam", "rmsprop"):
                cross_validate(lambda by=optimizer: dense(256, 128, optimizer=by), 5, 25, batch_size)
    return {"trainings": len(seen), "images": sum(seen)}
