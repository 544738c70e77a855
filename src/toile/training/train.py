"""One training, from a trial to a run. `toile.workers.train` is the process that it runs in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toile.errors import ToileError
from toile.evaluation.metrics import progress_metrics
from toile.store import atomic
from toile.store.store import Store
from toile.study.trial import Trial
from toile.training import checkpoint, recipe, record
from toile.training.learner import ClassicalLearner, EpochLearner, make_learner


def train(trial: Trial, store: Store, *, threads: int, say: Callable[..., None], also: Sequence[int] = ()) -> str:
    """Train what `trial` says, from the last checkpoint if there is one, and commit the run to `store`.

    Args:
        threads: how many this process was started with; recorded.
        say: called with an event's name and its fields.
        also: smaller numbers of epochs. The same trial with so many is committed as a run of its own on the way.

    Returns:
        The fingerprint.

    Raises:
        ToileError: the loss is not a number, or the store has not the data set or the run that the trial begins with.
    """
    fingerprint = trial.fingerprint
    with store.claim(fingerprint, waiting=lambda: say("waiting")) as work:
        if store.get(fingerprint):
            return fingerprint
        atomic.write(work / "trial.json", trial.canonical())  # which says what is needed, to who looks for garbage
        started = record.now()
        learner = make_learner(trial, store)
        if isinstance(learner, ClassicalLearner):
            _fit(work / "run", trial, learner, started, threads)
            store.commit(fingerprint)
            return fingerprint
        parts, model = learner.parts, learner.model
        progress = checkpoint.Progress(recipe.Patience(trial.recipe.early_stopping))
        checkpoint.restore(work / "checkpoint.npz", model, learner.optimizer, progress)
        progress.sessions.append({"started": started, "from_epoch": progress.epochs, "threads": threads})

        images, steps = len(parts.train), recipe.steps_per_epoch(len(parts.train), trial.recipe.batch_size)
        while progress.epochs < trial.recipe.epochs and not progress.patience.exhausted:
            epoch = progress.epochs
            learner.begin(epoch)
            learning_rates = recipe.learning_rates(trial.recipe, epoch, steps, progress.history)
            start = time.perf_counter()
            sums = learner.engine.epoch(recipe.order(trial.seed, epoch, images), learning_rates)
            seconds = time.perf_counter() - start
            figures = {"epoch": epoch + 1, "learning_rate": float(learning_rates[0]), **sums.figures(images)}
            # The loss is of before each step; the last step of an epoch shows only in the weights.
            if not all(np.isfinite(values).all() for values in (figures["loss"], *model.get_weights())):
                raise ToileError(f"the loss is not a number in epoch {epoch + 1}: try a smaller learning rate")
            if parts.validation is not None:
                validation = progress_metrics(learner.engine.predict(parts.validation.images), parts.validation.labels)
                figures |= {f"validation_{name}": value for name, value in validation.items()}
            figures["seconds"] = seconds
            progress.history.append(figures)
            stopping = trial.recipe.early_stopping
            if progress.patience.improved(epoch + 1, figures) and stopping is not None and stopping.restore_best:
                progress.best = model.get_weights()
            if progress.epochs in also:
                shorter = _with_epochs(trial, progress.epochs)
                with store.claim(shorter.fingerprint, waiting=lambda: say("waiting")) as beside:
                    if not store.get(shorter.fingerprint):
                        atomic.write(beside / "trial.json", shorter.canonical())
                        _finish(beside / "run", shorter, learner, progress, threads)
                        store.commit(shorter.fingerprint)
            checkpoint.save(work / "checkpoint.npz", model, learner.optimizer, progress)
            say("epoch", epochs=trial.recipe.epochs, images_per_second=images / seconds, **figures)

        _finish(work / "run", trial, learner, progress, threads)
        store.commit(fingerprint)
    return fingerprint


def _fit(folder: Path, trial: Trial, learner: ClassicalLearner, started: str, threads: int) -> None:
    """Fit a classical model, which has no epochs, and write its run. A calibration is part of the fit, and of its time."""
    start = time.perf_counter()
    learner.fit()
    figures = {"epoch": 1, "seconds": time.perf_counter() - start}
    sessions = [{"started": started, "from_epoch": 0, "threads": threads}]
    record.write(folder, trial, learner, checkpoint.Progress(recipe.Patience(None), [figures], sessions=sessions), threads)


def _finish(folder: Path, trial: Trial, learner: EpochLearner, progress: checkpoint.Progress, threads: int) -> None:
    """Write the run that the training is now; what goes on training stays as it is.

    Where the optimizer averages weights (`use_ema`), the averages are what was trained; as in Keras's `fit`, the best
    epoch's weights go before them.
    """
    kept = learner.model.get_weights()
    learner.finalize()
    if progress.best is not None:
        learner.model.set_weights(progress.best)
    record.write(folder, trial, learner, progress, threads)
    learner.model.set_weights(kept)


def _with_epochs(trial: Trial, epochs: int) -> Trial:
    recipe_too = trial.recipe.model_copy(update={"epochs": epochs})
    # Not `model_copy` of the trial, which would copy its cached fingerprint too.
    fields: dict[str, Any] = {name: getattr(trial, name) for name in Trial.model_fields}
    fields["recipe"] = recipe_too
    return Trial(**fields)
