"""Every registered name with a line about it, for `toile list`."""

from __future__ import annotations

import inspect

from pydantic import BaseModel

from toile import studies
from toile.committee.rules import RULES
from toile.data import formats, sources
from toile.data.registry import about
from toile.evaluation.calibrators import AUTO, CALIBRATIONS
from toile.evaluation.metrics import METRICS
from toile.models import architectures
from toile.reports.checks import CHECKS
from toile.study.recipe import schedules
from toile.study.recipe.optimizers import OPTIMIZERS


def everything() -> dict[str, dict[str, str]]:
    """Kind -> name -> one line."""
    return {
        "studies": {name: studies.title(name) for name in studies.names()},
        "architectures": {name: about(architectures.load(name)) for name in architectures.names()},
        "datasets": {name: sources.about(name) for name in sources.names()},
        "formats": {name: formats.about(name) for name in formats.names()},
        "rules": {name: _line(rule) for name, rule in RULES.items()},
        "calibrations": {name: kind.about for name, kind in CALIBRATIONS.items()} | {AUTO: "the best of these, by folds"},
        "metrics": {name: metric.title for name, metric in METRICS.items()},
        "checks": {code: check.name for code, check in CHECKS.items()},
        "schedules": {name: _line(kind) for name, kind in schedule_types().items()},
        "optimizers": {name: f"learning rate {o['learning_rate']:g} unless given" for name, o in OPTIMIZERS.items()},
    }


def schedule_types() -> dict[str, type[BaseModel]]:
    """The models of all learning-rate schedules, by name."""
    return {kind.model_fields["name"].annotation.__args__[0]: kind for kind in vars(schedules).values() if _is_schedule(kind)}


def _is_schedule(kind: object) -> bool:
    return inspect.isclass(kind) and issubclass(kind, schedules._Schedule) and kind is not schedules._Schedule


def _line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
