"""What a study file may say of a teacher: a committee whose probabilities a trial learns from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from toile.study.committee import K_FOLD, CommitteeSpec, matching
from toile.study.lines import Location
from toile.study.mistakes import Mistake, unknown
from toile.study.names import Name
from toile.study.strict import Spec, is_table
from toile.study.tables import tables, whole


class Teacher(Spec):
    """Distillation (Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015): the trial, a student, learns
    from what a committee says of its training images, and less from their labels."""

    name: Name = Field(description="of a committee of the study with `members`; these are trained first")
    temperature: Annotated[float, Field(ge=1, le=100)] = Field(
        default=2.0, description="by which the log-probabilities of both are divided: above 1, wrong classes count more"
    )
    hard_labels: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1, description="weight of the loss on the labels; the rest is that on the committee's probabilities"
    )


def _short(value: Any) -> Any:
    """`teacher = "NAME"` is short for `teacher = { name = "NAME" }`; `false` takes the study's away."""
    if value is False:
        return None
    return {"name": value} if isinstance(value, str) else value


Taught = Annotated[Teacher | None, BeforeValidator(_short, json_schema_input_type=str | Teacher)]


def mistakes(content: dict[str, Any]) -> Iterator[Mistake]:
    """Teachers that there are not or that cannot teach, and students that would teach themselves."""
    committees = {spec.name: spec for _, spec in whole(content, "committee", CommitteeSpec)}
    if content.get("committee") == K_FOLD["name"]:
        committees = {str(K_FOLD["name"]): CommitteeSpec.model_validate(K_FOLD)}
    named = {table["name"] for _, table in tables(content, "committee") if isinstance(table.get("name"), str)}
    recipes: list[tuple[Location, Any, Any]] = [(("recipe", "teacher"), content.get("recipe"), None)]
    for kind in ("trial", "sweep"):
        recipes += [
            ((kind, i, "recipe", "teacher"), table.get("recipe"), table.get("name")) for i, table in tables(content, kind)
        ]
    for place, recipe, student in recipes:
        teacher = recipe.get("teacher") if is_table(recipe) else None
        name = teacher.get("name") if is_table(teacher) else teacher
        if not isinstance(name, str) or (name in named and name not in committees):  # which is told already
            continue
        if name not in committees:
            yield place, unknown("committee", name, committees)
        elif committees[name].candidates or committees[name].budgets:
            yield place, f"a teacher has `members` and no budget: who {name!r} is, is known only after its members are trained"
        elif place[0] == "trial" and any(matching([student], pattern) for pattern in committees[name].members):
            yield place, f"{student!r} is itself a member of {name!r}, and cannot learn from it"
