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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from toile.data.splits import Parts, split
from toile.errors import ToileError
from toile.evaluation.metrics import evaluate, progress_metrics
from toile.learners import architectures, checkpoint, provenance, recipe
from toile.learners.engines import engine
from toile.learners.process import end_with_parent
from toile.store import atomic
from toile.store.store import Store
from toile.study.trial import Trial


def train(trial: Trial, store: Store, *, threads: int, say: Any) -> str:
    """Train what `trial` says, from the last checkpoint if there is one, and commit the run to `store`.

    Args:
        threads: how many this process was started with; recorded.
        say: called with an event's name and its fields.

    Returns:
        The fingerprint.

    Raises:
        ToileError: the loss is not a number, or the data set is not in the store.
    """
    fingerprint = trial.fingerprint
    with store.claim(fingerprint, waiting=lambda: say("waiting")) as work:
        if store.get(fingerprint):
            return fingerprint
        started = _now()
        parts = split(store.dataset(trial.dataset.content), trial.split, trial.fold)

        import keras

        keras.utils.set_random_seed(trial.seed)
        if trial.recipe.precision == "bfloat16":
            keras.config.set_dtype_policy("mixed_bfloat16")
        model = architectures.build(
            trial.architecture.name, trial.dataset.image_shape, trial.dataset.classes, trial.architecture.options
        )
        optimizer = recipe.optimizer(trial.recipe)
        batch_size = trial.recipe.batch_size
        learner = engine(
            trial.backend,
            model,
            optimizer,
            parts.train.images,
            parts.train.labels,
            batch_size=batch_size,
            label_smoothing=trial.recipe.label_smoothing,
        )
        progress = checkpoint.Progress(recipe.Patience(trial.recipe.early_stopping))
        checkpoint.restore(work / "checkpoint.npz", model, optimizer, progress)
        progress.sessions.append({"started": started, "from_epoch": progress.epochs, "threads": threads})

        images, steps = len(parts.train), recipe.steps_per_epoch(len(parts.train), batch_size)
        while progress.epochs < trial.recipe.epochs and not progress.patience.exhausted:
            epoch = progress.epochs
            recipe.reseed(model, trial.seed, epoch)
            learning_rates = recipe.learning_rates(trial.recipe, epoch, steps)
            begun = time.perf_counter()
            sums = learner.epoch(recipe.order(trial.seed, epoch, images), learning_rates)
            seconds = time.perf_counter() - begun
            figures = {"epoch": epoch + 1, "learning_rate": float(learning_rates[0]), **sums.figures(images)}
            # The loss is of before each step; the last step of an epoch shows only in the weights.
            if not all(np.isfinite(values).all() for values in (figures["loss"], *model.get_weights())):
                raise ToileError(f"the loss is not a number in epoch {epoch + 1}: try a smaller learning rate")
            if parts.validation is not None:
                validation = progress_metrics(learner.predict(parts.validation.images), parts.validation.labels)
                figures |= {f"validation_{name}": value for name, value in validation.items()}
            figures["seconds"] = seconds
            progress.history.append(figures)
            if progress.patience.improved(epoch + 1, figures) and progress.patience.spec.restore_best:
                progress.best = model.get_weights()
            checkpoint.save(work / "checkpoint.npz", model, optimizer, progress)
            say("epoch", epochs=trial.recipe.epochs, images_per_second=images / seconds, **figures)

        # Where the optimizer averages weights (`use_ema`), the averages are what was trained; as in Keras's `fit`, the best
        # epoch's weights go before them.
        optimizer.finalize_variable_values(model.trainable_variables)
        if progress.best is not None:
            model.set_weights(progress.best)
        _write_run(work / "run", trial, model, learner, parts, progress, threads)
        store.commit(fingerprint)
    return fingerprint


def _write_run(
    folder: Path, trial: Trial, model: Any, learner: Any, parts: Parts, progress: checkpoint.Progress, threads: int
) -> None:
    """All files of a finished run."""
    probabilities, metrics, evaluate_seconds = {}, {}, {}
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        if part is not None:
            begun = time.perf_counter()
            probabilities[name] = learner.predict(part.images)
            evaluate_seconds[name] = time.perf_counter() - begun
            metrics[name] = evaluate(probabilities[name], part.labels)
    train_seconds = sum(row["seconds"] for row in progress.history)
    (folder / "trial.json").write_text(trial.canonical() + "\n", "utf-8")
    columns = list(progress.history[0])
    rows = [",".join(repr(row[column]) for column in columns) for row in progress.history]
    (folder / "history.csv").write_text("\n".join([",".join(columns), *rows]) + "\n", "utf-8")
    np.savez(folder / "probabilities.npz", **probabilities)
    model.save(folder / "model.keras")
    atomic.write_json(folder / "metrics.json", metrics)
    facts = {
        "parameters": model.count_params(),
        "trainable_parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
        "epochs_run": progress.epochs,
        "best_epoch": progress.patience.best_epoch or None,
        "images": parts.counts(),
        "seconds": {"train": train_seconds, "evaluate": evaluate_seconds.get("test", sum(evaluate_seconds.values()))},
        "images_per_second": progress.epochs * len(parts.train) / train_seconds,
        "threads": threads,
        "sessions": progress.sessions,
        "started": progress.sessions[0]["started"],
        "finished": _now(),
        **provenance.collect(trial.backend),
    }
    atomic.write_json(folder / "provenance.json", facts)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the worker process."""
    parser = argparse.ArgumentParser(prog="python -m toile.learners.train", description=__doc__.splitlines()[0])
    parser.add_argument("trial", type=Path, help="a trial's canonical JSON")
    parser.add_argument("store", type=Path)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
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
            say("done", fingerprint=train(trial, Store(options.store), threads=options.threads, say=say))
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
