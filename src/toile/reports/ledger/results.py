"""Small result files: what a run measured, without its weights and probabilities, for a ledger that lives with the code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toile.errors import ToileError, said
from toile.reports.ledger import gradients
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store import atomic, checked, shape
from toile.store.checked import Damaged
from toile.store.run import Run
from toile.study.trial import Trial
from toile.text import listed

# Provenance that a reader of the ledger may ask for.
FACTS = (
    "parameters", "trainable_parameters", "epochs_run", "best_epoch", "images", "seconds", "images_per_second", "threads",
    "versions", "machine", "commit", "finished",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """One result file.

    `metrics` has numbers only, by part of the data. `per_class` has lists of them, one a class, and `confusion_matrix` counts
    with a row a label, both on the test images (files of before have neither). `loss_deviations` are, by part, how far the
    losses of single images lie apart. `last` are the training figures of the last epoch. `reduced` says how the study was
    made smaller, empty at full protocol.
    """

    study: str
    line: str
    name: str
    reduced: str
    trial: Trial
    metrics: dict[str, dict[str, float]]
    last: dict[str, float]
    facts: dict[str, Any]
    per_class: dict[str, list[float]] = field(default_factory=dict)
    confusion_matrix: list[list[int]] = field(default_factory=list)
    loss_deviations: dict[str, float] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        return self.trial.fingerprint


def write(plan: Plan, folder: Path) -> int:
    """Write a result file for every stored run of a plan that has none yet, or an older one; how many were written.

    Of two trainings of one trial the later one counts, by the clocks of the machines that trained them. Nothing else tells
    their order, and a clock may be wrong, so it is said where the store's is not the later one.
    """
    written, later = 0, []
    for planned in plan.trials:
        run, path = plan.run_of(planned), _place(folder / plan.reference, planned)
        if run is None:
            continue
        if path.exists():
            known = _read(path)
            before, after = _ended(known.facts), _ended(run.provenance)
            if before > after:
                later.append(planned.name)
            if before > after or (before == after and _has_all(known, run)):
                continue
        try:
            deviations = _loss_deviations(plan, planned, run)
        except Damaged as error:  # its figures are what was written, and what they are of is not
            checked.say_left_out(run.fingerprint, error)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "study": plan.reference,
            "line": planned.line,
            "name": planned.name,
            "reduced": str(plan.reduction),
            "fingerprint": planned.fingerprint,
            "trial": json.loads(planned.trial.canonical()),
            "metrics": {split: _numbers(metrics) for split, metrics in run.metrics.items()},
            "per_class": _per_class(run.metrics.get("test", {})),
            "confusion_matrix": run.metrics.get("test", {}).get("confusion_matrix", []),
            "loss_deviations": deviations,
            "last": _last(run),
            "facts": {key: run.provenance[key] for key in FACTS if key in run.provenance},
        }
        atomic.write_json(path, content)
        written += 1
    if later:
        checked.say(
            f"results of {plan.reference} stay for {listed(later, 5)}: they are of trainings that ended after those in the "
            "store, by the clocks of their machines; remove a file, and the store's run takes its place"
        )
    return written


def _place(folder: Path, planned: PlannedTrial) -> Path:
    """The trial's file, which may be called as the trial was when there was one seed only. Two lines may be one trial."""
    end = f"-{planned.fingerprint[:12]}.json"
    own = (one for one in sorted(folder.glob(f"*{end}")) if _read(one).line == planned.line)
    return next(own, folder / f"{_slug(planned.name)}{end}")


def read(folder: Path) -> list[Measured]:
    """All result files below a folder, in the order of their paths.

    Raises:
        ToileError: a file that is no result, or whose trial has another fingerprint than it says: it was edited.
    """
    return [_read(path) for path in sorted(folder.rglob("*.json")) if path != folder / gradients.NAME]


def _read(path: Path) -> Measured:
    try:
        content = checked.parse_json(path, checked.read(path))
        trial = Trial.parse(json.dumps(content["trial"]))
        if trial.fingerprint != content["fingerprint"]:
            raise ValueError(f"it is not what was measured: its trial has the fingerprint {trial.fingerprint[:12]}")
        study, line, name, reduced = (str(content[key]) for key in ("study", "line", "name", "reduced"))
        per_class = {key: shape.list_of_numbers(of, key) for key, of in content.get("per_class", {}).items()}
        return Measured(
            study, line, name, reduced, trial, shape.metrics(content["metrics"]), shape.numbers(content["last"], "last"),
            shape.provenance(content["facts"]), per_class, shape.confusion_matrix(content.get("confusion_matrix", [])),
            shape.numbers(content.get("loss_deviations", {}), "loss_deviations"),
        )  # fmt: skip
    except Damaged as error:
        raise ToileError(f"{path} is no result: {error.why}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = said(error) if isinstance(error, ValueError) else f"{type(error).__name__} {said(error)}"
        raise ToileError(f"{path} is no result: {what}") from None


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if isinstance(value, int | float)}


def _ended(facts: dict[str, Any]) -> str:
    """When a training ended, as provenance writes it: in UTC, so that texts compare as times do. Of before, it is empty."""
    return facts.get("finished", "")


def _has_all(known: Measured, run: Run) -> bool:
    """Whether a result has all figures of its run."""
    whole = bool(known.loss_deviations) and (bool(known.per_class) or not run.metrics.get("test", {}).get("per_class"))
    return whole and all(
        _numbers(figures).keys() <= known.metrics.get(part, {}).keys() for part, figures in run.metrics.items()
    )


def _per_class(metrics: dict[str, Any]) -> dict[str, list[float]]:
    rows = metrics.get("per_class") or []
    return {name: [row[name] for row in rows] for name in ("precision", "recall", "f1", "support") if rows and name in rows[0]}


def _loss_deviations(plan: Plan, planned: PlannedTrial, run: Run) -> dict[str, float]:
    """Standard deviation of the losses of single images, of each part whose probabilities the run has."""
    parts, found = plan.parts(planned), {}
    for split in run.splits():
        if (part := getattr(parts, split)) is not None:
            of_truth = run.probabilities(split, len(part))[np.arange(len(part)), part.labels]
            found[split] = float(np.std(-np.log(np.clip(of_truth, np.finfo(np.float32).tiny, None))))
    return found


def _last(run: Run) -> dict[str, float]:
    """The training figures of the last epoch; those of the validation split are among the metrics."""
    return {key: value for key, value in run.history[-1].items() if not key.startswith("validation_")}


def _slug(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in name.lower())
    return "-".join(part for part in kept.split("-") if part)[:80]
