"""One training, from a trial to a run. `toile.workers.train` is the process that it runs in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from toile.arrays import Probabilities
from toile.errors import ToileError
from toile.evaluation.metrics import progress_metrics
from toile.evaluation.predictions import NotProbabilities
from toile.store import atomic
from toile.store.store import Store
from toile.study.trial import Trial
from toile.training import checkpoint, recipe, record
from toile.training.learner import ClassicalLearner, EpochLearner, make_learner
from toile.training.teacher import Load, asked_of_none


class Diverged(ToileError):
    """The loss is not a number. It will not be one however often the trial is trained.

    Args:
        epoch: the first in which it is none, from 1.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        super().__init__(f"the loss is not a number in epoch {epoch}: try a smaller learning rate")


def train(
    trial: Trial,
    store: Store,
    *,
    threads: int,
    say: Callable[..., None],
    also: Sequence[int] = (),
    until: int | None = None,
    load: Load = asked_of_none,
) -> str:
    """Train what `trial` says, from the last checkpoint if there is one, and commit the run to `store`.

    Args:
        threads: how many this process was started with; recorded.
        say: called with an event's name and its fields.
        also: smaller numbers of epochs. The same trial with so many is committed as a run of its own on the way. (One that
            early stopping ends before it comes to so many is that run too.)
        until: end after so many epochs. The checkpoint stays, and another call goes on from there.
        load: makes the stored models of a teacher answer; needed by students.

    Returns:
        The fingerprint.

    Raises:
        Diverged: the loss is not a number.
        ToileError: the store has not the data set or a run that the trial begins with or learns from.
    """
    fingerprint = trial.fingerprint
    with store.claim(fingerprint, waiting=lambda: say("waiting")) as work:
        if store.get(fingerprint):
            return fingerprint
        atomic.write(work / "trial.json", trial.canonical())  # which says what is needed, to who looks for garbage
        for left in work.glob("checkpoint.npz.*.tmp"):  # of a process that was killed; nobody else writes it
            left.unlink(missing_ok=True)
        started = record.now()
        learner = make_learner(trial, store, load)
        if isinstance(learner, ClassicalLearner):
            _fit(work / "run", trial, learner, started, threads)
            store.commit(fingerprint)
            return fingerprint
        parts, model = learner.parts, learner.model
        progress = checkpoint.Progress(recipe.Patience(trial.recipe.early_stopping))
        checkpoint.restore(work / "checkpoint.npz", model, learner.optimizer, progress)
        progress.sessions.append({"started": started, "from_epoch": progress.epochs, "threads": threads})

        images, steps = len(parts.train), recipe.steps_per_epoch(len(parts.train), trial.recipe.batch_size)
        last = trial.recipe.epochs if until is None else min(until, trial.recipe.epochs)
        said: Probabilities | None = None
        while progress.epochs < last and not progress.patience.exhausted:
            epoch = progress.epochs
            learner.begin(epoch)
            learning_rates = recipe.learning_rates(trial.recipe, epoch, steps, progress.history)
            start = time.perf_counter()
            sums = learner.engine.epoch(recipe.epoch_order(trial.recipe, trial.seed, epoch, parts.train.labels), learning_rates)
            seconds = time.perf_counter() - start
            figures = {"epoch": epoch + 1, "learning_rate": float(learning_rates[0]), **sums.figures(images)}
            # The loss is of before each step; the last step of an epoch shows only in the weights.
            if not all(np.isfinite(values).all() for values in (figures["loss"], *model.get_weights())):
                raise Diverged(epoch + 1)
            if parts.validation is not None:
                said = learner.engine.predict(parts.validation.images)
                validation = progress_metrics(said, parts.validation.labels)
                if not np.isfinite(validation["loss"]):  # of weights that are finite, and whose products are not
                    raise Diverged(epoch + 1)
                figures |= {f"validation_{name}": value for name, value in validation.items()}
            figures["seconds"] = seconds
            progress.history.append(figures)
            stopping = trial.recipe.early_stopping
            if progress.patience.improved(epoch + 1, figures) and stopping is not None and stopping.restore_best:
                progress.best = model.get_weights()
            ended = progress.patience.exhausted
            for epochs in (one for one in also if one == progress.epochs or (ended and one > progress.epochs)):
                shorter = trial.first(epochs)
                with store.claim(shorter.fingerprint, waiting=lambda: say("waiting")) as beside:
                    if not store.get(shorter.fingerprint):
                        atomic.write(beside / "trial.json", shorter.canonical())
                        _finish(beside / "run", shorter, learner, progress, threads, said)
                        store.commit(shorter.fingerprint)
            checkpoint.save(work / "checkpoint.npz", model, learner.optimizer, progress)
            say("epoch", epochs=trial.recipe.epochs, images_per_second=images / seconds, **figures)

        if progress.epochs == trial.recipe.epochs or progress.patience.exhausted:
            _finish(work / "run", trial, learner, progress, threads, said)
            store.commit(fingerprint)
    return fingerprint


def _fit(folder: Path, trial: Trial, learner: ClassicalLearner, started: str, threads: int) -> None:
    """Fit a classical model, which has no epochs, and write its run. A calibration is part of the fit, and of its time."""
    start = time.perf_counter()
    learner.fit()
    figures = {"epoch": 1, "seconds": time.perf_counter() - start}
    sessions = [{"started": started, "from_epoch": 0, "threads": threads}]
    record.write(folder, trial, learner, checkpoint.Progress(recipe.Patience(None), [figures], sessions=sessions), threads)


def _finish(
    folder: Path,
    trial: Trial,
    learner: EpochLearner,
    progress: checkpoint.Progress,
    threads: int,
    said: Probabilities | None,
) -> None:
    """Write the run that the training is now; what goes on training stays as it is.

    Where the optimizer averages weights (`use_ema`), the averages are what was trained; as in Keras's `fit`, the best
    epoch's weights go before them.

    Args:
        said: of the validation images, by the weights as they are. Where these are what was trained, nobody is asked twice.
    """
    kept = learner.model.get_weights()
    learner.finalize()
    if progress.best is not None:
        learner.model.set_weights(progress.best)
    same = all(map(np.array_equal, kept, learner.model.get_weights()))
    try:
        record.write(folder, trial, learner, progress, threads, {"validation": said} if same and said is not None else {})
    except NotProbabilities as error:  # as above, where no validation images told of it
        raise Diverged(progress.epochs) from error
    learner.model.set_weights(kept)
