"""One training, from a trial to a run: `python -m toile.learners.train trial.json store/`.

It runs in a process of its own: Keras fixes its backend when it is imported, memory comes back when the process ends, and
local processes and cluster workers start it the same way. Standard output carries one JSON object a line (`event`:
"waiting", "epoch", "done", "failed"); everything the libraries say goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toile.errors import ToileError
from toile.evaluation.metrics import progress_metrics
from toile.learners import checkpoint, recipe, record
from toile.learners.learner import ClassicalLearner, KerasLearner, ScratchLearner, learner
from toile.learners.process import end_with_parent
from toile.store.store import Store
from toile.study.trial import Trial


def train(trial: Trial, store: Store, *, threads: int, say: Any, also: Sequence[int] = ()) -> str:
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
        started = record.now()
        made = learner(trial, store)
        if isinstance(made, ClassicalLearner):
            _fit(work / "run", trial, made, started, threads)
            store.commit(fingerprint)
            return fingerprint
        parts, model = made.parts, made.model
        progress = checkpoint.Progress(recipe.Patience(trial.recipe.early_stopping))
        checkpoint.restore(work / "checkpoint.npz", model, made.optimizer, progress)
        progress.sessions.append({"started": started, "from_epoch": progress.epochs, "threads": threads})

        images, steps = len(parts.train), recipe.steps_per_epoch(len(parts.train), trial.recipe.batch_size)
        while progress.epochs < trial.recipe.epochs and not progress.patience.exhausted:
            epoch = progress.epochs
            made.begin(epoch)
            learning_rates = recipe.learning_rates(trial.recipe, epoch, steps)
            begun = time.perf_counter()
            sums = made.engine.epoch(recipe.order(trial.seed, epoch, images), learning_rates)
            seconds = time.perf_counter() - begun
            figures = {"epoch": epoch + 1, "learning_rate": float(learning_rates[0]), **sums.figures(images)}
            # The loss is of before each step; the last step of an epoch shows only in the weights.
            if not all(np.isfinite(values).all() for values in (figures["loss"], *model.get_weights())):
                raise ToileError(f"the loss is not a number in epoch {epoch + 1}: try a smaller learning rate")
            if parts.validation is not None:
                validation = progress_metrics(made.engine.predict(parts.validation.images), parts.validation.labels)
                figures |= {f"validation_{name}": value for name, value in validation.items()}
            figures["seconds"] = seconds
            progress.history.append(figures)
            if progress.patience.improved(epoch + 1, figures) and progress.patience.spec.restore_best:
                progress.best = model.get_weights()
            if progress.epochs in also:
                shorter = _with_epochs(trial, progress.epochs)
                with store.claim(shorter.fingerprint, waiting=lambda: say("waiting")) as beside:
                    if not store.get(shorter.fingerprint):
                        _finish(beside / "run", shorter, made, progress, threads)
                        store.commit(shorter.fingerprint)
            checkpoint.save(work / "checkpoint.npz", model, made.optimizer, progress)
            say("epoch", epochs=trial.recipe.epochs, images_per_second=images / seconds, **figures)

        _finish(work / "run", trial, made, progress, threads)
        store.commit(fingerprint)
    return fingerprint


def _fit(folder: Path, trial: Trial, made: ClassicalLearner, started: str, threads: int) -> None:
    """Fit a classical model, which has no epochs, and write its run. A calibration is part of the fit, and of its time."""
    begun = time.perf_counter()
    made.fit()
    figures = {"epoch": 1, "seconds": time.perf_counter() - begun}
    sessions = [{"started": started, "from_epoch": 0, "threads": threads}]
    record.write(folder, trial, made, checkpoint.Progress(recipe.Patience(None), [figures], sessions=sessions), threads)


def _finish(
    folder: Path, trial: Trial, made: KerasLearner | ScratchLearner, progress: checkpoint.Progress, threads: int
) -> None:
    """Write the run that the training is now; what goes on training stays as it is.

    Where the optimizer averages weights (`use_ema`), the averages are what was trained; as in Keras's `fit`, the best
    epoch's weights go before them.
    """
    kept = made.model.get_weights()
    made.finalize()
    if progress.best is not None:
        made.model.set_weights(progress.best)
    record.write(folder, trial, made, progress, threads)
    made.model.set_weights(kept)


def _with_epochs(trial: Trial, epochs: int) -> Trial:
    recipe_too = trial.recipe.model_copy(update={"epochs": epochs})
    # Not `model_copy` of the trial, which would copy its cached fingerprint too.
    return Trial(**{name: getattr(trial, name) for name in Trial.model_fields} | {"recipe": recipe_too})


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the worker process."""
    parser = argparse.ArgumentParser(prog="python -m toile.learners.train", description=__doc__.splitlines()[0])
    parser.add_argument("trial", type=Path, help="a trial's canonical JSON")
    parser.add_argument("store", type=Path)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    parser.add_argument("--also", default="", help="smaller numbers of epochs to commit on the way, as 25,50")
    parser.add_argument("--attached", action="store_true", help="end when standard input closes")
    options = parser.parse_args(arguments)
    if options.attached:
        end_with_parent()
    events = sys.stdout

    def say(event: str, **fields: Any) -> None:
        print(json.dumps({"event": event, **fields}), file=events, flush=True)

    # Whatever prints must not get between the events.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            trial = Trial.parse(options.trial.read_text("utf-8"))
            os.environ.setdefault("KERAS_BACKEND", trial.backend)
            also = [int(epochs) for epochs in options.also.split(",") if epochs]
            say("done", fingerprint=train(trial, Store(options.store), threads=options.threads, say=say, also=also))
        except ToileError as error:
            say("failed", error=str(error))
            return 1
        except Exception:
            traceback.print_exc()
            say("failed", error=traceback.format_exc(limit=0).strip())
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
