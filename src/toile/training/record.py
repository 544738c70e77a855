"""What a finished training leaves: the files of its run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from toile.arrays import Probabilities
from toile.evaluation.metrics import evaluate
from toile.store import atomic
from toile.study.trial import Trial
from toile.training import provenance
from toile.training.checkpoint import Progress

# Images that are predicted untimed, before the first that are timed.
WARM_UP = 256

if TYPE_CHECKING:
    from toile.training.learner import Learner


def write(
    folder: Path,
    trial: Trial,
    learner: Learner,
    progress: Progress,
    threads: int,
    said: Mapping[str, Probabilities] = MappingProxyType({}),
) -> None:
    """Write all files of a run to `folder`.

    Args:
        said: what the learner, as it is, has said already, by part.

    Raises:
        OSError: the disk is full, or not writable; it names a file, or the folder.
    """
    with atomic.named(folder):
        _write(folder, trial, learner, progress, threads, said)


def _write(
    folder: Path, trial: Trial, learner: Learner, progress: Progress, threads: int, said: Mapping[str, Probabilities]
) -> None:
    parts = learner.parts
    probabilities, metrics, evaluate_seconds = {}, {}, {}
    timed = "test" if parts.test is not None and len(parts.test) else "validation"
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        if part is not None and len(part):
            if not probabilities and name not in said:  # what is built at the first call is no part of an image's time
                learner.engine.predict(part.images[:WARM_UP])
            start = time.perf_counter()
            probabilities[name] = said[name] if name in said and name != timed else learner.engine.predict(part.images)
            evaluate_seconds[name] = time.perf_counter() - start + learner.backbone_seconds * len(part)
            metrics[name] = evaluate(probabilities[name], part.labels)
    if trial.learner != "classical":
        # As Keras's `evaluate` after a training has it: without dropout, and without what augmentation made of the images. Of
        # classical models it is left out: a support vector machine takes minutes to answer for what it was fitted to.
        train = evaluate(learner.engine.predict(parts.train.images), parts.train.labels)
        metrics = {"train": train | ({"penalty": learner.penalty()} if learner.penalty() else {}), **metrics}
    train_seconds = sum(row["seconds"] for row in progress.history)
    (folder / "trial.json").write_text(trial.canonical() + "\n", "utf-8")
    columns = list(progress.history[0])
    rows = [",".join(repr(row[column]) for column in columns) for row in progress.history]
    (folder / "history.csv").write_text("\n".join([",".join(columns), *rows]) + "\n", "utf-8")
    np.savez(folder / "probabilities.npz", **probabilities)
    model_facts = learner.save(folder)
    atomic.write_json(folder / "metrics.json", metrics)
    facts = {
        **model_facts,
        "epochs_run": progress.epochs,
        "best_epoch": progress.patience.best_epoch or None,
        "images": parts.counts(),
        "form": parts.dataset.form.plain() if parts.dataset.form else None,
        "seconds": {
            # A frozen backbone sees the images once, before the epochs. It may have been for another trial: it counts for each.
            "train": train_seconds + learner.backbone_seconds * len(parts.train),
            "evaluate": evaluate_seconds.get(timed, 0.0),
            **({"backbone": learner.backbone_seconds * len(parts.train)} if learner.backbone_seconds else {}),
        },
        "images_per_second": progress.epochs * len(parts.train) / train_seconds,
        "threads": threads,
        "device": provenance.device(trial.backend)[1] if trial.learner == "keras" else "cpu",
        "sessions": progress.sessions,
        "started": progress.sessions[0]["started"],
        "finished": now(),
        **provenance.collect(trial.backend),
    }
    atomic.write_json(folder / "provenance.json", facts)


def now() -> str:
    """The time, as provenance has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
