"""From a space to a line of the study: values asked for one by one, as far as the architecture and the optimizer have them."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from toile.models import architectures
from toile.study.search.search import Path, Range, SearchSpec
from toile.study.search.space import NAMED, Parameter, belongs, parameters
from toile.study.spec import ArchitectureSpec, StudySpec, TrialSpec

if TYPE_CHECKING:
    from optuna.trial import Trial


class Space:
    """The space of a study's search."""

    def __init__(self, study: StudySpec, spec: SearchSpec) -> None:
        self.study, self.spec = study, spec
        # Names of tables first: what else is asked for depends on them.
        self.parameters = sorted(parameters(spec), key=lambda one: one.path[-1] != "name")

    @cached_property
    def architectures(self) -> list[str]:
        """Their names."""
        found = next(one.choices for one in self.parameters if one.path == ("architecture", "name"))
        assert isinstance(found, list)
        return found

    def propose(self, trial: Trial) -> dict[tuple[str, ...], Any]:
        """Ask Optuna's trial for a value of each parameter that counts; the values, by path."""
        chosen: dict[tuple[str, ...], Any] = {}
        names: dict[str, Any] = {}
        architecture = _asked(trial, Parameter(("architecture", "name"), self.architectures))
        options = set(architectures.options_model(architecture).model_fields)
        classical = architectures.learner(architecture) == "classical"
        own = {one.path for one in self.parameters if one.only == architecture}
        for one in self.parameters:
            if one.path == ("architecture", "name") or one.only not in (None, architecture):
                continue
            if (one.only is None and _overruled(one.path, own)) or (classical and one.path[0] == "recipe"):
                continue
            if belongs(one.path, names, self.study.recipe, options):
                chosen[one.path] = _asked(trial, one)
                if one.path[-1] == "name":
                    names[one.path[1]] = {"name": chosen[one.path]}
        return {("architecture", "name"): architecture, **chosen}

    def line(self, name: str, values: dict[tuple[str, ...], Any]) -> TrialSpec:
        """The line of the study that has these values."""
        options = {path[1]: value for path, value in values.items() if path[0] == "architecture" and path[1] != "name"}
        recipe: dict[str, Any] = {}
        for path, value in values.items():
            if path[0] == "recipe" and len(path) == 2:
                recipe[path[1]] = value
            elif path[0] == "recipe":
                recipe.setdefault(path[1], {})[path[2]] = value
        deep = {path[1] for path in values if len(path) == 3}
        recipe |= {table: {**self._base(table, recipe[table]), **recipe[table]} for table in deep}
        return TrialSpec(
            name=name, architecture=ArchitectureSpec(name=values["architecture", "name"], options=options), recipe=recipe
        )

    def _base(self, table: str, chosen: dict[str, Any]) -> dict[str, Any]:
        """What the study's own recipe says of a table, if it is of the same name."""
        base = getattr(self.study.recipe, table)
        if base is None:
            return {}
        if table not in NAMED:
            return base.model_dump()
        if chosen.get("name", base.name) != base.name:
            return {}
        return {"name": base.name, **base.options} if table == "optimizer" else base.model_dump()


def _overruled(path: Path, own: set[Path]) -> bool:
    """Whether an architecture has its own choice of a parameter: of the same key, of its table, or of a key in it."""
    return any(path[: len(one)] == one[: len(path)] for one in own)


def _asked(trial: Trial, parameter: Parameter) -> Any:
    """One value. Optuna's choices are plain; what is none is written as JSON."""
    choices, name = parameter.choices, parameter.name
    if isinstance(choices, list):
        if len(choices) == 1:
            return choices[0]
        return json.loads(trial.suggest_categorical(name, [json.dumps(one, sort_keys=True) for one in choices]))
    return _number(trial, name, choices)


def _number(trial: Trial, name: str, choices: Range) -> float:
    if choices.whole:
        step = int(choices.step or 1)
        high = int(choices.low) + (int(choices.high) - int(choices.low)) // step * step
        return trial.suggest_int(name, int(choices.low), high, step=step, log=choices.log)
    return trial.suggest_float(name, choices.low, choices.high, step=choices.step, log=choices.log)
