"""Searches over the digits of `tests.training.fixture`, and runs that nobody trained, with figures made up from the trial."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from tests.store.fixture import fill
from tests.training.fixture import dataset
from toile.data.dataset import Images
from toile.data.splits import split
from toile.evaluation.metrics import evaluate
from toile.reports.results.summary import plain
from toile.runner import plan as plans
from toile.runner.plan import PlannedTrial
from toile.search.searched import Searched, searched
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


def make_study(
    epochs: int = 9, space: dict[str, Any] = SPACE, recipe: dict[str, Any] | None = None, **search: Any
) -> StudySpec:
    """A study of a search alone."""
    recipe = {"epochs": epochs, **(recipe or {})}
    return StudySpec.model_validate(
        {"title": "made", "dataset": "digits", "recipe": recipe, "search": {"space": space, **search}}
    )


def make_search(store: Store, study: StudySpec) -> Searched:
    """Its plan, with the search as far as the store knows it."""
    return searched(plans.make(study, "made", study.dataset, dataset(), store))


def imagine(store: Store, planned: PlannedTrial, seconds: float = 1.0) -> None:
    """Store a run of the trial: its accuracy on the validation images is drawn by what it is, and rises with the epochs."""
    if store.get(planned.fingerprint):
        return
    epochs, digest = planned.trial.recipe.epochs, hashlib.sha256(planned.trial.first(1).canonical().encode()).digest()
    # So many of the 40 validation images are right, each with its own choice of the others; of the test images too.
    share = 1 - (1 + digest[0] / 256) / (2 + epochs)
    parts = {name: _said(part.labels, share, digest) for name, part in _parts(planned).items()}
    with store.claim(planned.fingerprint) as work:
        fill(work / "run")
        np.savez(work / "run" / "probabilities.npz", **parts)
        (work / "run" / "trial.json").write_text(planned.trial.canonical(), "utf-8")
        rows = "".join(f"{epoch + 1},{seconds}\n" for epoch in range(epochs))
        (work / "run" / "history.csv").write_text("epoch,seconds\n" + rows, "utf-8")
        facts = {"images_per_second": 100.0, "seconds": {"train": seconds * epochs, "evaluate": 0.0}, "parameters": 1000}
        atomic.write_json(work / "run" / "provenance.json", facts)
        figures = {name: evaluate(said, _parts(planned)[name].labels) for name, said in parts.items()}
        atomic.write_json(work / "run" / "metrics.json", plain(figures))
        store.commit(planned.fingerprint)


def _parts(planned: PlannedTrial) -> dict[str, Images]:
    parts = split(dataset(), planned.trial.split, planned.trial.fold)
    return {"validation": parts.validation, "test": parts.test}


def _said(labels: np.ndarray, share: float, digest: bytes) -> np.ndarray:
    """Probabilities that are right on a share of the images, others for each digest."""
    order = np.random.default_rng(list(digest)).permutation(len(labels))
    choice = np.where(order < round(share * len(labels)), labels, (labels + 1) % 10)
    return np.where(np.arange(10) == choice[:, None], 0.82, 0.02).astype(np.float32)
