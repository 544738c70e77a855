"""A run: the stored record of one executed trial, read from its folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from toile.arrays import Probabilities

FILES = ("trial.json", "history.csv", "metrics.json", "probabilities.npz", "provenance.json")
# The model is Keras's or, of classical models, skops's: scikit-learn without a pickle. A run has one of the two.
MODELS = ("model.keras", "model.skops")


def lacking(names: Collection[str]) -> list[str]:
    """What of a run's files is not among `names`."""
    model = [] if any(name in names for name in MODELS) else [" or ".join(MODELS)]
    return [name for name in FILES if name not in names] + model


@dataclass(frozen=True)
class Run:
    """One folder of the store, named by its trial's fingerprint. Files are read when first asked for."""

    folder: Path

    @property
    def fingerprint(self) -> str:
        return self.folder.name

    @property
    def model_path(self) -> Path:
        """The stored model, `model.keras` or `model.skops`."""
        return next(path for name in MODELS if (path := self.folder / name).is_file())

    def files(self) -> list[Path]:
        """All files of the run."""
        return [*(self.folder / name for name in FILES), self.model_path]

    @cached_property
    def trial(self) -> dict[str, Any]:
        return json.loads((self.folder / "trial.json").read_text("utf-8"))

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Split -> metric -> value, as `toile.evaluation.metrics.evaluate` gives them."""
        return json.loads((self.folder / "metrics.json").read_text("utf-8"))

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Facts that do not decide the result: versions, machine, threads, times, parameter counts."""
        return json.loads((self.folder / "provenance.json").read_text("utf-8"))

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """One dictionary an epoch: `epoch` (from 1), `learning_rate`, `loss`, `accuracy`, `precision`, `recall`,
        the same with `validation_` in front where there is a validation split, and `seconds`. A classical model is fitted
        in one piece: it has one row, with `epoch` and `seconds`."""
        with (self.folder / "history.csv").open(newline="", encoding="utf-8") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]

    def splits(self) -> tuple[str, ...]:
        with np.load(self.folder / "probabilities.npz", allow_pickle=False) as stored:
            return tuple(stored.files)

    def probabilities(self, split: str) -> Probabilities:
        """`(images, classes)` float32 of `split` (`validation` or `test`), in the split's order.

        Raises:
            KeyError: the run has no such split.
        """
        with np.load(self.folder / "probabilities.npz", allow_pickle=False) as stored:
            if split not in stored.files:
                raise KeyError(f"run {self.fingerprint[:12]} has no split {split!r}; it has {', '.join(stored.files)}")
            return stored[split]
