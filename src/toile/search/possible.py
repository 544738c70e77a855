"""Which points of a space can be trained: each value is tried on the planner before anything trains.

What only some values do together may still be proposed later. It has no trials then, and counts as the worst of figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from pydantic import ValidationError

from toile.errors import Misuse
from toile.models.backbones import WeightsMissing
from toile.runner.plans import plan as plans
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.search.space import Space
from toile.study.file.mistakes import explain, spell
from toile.study.recipe.recipe import RecipeSpec
from toile.study.spec import TrialSpec

Values = dict[tuple[str, ...], Any]


class Impossible(Misuse):
    """No trial can be so: the architecture cannot be built for the images, or the values do not go together."""


def trials(plan: Plan, line: TrialSpec) -> tuple[PlannedTrial, ...]:
    """The trainings that a line of a plan's study means, one for each seed and fold.

    Raises:
        Impossible: it cannot be trained.
        WeightsMissing: it could, if the file were here.
    """
    alone = {"trial": (line,), "sweep": (), "committee": (), "comparison": (), "search": None}
    study = plan.study.model_copy(update=alone)
    try:
        return plans.make(study, plan.reference, plan.requested, plan.dataset, plan.store, plan.reduction, plan.called).trials
    except WeightsMissing:
        raise
    except ValidationError as error:
        wrong = (f"{spell(where)}: {what}" for where, what in explain(error, ("recipe",), RecipeSpec))
        raise Impossible("; ".join(wrong)) from None
    except Misuse as error:
        raise Impossible(str(error).removeprefix(f"trial {line.name!r}: ")) from None


def impossible(plan: Plan, space: Space) -> list[str]:
    """Why something of the space cannot be trained, each reason once, with the choice that it holds for."""
    found: dict[str, str] = {}
    for said, values in _points(space):
        try:
            trials(plan, space.line("search", values))
        except Misuse as error:
            found.setdefault(str(error), said)
    hint = "; [search.when.NAME] says what holds for one architecture alone" if len(space.architectures) > 1 else ""
    return [f"search.space: {said}: {why}{hint}" for why, said in found.items()]


def _points(space: Space) -> Iterator[tuple[str, Values]]:
    """Each choice of names with the first of all other values, and for each architecture each other value in its turn."""
    left: list[dict[str, Any]] = [{}]
    seen: set[str] = set()
    while left:
        chosen = left.pop(0)
        asked = _Chosen(chosen)
        values = space.propose(cast(Any, asked))
        if (said := _said(values)) in seen:
            continue
        seen.add(said)
        yield ", ".join(str(value) for path, value in values.items() if path[-1] == "name"), values
        architecture = values["architecture", "name"]
        for name, others in asked.others.items():
            for other in others:
                turned = {**chosen, name: other}
                if name.split(" (")[0].endswith(".name"):
                    left.append(turned)
                elif (key := f"{architecture} {name} {other}") not in seen:
                    seen.add(key)
                    yield f"{architecture}, {name} = {other}", space.propose(cast(Any, _Chosen(turned)))


def _said(values: Values) -> str:
    return json.dumps([[".".join(path), value] for path, value in values.items()])


class _Chosen:
    """Stands in for Optuna's trial: what is asked for is as chosen, or else the first or least that it may be."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self.chosen = chosen
        # What else each parameter may be that was asked for; of a range, its other end.
        self.others: dict[str, list[Any]] = {}

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        self.others[name] = choices[1:]
        return self.chosen.get(name, choices[0])

    def suggest_int(self, name: str, low: int, high: int, **_: Any) -> int:
        self.others[name] = [high]
        return self.chosen.get(name, low)

    def suggest_float(self, name: str, low: float, high: float, **_: Any) -> float:
        self.others[name] = [high]
        return self.chosen.get(name, low)
