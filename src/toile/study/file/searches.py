"""What the search of a study gets wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from toile.study.fields.strict import is_array, is_table
from toile.study.file.lines import Location
from toile.study.file.mistakes import Mistake, explain, unknown
from toile.study.recipe.recipe import RecipeSpec
from toile.study.search.search import TABLES, Path, Range
from toile.study.search.space import NAMED, entries, is_range, names_of
from toile.text import brief

_KEYS = f"keys are architecture.KEY, recipe.KEY and recipe.TABLE.KEY, where TABLE is one of {', '.join(TABLES)}"


@dataclass(frozen=True)
class Told:
    """What can be told of a space's parameters.

    Args:
        models: the options of each architecture that is meant.
        classical: those of them that have no recipe.
        base: names of the study's own optimizer and schedule, by table.
        pruned: whether pruning decides about epochs.
    """

    models: Mapping[str, type[BaseModel]]
    classical: frozenset[str]
    base: Mapping[str, str]
    pruned: bool


def mistakes(
    content: dict[str, Any],
    architectures: Mapping[str, type[BaseModel]],
    classical: frozenset[str],
    lacking: Mapping[str, str],
) -> Iterator[Mistake]:
    """Everything that can be told without the data.

    Args:
        content: the study's, as `tomllib` gives it.
        architectures: the options of each.
        classical: those that have no recipe.
        lacking: why a sampler cannot be used here, by name.
    """
    search = content.get("search")
    if not is_table(search):
        return
    sampler = search.get("sampler", "tpe")
    if isinstance(sampler, str) and sampler in lacking:
        yield ("search", "sampler") if "sampler" in search else ("search",), lacking[sampler]
    yield from _held_out(content)
    yield from _names(content)
    yield from _taught(content)
    space, when = (table if is_table(table := search.get(key)) else {} for key in ("space", "when"))
    if space:
        yield from _architectures(space, architectures)
    named = dict(entries(space)).get(("architecture", "name"))
    known = {name: architectures[name] for name in named if name in architectures} if is_array(named) else {}
    told = Told(known, classical & known.keys(), _base(content), search.get("pruning", "asha") is not False)
    for path, value in entries(space):
        yield from _entry(("search", "space", *path), path, value, (space,), told)
    for name, table in when.items():
        if known and name not in known:
            yield ("search", "when", name), unknown("architecture of the space", name, known)
            continue
        own = replace(told, models={n: m for n, m in known.items() if n == name}, classical=told.classical & {name})
        for path, value in entries(table) if is_table(table) else ():
            place = ("search", "when", name, *path)
            if path == ("architecture", "name"):
                yield place, "the architectures are listed in search.space"
            else:
                yield from _entry(place, path, value, (table, space), own)
    if sampler == "cma-es" and known:
        tables = {name: table if is_table(table := when.get(name)) else {} for name in known}
        yield from _numbers(space, tables, told)


def _architectures(space: dict[str, Any], known: Mapping[str, type[BaseModel]]) -> Iterator[Mistake]:
    """What is wrong with the list of architectures."""
    named = dict(entries(space)).get(("architecture", "name"))
    place: Location = ("search", "space", "architecture", "name")
    if named is None:
        yield ("search", "space"), "the architectures are missing: architecture.name = [names]"
    elif not is_array(named) or not named or not all(isinstance(name, str) for name in named):
        yield place, f"a list of names of architectures is wanted, got {brief(named)}"
    else:
        yield from ((place, unknown("architecture", name, known)) for name in named if name not in known)


def _base(content: dict[str, Any]) -> dict[str, str]:
    """The names of the optimizer and the schedule of the study's own recipe."""
    try:
        recipe = RecipeSpec.model_validate(content.get("recipe", {}))
    except ValidationError:
        recipe = RecipeSpec()
    return {"optimizer": recipe.optimizer.name, "schedule": recipe.schedule.name}


def _entry(
    place: Location,
    path: Path,
    value: Any,
    spaces: tuple[dict[str, Any], ...],
    told: Told,
) -> Iterator[Mistake]:
    """What is wrong with one parameter."""
    deep = len(path) == 3 and path[0] == "recipe" and path[1] in TABLES
    if not (deep or (len(path) == 2 and path[0] in ("architecture", "recipe"))):
        yield place, f"a space's {_KEYS}"
        return
    if path == ("architecture", "name"):
        return
    if path == ("recipe", "epochs") and told.pruned:
        yield place, "pruning decides how many epochs a trial is trained; leave it out, or say `pruning = false`"
        return
    if path[:2] == ("recipe", "teacher"):
        yield place, "trials of a search learn from no committee"
        return
    if is_range(value):
        try:
            found = Range.model_validate(value)
        except ValidationError as error:
            yield from explain(error, place, Range)
            return
        values: list[Any] = [found.low, found.high]
    elif is_array(value) and value:
        values = list(value)
    else:
        yield place, f"a list of values or a range {{ low = …, high = … }} is wanted, got {brief(value)}"
        return
    if path[0] == "architecture":
        yield from _option(place, path[1], values, told.models)
        return
    if told.models and told.classical >= told.models.keys():
        yield place, f"classical models have no recipe, and the space has no other here: {', '.join(told.models)}"
    if len(path) == 2:
        yield from _recipe(place[:-1], [{path[1]: one} for one in values])
    else:
        yield from _of_table(place, path, values, spaces, told.base)


