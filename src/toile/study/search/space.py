"""The space of a search: its parameters, and which of them a choice of architecture, optimizer and schedule has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toile.study.fields.strict import is_array, is_table
from toile.study.recipe.optimizers import OPTIMIZERS
from toile.study.recipe.recipe import RecipeSpec
from toile.study.recipe.schedules import SCHEDULES
from toile.study.search.search import Choices, Path, Range, SearchSpec

# Tables of a recipe whose `name` says what else is in them.
NAMED: dict[str, Mapping[str, Any]] = {
    "optimizer": {name: set(options) for name, options in OPTIMIZERS.items()},
    "schedule": {name: set(kind.model_fields) - {"name"} for name, kind in SCHEDULES.items()},
}


@dataclass(frozen=True)
class Parameter:
    """One dimension of a space.

    Args:
        path: of the key, as `("recipe", "optimizer", "learning_rate")`.
        choices: what it may be.
        only: the architecture that it is for, where it stands in `when`.
    """

    path: Path
    choices: Choices
    only: str | None = None

    @property
    def name(self) -> str:
        """Unique in the space."""
        key = ".".join(self.path)
        return f"{key} ({self.only})" if self.only else key


def entries(table: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """`{"recipe": {"batch_size": [16, 32]}}` as `(("recipe", "batch_size"), [16, 32])`, in the order written."""
    for key, value in table.items():
        here = (*path, *key.split("."))
        if is_table(value) and not is_range(value):
            yield from entries(value, here)
        else:
            yield here, value


def is_range(value: Any) -> bool:
    """Whether a table says a range."""
    return is_table(value) and bool(value.keys() & {"low", "high"})


def parameters(spec: SearchSpec) -> list[Parameter]:
    """The dimensions of a space that has no mistakes, in the order written."""
    tables = [(None, spec.space), *spec.when.items()]
    return [
        Parameter(path, Range.model_validate(value) if is_table(value) else list(value), only)
        for only, table in tables
        for path, value in entries(table)
        if is_table(value) or is_array(value)
    ]


def names_of(tables: tuple[dict[str, Any], ...], table: str, base: str) -> list[str]:
    """The names that `recipe.TABLE.name` may have: those of the first space that lists some, else the study's own."""
    for space in tables:
        for path, value in entries(space):
            if path == ("recipe", table, "name") and is_array(value):
                return [name for name in value if isinstance(name, str)]
    return [base]


def belongs(path: Path, recipe: dict[str, Any], base: RecipeSpec, options: set[str]) -> bool:
    """Whether a parameter is of any account for an architecture with these options and what the recipe says so far.

    Args:
        recipe: names that were chosen, as `{"optimizer": {"name": "sgd"}}`.
        base: the study's own recipe.
    """
    if path[0] == "architecture":
        return path[1] in options
    if len(path) == 3 and path[1] in NAMED and path[2] != "name":
        chosen = recipe.get(path[1])
        own = base.optimizer if path[1] == "optimizer" else base.schedule
        return path[2] in NAMED[path[1]][chosen["name"] if is_table(chosen) and "name" in chosen else own.name]
    return True
