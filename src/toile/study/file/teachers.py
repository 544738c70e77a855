"""What the teachers of a study get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toile.study.committee import K_FOLD, CommitteeSpec
from toile.study.fields.patterns import matching
from toile.study.fields.strict import is_table
from toile.study.file.lines import Location
from toile.study.file.mistakes import Mistake, unknown
from toile.study.file.tables import tables, whole


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
