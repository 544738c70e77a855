"""Searches over the digits of `tests.training.fixture`, and runs that nobody trained, with figures made up from the trial.

`carried_out` makes the runs in whatever order, and `Imagined` in the threads of an executor, with checkpoints.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.store.fixture import fill
from tests.training.fixture import dataset
from toile.data.parts.splits import split
from toile.evaluation.metrics import evaluate
from toile.reports.results.summary import plain
from toile.runner.events import Event
from toile.runner.executors.executor import Executor
from toile.runner.executors.needs import CHECKPOINT
from toile.runner.jobs import Job
from toile.runner.plans import plan as plans
from toile.runner.plans.planned import PlannedTrial
from toile.search.searched import Searched, searched
from toile.search.walk import Walk
from toile.store import atomic
from toile.store.store import Store
from toile.study.spec import StudySpec

SPACE = {
    "architecture": {"name": ["mlp", "cnn", "logistic-regression"], "dropout": {"low": 0.0, "high": 0.5}},
    "recipe": {
        "batch_size": [32, 64, 128],
        "optimizer": {
            "name": ["adam", "sgd"], "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}, "momentum": [0.0, 0.9],
        },
    },
}  # fmt: skip


# Numbers that every proposal has, as CMA-ES and the Gaussian process want them.
NUMBERS = {
    "architecture": {"name": ["mlp"], "dropout": {"low": 0.0, "high": 0.5}},
    "recipe": {
        "optimizer": {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}, "batch_size": {"low": 16, "high": 128},
    },
}  # fmt: skip


def make_study(
    epochs: int = 9,
    space: dict[str, Any] = SPACE,
    recipe: dict[str, Any] | None = None,
    study: dict[str, Any] | None = None,
    **search: Any,
) -> StudySpec:
    """A study of a search alone."""
    content = {"title": "made", "dataset": "digits", "baselines": False, "recipe": {"epochs": epochs, **(recipe or {})}}
    return StudySpec.model_validate({**content, "search": {"space": space, **search}, **(study or {})})


def make_search(store: Store, study: StudySpec) -> Searched:
    """Its plan, with the search as far as the store knows it."""
    return searched(plans.make(study, "made", study.dataset, dataset(), store))


def imagine(store: Store, planned: PlannedTrial, seconds: float = 1.0, begun: int = 0) -> None:
    """Store a run of the trial: its accuracy on the validation images is drawn by what it is, and rises with the epochs.

    Args:
        seconds: that an epoch took.
        begun: of how many epochs there was a checkpoint.
    """
    if store.get(planned.fingerprint):
        return
    epochs = planned.trial.recipe.epochs
    if planned.fingerprint not in _MADE:
        _MADE[planned.fingerprint] = _made_up(planned)
    parts, figures = _MADE[planned.fingerprint]
    with store.claim(planned.fingerprint) as work:
        fill(work / "run")
        np.savez(work / "run" / "probabilities.npz", **parts)
        (work / "run" / "trial.json").write_text(planned.trial.canonical(), "utf-8")
        rows = "".join(f"{epoch + 1},{seconds}\n" for epoch in range(epochs))
        (work / "run" / "history.csv").write_text("epoch,seconds\n" + rows, "utf-8")
        facts = {"images_per_second": 100.0, "seconds": {"train": seconds * epochs, "evaluate": 0.0}, "parameters": 1000}
        facts["sessions"] = [{"from_epoch": begun}]
        atomic.write_json(work / "run" / "provenance.json", facts)
        atomic.write_json(work / "run" / "metrics.json", figures)
        store.commit(planned.fingerprint)


# By fingerprint, as most are made several times: probabilities of each part, and figures.
_MADE: dict[str, tuple[dict[str, np.ndarray], dict[str, Any]]] = {}


def _made_up(planned: PlannedTrial) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    epochs, digest = planned.trial.recipe.epochs, hashlib.sha256(planned.trial.first(1).canonical().encode()).digest()
    # So many of the 40 validation images are right, each with its own choice of the others; of the test images too.
    share, cut = 1 - (1 + digest[0] / 256) / (2 + epochs), split(dataset(), planned.trial.split, planned.trial.fold)
    labels = {"validation": cut.validation.labels, "test": cut.test.labels}
    parts = {name: _said(of, share, digest) for name, of in labels.items()}
    return parts, plain({name: evaluate(parts[name], of) for name, of in labels.items()})


def carried_out(
    store: Store,
    study: StudySpec,
    choose: Callable[[list[int]], int] = lambda open_: open_[0],
    again: Callable[[], bool] = lambda: False,
    seconds: float = 1.0,
) -> Walk:
    """The walk of a search whose trainings end in the order of `choose`; `again` says when it is begun anew."""
    walk = make_search(store, study).walk
    while open_ := walk.advance():
        for one in walk.trials(choose(open_)):
            imagine(store, one, seconds)
        if again():
            walk = make_search(store, study).walk
    assert walk.ended
    return walk


class ImaginedWorker:
    """In place of `toile.runner.executors.local.Worker`: a thread that counts epochs, with a checkpoint after each, and
    makes the run up.

    A training with the learning rate 1e30 has a loss that is no number, in its first epoch.
    """

    died = False

    def __init__(self, job: Job, store: Store, events: queue.Queue[Event], starter: object = None) -> None:
        self.job, self.store, self.events = job, store, events
        events.put(job.event("started"))
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        checkpoint, last = self.store.work(self.job.fingerprint) / CHECKPOINT, self.job.trials[-1]
        if last.trial.recipe.optimizer.options.get("learning_rate") == 1e30:
            self.events.put(self.job.event("failed", error="the loss is nan", diverged=1))
            return
        begun = int(checkpoint.read_text()) if checkpoint.is_file() else 0
        for epoch in range(begun + 1, last.trial.recipe.epochs + 1):
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(checkpoint, str(epoch))
            facts = {"epochs": last.trial.recipe.epochs, "loss": 1.0, "accuracy": 0.5, "images_per_second": 100.0}
            self.events.put(self.job.event("epoch", epoch=epoch, **facts))
        imagine(self.store, last, begun=begun)
        self.events.put(self.job.event("done", fingerprint=last.fingerprint))

    def close(self) -> None:
        self.thread.join()

    stop = close


class Imagined(Executor):
    """Two at once."""

    slots = 2

    def start(self, job: Job, store: Store, events: queue.Queue[Event]) -> ImaginedWorker:
        return ImaginedWorker(job, store, events)


def said(walk: Walk) -> list[tuple[str, int, float]]:
    """The steps of a walk, and what came of them."""
    return [
        (walk.proposals[step.proposal].said, step.rung, outcome.value)
        for step, outcome in zip(walk.steps, walk.outcomes, strict=True)
    ]


def _said(labels: np.ndarray, share: float, digest: bytes) -> np.ndarray:
    """Probabilities that are right on a share of the images, others for each digest."""
    order = np.random.default_rng(list(digest)).permutation(len(labels))
    choice = np.where(order < round(share * len(labels)), labels, (labels + 1) % 10)
    return np.where(np.arange(10) == choice[:, None], 0.82, 0.02).astype(np.float32)
