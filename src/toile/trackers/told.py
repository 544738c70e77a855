"""A stored run as a tracker is told of it: flat parameters, figures by epoch, and figures at the end."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from toile.runner.plans.planned import Plan
from toile.store.run import Run
from toile.study.fields.strict import is_table


@dataclass(frozen=True)
class Told:
    """One run.

    Args:
        study: what the study is called.
        name: the trial's name there; the first one where the study has several for it.
        fingerprint: what it is known by, whatever it is called.
        parameters: the trial, flat: `recipe.batch_size` -> 32. Lists and what is not there are as in JSON.
        epochs: one dictionary an epoch, in order: figure -> value, as `epoch/train/loss`, `epoch/validation/accuracy`.
        figures: of the trained model: `test/accuracy`, `train/loss`. (A training figure of an epoch is a mean over it.)
        facts: `parameters`, `seconds`, as far as the run says.
        began, ended: seconds since 1970; 0 where the run does not say.
    """

    study: str
    name: str
    fingerprint: str
    parameters: dict[str, str | int | float | bool]
    epochs: list[dict[str, float]]
    figures: dict[str, float]
    facts: dict[str, float] = field(default_factory=dict)
    began: float = 0.0
    ended: float = 0.0


def told(plan: Plan) -> Iterator[Told]:
    """The stored runs of a study, each once, in the study's order. Damaged ones are left out, as everywhere."""
    seen = set()
    for planned in plan.trials:
        if planned.fingerprint not in seen and (run := plan.run_of(planned)) is not None:
            seen.add(planned.fingerprint)
            yield _told(plan.reference, planned.name, run)


def _told(study: str, name: str, run: Run) -> Told:
    facts, seconds = run.provenance, (run.provenance.get("seconds") or {}).get("train")
    began, ended = _moment(facts.get("started")), _moment(facts.get("finished"))
    sizes = {"parameters": facts.get("parameters"), "epochs": facts.get("epochs_run"), "seconds": seconds}
    return Told(
        study,
        name,
        run.fingerprint,
        dict(_flat(run.trial)),
        [_numbers({_figure(key): value for key, value in row.items() if key != "epoch"}) for row in run.history],
        _numbers({f"{part}/{key}": value for part, of in run.metrics.items() for key, value in of.items()}),
        _numbers(sizes),
        began or ended,
        ended,
    )


def _flat(value: dict[str, Any], before: str = "") -> Iterator[tuple[str, str | int | float | bool]]:
    for key, one in value.items():
        if is_table(one):
            yield from _flat(one, f"{before}{key}.")
        else:
            yield f"{before}{key}", one if isinstance(one, str | int | float | bool) else json.dumps(one)


def _figure(key: str) -> str:
    """`validation_loss` as `epoch/validation/loss`, `loss` as `epoch/train/loss`."""
    if key.startswith("validation_"):
        return f"epoch/{key.replace('_', '/', 1)}"
    return f"epoch/{key}" if key in ("learning_rate", "seconds") else f"epoch/train/{key}"


def _numbers(found: dict[str, Any]) -> dict[str, float]:
    """What is a number. (Those that are not finite are left out: trackers store or show them each in its own way.)"""
    return {
        key: float(value)
        for key, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _moment(text: Any) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return 0.0