def _option(place: Location, key: str, values: list[Any], models: Mapping[str, type[BaseModel]]) -> Iterator[Mistake]:
    having = {name: model for name, model in models.items() if key in model.model_fields}
    if models and not having:
        options = sorted({option for model in models.values() for option in model.model_fields})
        yield place, f"no architecture of the space has it: {unknown('option', key, options)}"
    for name, model in having.items():
        for value in values:
            try:
                model.model_validate({key: value})
            except ValidationError as error:
                # Options without a default are given by other parameters.
                wrong = [one for one in explain(error, place[:-1], model) if one[0][: len(place)] == place]
                yield from ((where, f"{name}: {what}") for where, what in wrong)


def _recipe(place: Location, recipes: list[dict[str, Any]]) -> Iterator[Mistake]:
    for recipe in recipes:
        try:
            RecipeSpec.model_validate(recipe)
        except ValidationError as error:
            yield from explain(error, place, RecipeSpec)


def _of_table(
    place: Location, path: Path, values: list[Any], spaces: tuple[dict[str, Any], ...], base: Mapping[str, str]
) -> Iterator[Mistake]:
    """A key of a recipe's table: one that none of its kinds has, or a value that one of them refuses."""
    _, table, key = path
    if table not in NAMED or key == "name":
        yield from _recipe(place[:-2], [{table: {key: value}} for value in values])
        return
    known = NAMED[table]
    names = [name for name in names_of(spaces, table, base[table]) if name in known]
    having = [name for name in names if key in known[name]]
    if names and not having:
        yield place, f"no {table} of the space has it: {unknown('option', key, sorted({o for n in names for o in known[n]}))}"
    for name in having:
        yield from _recipe(place[:-2], [{table: {"name": name, key: value}} for value in values])


def _numbers(space: dict[str, Any], when: dict[str, dict[str, Any]], told: Told) -> Iterator[Mistake]:
    """CMA-ES proposes numbers alone, those that every proposal has, and of fewer than two nothing: the rest is by chance."""
    shared: set[tuple[Path, str | None]] | None = None
    for name, model in told.models.items():
        own = dict(entries(when[name]))
        here: set[tuple[Path, str | None]] = set()
        for path, value in (dict(entries(space)) | own).items():
            table = path[1] if len(path) == 3 and path[1] in NAMED else None
            names = names_of((when[name], space), table, told.base[table]) if table else ()
            recipe = name not in told.classical and all(path[2] in NAMED[str(table)].get(one, ()) for one in names)
            if is_range(value) and (path[1] in model.model_fields if path[0] == "architecture" else recipe):
                here.add((path, name if path in own else None))
        shared = here if shared is None else shared & here
    if len(shared or ()) < 2:
        found = ", ".join(sorted(".".join(path) for path, _ in shared or ())) or "none"
        yield (
            ("search", "sampler"),
            f'"cma-es" wants at least two ranges that every proposal has, and the space has {found}; other samplers: tpe, gp',
        )


def _held_out(content: dict[str, Any]) -> Iterator[Mistake]:
    split = content.get("split")
    if is_table(split) and split.get("validation") == 0 and not split.get("folds"):
        yield (
            ("search",),
            "a search picks by the validation images, and the study has none (split.validation = 0)",
        )


def _taught(content: dict[str, Any]) -> Iterator[Mistake]:
    recipe = content.get("recipe")
    if is_table(recipe) and recipe.get("teacher"):
        yield (
            ("recipe", "teacher"),
            "trials of a search learn from no committee; name the teacher in the [[trial]] that is to learn from it",
        )


def _names(content: dict[str, Any]) -> Iterator[Mistake]:
    trials = content.get("trial")
    for i, table in enumerate(trials if is_array(trials) else ()):
        if is_table(table) and re.fullmatch(r"search \d+(, .*)?", str(table.get("name"))):
            yield ("trial", i, "name"), "the trials of the search are called so"
