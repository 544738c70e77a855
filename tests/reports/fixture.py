"""A small study with made figures, written as run folders: what the tests of `reports` look at."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from toile.committee.diversity import mean_of_members
from toile.data.audits.audit import audit
from toile.data.dataset import Dataset, Images
from toile.evaluation.calibrators import Calibration
from toile.evaluation.metrics import evaluate
from toile.reports.results.result import ChoiceResult, CommitteeResult, MemberResult, TrialResult
from toile.reports.results.study import StudyResults
from toile.store.run import Run
from toile.study.spec import StudySpec

NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
MODELS = ("model-1", "model-2", "model-3")
# The lines of a sweep, which the study has if one of its models is among them.
SWEPT = ("width: dropout=0.0", "width: dropout=0.1", "width: dropout=0.2")
WIDTH = {"name": "width", "architecture": "cnn", "grid": {"architecture": {"dropout": [0.0, 0.1, 0.2]}}}
PUBLISHED = {
    "model-1": {"loss": 0.3093, "accuracy": 0.9017, "precision": 0.9090, "recall": 0.8965},
    "model-2": {"loss": 0.5277, "accuracy": 0.8048, "precision": 0.8609, "recall": 0.7516},
    "model-3": {"loss": 0.4954, "accuracy": 0.8162, "precision": 0.8804, "recall": 0.7496},
}


LOSSES = {"loss": 0.5, "nested": 0.51, "test": 0.6}
PATH = tuple(
    {"members": min(pick, 3), "accuracy": 0.8} | {name: most - pick / 100 for name, most in LOSSES.items()}
    for pick in range(1, 11)
)
CHOSEN = {
    "calibration": Calibration("temperature", {"temperature": 1.25}),
    "fitted_on": "160 validation images",
    "choice": ChoiceResult(7, PATH, 10, 0.01),
}


def make_images(count: int, seed: int, classes: int = 10) -> Images:
    """Blurred blobs, one place a class, in order of label 0, 1, … again and again."""
    random, labels = np.random.default_rng(seed), np.arange(count) % classes
    y, x = np.mgrid[0:28, 0:28]
    angle = 2 * np.pi * labels / classes
    centre_y, centre_x = 14 + 7 * np.sin(angle), 14 + 7 * np.cos(angle)
    distance = (y - centre_y[:, None, None]) ** 2 + (x - centre_x[:, None, None]) ** 2
    pixels = 230 * np.exp(-distance / 30) + random.normal(0, 12, (count, 28, 28))
    return Images(np.clip(pixels, 0, 255).astype(np.uint8)[..., None], labels.astype(np.int64))


def make_probabilities(labels: np.ndarray, seed: int, skill: float, classes: int = 10) -> np.ndarray:
    """`(images, classes)` float32; greater skill is more often right. Neighbouring classes are mixed up most."""
    random = np.random.default_rng(seed)
    scores = random.normal(0, 1, (len(labels), classes))
    scores[np.arange(len(labels)), labels] += skill
    scores[np.arange(len(labels)), (labels + 2) % classes] += 0.6
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)


def write_run(store: Path, trial: dict[str, Any], labels: dict[str, np.ndarray], seed: int, skill: float) -> Run:
    folder = store / hashlib.sha256(json.dumps(trial, sort_keys=True).encode()).hexdigest()
    folder.mkdir(parents=True)
    classes = trial["dataset"]["classes"]
    probabilities = {split: make_probabilities(of, seed + len(of), skill, classes) for split, of in labels.items()}
    np.savez(folder / "probabilities.npz", **probabilities)
    metrics = {split: evaluate(probabilities[split], labels[split]) for split in labels}
    metrics = {"train": {"accuracy": 0.95 + 0.01 * (seed % 3), "loss": 0.15, "images": 640}, **metrics}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "trial.json").write_text(json.dumps(trial, sort_keys=True))
    epochs = 6 + 4 * seed
    with (folder / "history.csv").open("w", newline="") as file:
        rows = []
        for epoch in range(1, epochs + 1):
            row: dict[str, float] = {"epoch": epoch, "learning_rate": 0.001}
            for before, rate in (("", 0.35), ("validation_", 0.25)):
                left = np.exp(-rate * epoch) * (1 + 0.05 * np.sin(epoch + seed))
                row |= {
                    f"{before}loss": 0.3 + 1.5 * left,
                    f"{before}accuracy": 0.92 - 0.5 * left,
                    f"{before}precision": 0.94 - 0.4 * left,
                    f"{before}recall": 0.9 - 0.6 * left,
                }
            rows.append(row | {"seconds": 1.5})
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    provenance = {
        "parameters": 298_058 // (1 + seed),
        "trainable_parameters": 298_058 // (1 + seed) - 448 * (seed == 2),
        "epochs_run": epochs,
        "seconds": {"train": 61.3 * (1 + seed), "evaluate": 0.82},
        "images_per_second": 9120.4 / (1 + seed),
        "threads": 1,
        "versions": {"python": "3.12.3", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6", "toile": "0.1.0"},
        "machine": {"system": "Linux 6.8", "processor": "x86_64", "cores": 2},
        "commit": "0123456789abcdef",
        "started": f"2024-05-06T07:0{seed}:08.123456+00:00",
        "finished": f"2024-05-06T07:1{seed}:08.987654+00:00",
        "peak_memory_mb": 812.5 + seed,
        "backend": "tensorflow",
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    write_model(folder / "model.keras", 32 >> seed % 3)
    return Run(folder)


def write_model(path: Path, units: int) -> None:
    """A `.keras` file of a small model, as Keras writes it: an image, a dense layer, and its softmax."""

    def given(name: str, shape: list[int | None]) -> list[dict[str, Any]]:
        tensor = {
            "class_name": "__keras_tensor__",
            "config": {"shape": shape, "dtype": "float32", "keras_history": [name, 0, 0]},
        }
        return [{"args": [tensor], "kwargs": {}}]

    layers = [
        {"class_name": "InputLayer", "config": {"name": "images"}, "inbound_nodes": []},
        {"class_name": "Flatten", "config": {"name": "flatten"}, "inbound_nodes": given("images", [None, 28, 28, 1])},
        {
            "class_name": "Dense",
            "config": {"name": "logits", "units": units, "activation": "linear"},
            "inbound_nodes": given("flatten", [None, 784]),
        },
        {"class_name": "Softmax", "config": {"name": "probabilities"}, "inbound_nodes": given("logits", [None, units])},
    ]
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = np.zeros((784, units)), np.zeros(units)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": layers}}))
        file.writestr("model.weights.h5", weights.getvalue())


def make_results(
    folder: Path,
    names: tuple[str, ...] = NAMES,
    models: tuple[str, ...] = MODELS,
    missing: tuple[str, ...] = (),
    dataset: str = "fashion-mnist",
    train: int = 800,
    test: int = 500,
    committee: bool = True,
    title: str = "A committee of three CNNs",
    lines: Mapping[str, str] = MappingProxyType({}),
    folds: bool = False,
    comparisons: Sequence[dict[str, Any]] = (),
    chosen: bool = False,
) -> StudyResults:
    """Results of a study of `models`, those in `missing` not run yet, written under `folder`.

    Args:
        lines: the line of a model, if it is not the model itself.
        folds: whether models of one line are its folds.
        chosen: whether there is a second committee, one that was chosen and calibrated.
    """
    classes = len(names)
    data = Dataset(dataset, make_images(train, 1, classes), make_images(test, 2, classes), names)
    labels = {"validation": data.train.labels[-train // 5 :], "test": data.test.labels}
    trials, optimizers = [], ("adam", "sgd", "adagrad")
    for index, name in enumerate(models):
        trial = {
            "format": 1,
            "dataset": {"content": data.content, "classes": classes, "image_shape": [28, 28, 1]},
            "split": {"method": "tail", "validation": 0.2},
            "fold": index if folds else None,
            "learner": "keras",
            "architecture": {
                "name": "cnn",
                "options": {"filters": [32, 64][: 1 + index % 2], "kernel": 3, "dense": [256], "dropout": 0.25 * (index % 3)},
                "revision": 1,
            },
            "recipe": {
                "optimizer": {"name": optimizers[index % 3], "options": {"learning_rate": 0.001, "weight_decay": None}},
                "schedule": {"name": "hold-then-decay", "hold": 10, "factor": 0.9048374180359595},
                "epochs": 20,
                "batch_size": 16 << index % 3,
                "label_smoothing": 0.0,
                "early_stopping": {"patience": 5, "monitor": "loss", "min_delta": 0.0, "restore_best": False},
                "precision": "float32",
            },
            "seed": index // 3,
            "backend": "tensorflow",
        }
        stored = name not in missing
        run = write_run(folder, trial, labels, index, 4.2 - 0.4 * (index % 4)) if stored else None
        published = {"test": PUBLISHED[name], "epochs_run": 11, "parameters": 298_058} if name in PUBLISHED else {}
        fingerprint = run.fingerprint if run else hashlib.sha256(name.encode()).hexdigest()
        trials.append(TrialResult(name, fingerprint, trial, published, run, lines.get(name, name)))
    committees = []
    if committee and not missing:
        probabilities = np.mean([trial.run.probabilities("test") for trial in trials], axis=0, dtype=np.float64)
        committees.append(
            CommitteeResult(
                "average of all",
                tuple(MemberResult(one.name, one.line, {one.name: one.run}, one.test) for one in trials),
                "mean",
                None,
                probabilities.astype(np.float32),
                evaluate(probabilities, data.test.labels),
                mean_of_members([trial.test for trial in trials]),
                {"test": {"loss": 0.4441, "accuracy": 0.8409, "precision": 0.8835, "recall": 0.7992}},
            )
        )
        if chosen:
            before = probabilities.astype(np.float32)
            committees.append(replace(committees[0], name="chosen of all", uncalibrated=before, **CHOSEN))
    study = StudySpec.model_validate(
        {
            "title": title,
            "question": "Is a committee that averages the probabilities of three diverse networks better than its members?",
            "dataset": "fashion-mnist",
            "sweep": [WIDTH] if set(SWEPT) & set(models) else [],
            "comparison": comparisons,
        }
    )
    return StudyResults(study, "committee", data, audit(data), data.test, tuple(trials), tuple(committees))
