"""Everything that a study's content gets wrong: its shape, its names, its architectures, and what does not fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

from pydantic import BaseModel, ValidationError

from toile.study.expand import combinations, leaves, merge
from toile.study.fields.needs import Needs
from toile.study.fields.strict import is_array, is_table
from toile.study.file import committees, limits, searches, teachers
from toile.study.file.lines import Location
from toile.study.file.mistakes import Mistake, explain, unknown
from toile.study.file.tables import tables as _tables
from toile.study.file.tables import whole as _whole
from toile.study.recipe.recipe import RecipeSpec
from toile.study.spec import ArchitectureSpec, StudySpec, SweepSpec, TrialSpec
from toile.text import brief

MOST = 100  # mistakes that are told at once


@dataclass(frozen=True)
class Catalogue:
    """The names that a study may use, and the options of each architecture."""

    datasets: tuple[str, ...]
    formats: tuple[str, ...]
    rules: tuple[str, ...]
    architectures: Mapping[str, type[BaseModel]]
    # Those of the architectures that have no recipe.
    classical: frozenset[str] = frozenset()
    checks: tuple[str, ...] = ()
    # Why a sampler of searches cannot be used here, by name.
    lacking: Mapping[str, str] = field(default_factory=dict[str, str])
    # What options of architectures need of others to have an effect, by architecture.
    needs: Mapping[str, Mapping[str, Needs]] = field(default_factory=dict[str, Mapping[str, Needs]])


def mistakes(content: dict[str, Any], catalogue: Catalogue) -> list[Mistake]:
    """Everything that is wrong with a study's content, as `tomllib` gives it, each with its place there."""
    # Each check looks at whatever parts are whole, so that a file's mistakes come all at once.
    checks = (_shape, _recipes, _grids, _lengths, _names, _architectures, _twice, _committees, _parents, _search)
    found = limits.oversize(content) or (mistake for check in checks for mistake in check(content, catalogue))
    return list(islice(found, MOST))


def _shape(content: dict[str, Any], _: Catalogue) -> Iterator[Mistake]:
    """What the models themselves refuse."""
    try:
        StudySpec.model_validate(content)
    except ValidationError as error:
        yield from explain(error, (), StudySpec)
    if not any(content.get(kind) for kind in ("trial", "sweep", "search")):
        yield (), "a study has at least one [[trial]] or [[sweep]], or a [search]"


def _recipes(content: dict[str, Any], _: Catalogue) -> Iterator[Mistake]:
    """What a trial's or a sweep's own recipe gets wrong. (They are partial, so the models take them as they come.)"""
    for kind in ("trial", "sweep"):
        for i, table in _tables(content, kind):
            if is_table(recipe := table.get("recipe")):
                yield from _recipe(recipe, (kind, i, "recipe"))


def _recipe(recipe: dict[str, Any], place: Location) -> Iterator[Mistake]:
    # How long a schedule is beside its training, is known with the study's recipe.
    base = RecipeSpec(epochs=1) if "schedule_epochs" in recipe else RecipeSpec()
    try:
        merge(base, recipe)
    except ValidationError as error:
        yield from explain(error, place, RecipeSpec)


def _lengths(content: dict[str, Any], _: Catalogue) -> Iterator[Mistake]:
    """Trainings that are longer than a schedule which they have from elsewhere: their study, or beside a grid."""
    of_study = asked if is_table(asked := content.get("recipe")) else {}
    for kind in ("trial", "sweep"):
        for i, table in _tables(content, kind):
            recipe = own if is_table(own := table.get("recipe")) else {}
            grid = dict(leaves(asked)) if is_table(asked := table.get("grid")) else {}
            values = {key: [recipe.get(key, of_study.get(key))] for key in ("epochs", "schedule_epochs")}
            values |= {key: several for key in values if is_array(several := grid.get(("recipe", key)))}
            for epochs, length in product(values["epochs"], values["schedule_epochs"]):
                epochs = RecipeSpec().epochs if epochs is None else epochs
                if isinstance(epochs, int) and isinstance(length, int) and 0 < length < epochs:
                    yield (kind, i, "recipe"), f"`schedule_epochs` is at least `epochs`, got {length} and {epochs}"


def _grids(content: dict[str, Any], _: Catalogue) -> Iterator[Mistake]:
    """Keys that no grid has, and values that a recipe cannot have."""
    for i, table in _tables(content, "sweep"):
        grid = table.get("grid")
        for path, values in leaves(grid) if is_table(grid) else ():
            place = ("sweep", i, "grid", *path)
            if len(path) != 2 or path[0] not in ("recipe", "architecture"):
                yield place, "a grid's keys are recipe.KEY and architecture.KEY"
            elif is_table(values):
                whole = ", ".join(
                    [*(['name = "…"'] if path[1] in ("optimizer", "schedule") else []), *(f"{key} = …" for key in values)]
                )
                yield place, f"a list of whole tables is wanted, as [{{ {whole} }}, …], got {brief(values)}"
            elif not is_array(values) or not values:
                yield place, f"a list of values is wanted, got {brief(values)}"
            elif path[0] == "recipe":
                for value in values:
                    yield from _recipe({path[1]: value}, place[:-1])


def _names(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """Data sets, formats and rules that nothing is registered under."""
    dataset = content.get("dataset")
    if isinstance(dataset, str):
        where, dataset = ("dataset",), {"name": dataset}
    else:
        where, dataset = ("dataset", "name"), dataset if is_table(dataset) else {}
    name, form = dataset.get("name"), dataset.get("format")
    if isinstance(name, str) and name not in catalogue.datasets:
        hint = f"; files of your own are given as {{ path = {name!r} }}" if set(name) & set("./\\") else ""
        yield where, unknown("data set", name, catalogue.datasets) + hint
    if isinstance(form, str) and form not in catalogue.formats:
        yield ("dataset", "format"), unknown("format", form, catalogue.formats)
    silence = content.get("silence")
    for code in silence if is_table(silence) else ():
        if code not in catalogue.checks:
            yield ("silence", code), unknown("check", code, catalogue.checks)
    for i, table in _tables(content, "committee"):
        if isinstance(rule := table.get("rule"), str) and rule not in catalogue.rules:
            yield ("committee", i, "rule"), unknown("rule", rule, catalogue.rules)


def _architectures(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """Architectures that there are not, and options that an architecture has not."""
    for kind in ("trial", "sweep"):
        for i, table in _tables(content, kind):
            try:
                # Any model with an architecture takes it in the same short forms.
                architecture = TrialSpec.model_validate({"name": kind, "architecture": table["architecture"]}).architecture
            except (KeyError, ValidationError):
                continue
            found = list(_architecture(architecture, catalogue, (kind, i, "architecture")))
            yield from found
            grid = table.get("grid") if kind == "sweep" and not found else None
            for path, values in leaves(grid) if is_table(grid) else ():
                if len(path) == 2 and path[0] == "architecture" and is_array(values):
                    for value in values:
                        swept = ArchitectureSpec(name=architecture.name, options={**architecture.options, path[1]: value})
                        yield from _architecture(swept, catalogue, (kind, i, "grid", "architecture"))


def _architecture(architecture: ArchitectureSpec, catalogue: Catalogue, place: Location) -> Iterator[Mistake]:
    known = catalogue.architectures
    if architecture.name not in known:
        yield place, unknown("architecture", architecture.name, known)
        return
    model = known[architecture.name]
    try:
        model.model_validate(architecture.options)
    except ValidationError as error:
        yield from ((where, f"{architecture.name}: {what}") for where, what in explain(error, place, model))


def _twice(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """Names used more than once."""
    others = {kind: _names_of(content, kind) for kind in ("committee", "comparison")}
    for kind, names in {"trial": _lines(content, catalogue)[0], **others}.items():
        for name, count in Counter(name for name, _ in names).items():
            if count > 1:
                place = [where for used, where in names if used == name][1]
                yield place, f"the name {name!r} is used {count} times; every {kind} has a name of its own"


def _committees(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """What committees, comparisons and students get wrong about their trials, rules, weights and teachers."""
    named, broken = _lines(content, catalogue)
    yield from committees.mistakes(content, [name for name, _ in named], broken)
    yield from teachers.mistakes(content)


def _parents(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """Warm starts from trials that are not there, or in a circle."""
    names = dict.fromkeys(name for name, _ in _lines(content, catalogue)[0])
    trials = [(i, trial.name, trial.warm_start) for i, trial in _whole(content, "trial", TrialSpec) if trial.warm_start]
    parents = {name: parent for _, name, parent in trials}
    sound: set[str] = set()
    for i, name, parent in trials:
        place = ("trial", i, "warm_start")
        if parent not in names:
            yield place, unknown("trial", parent, names)
        passed = {name}
        while parent is not None and parent not in passed and parent not in sound:
            passed.add(parent)
            parent = parents.get(parent)
        if parent is None or parent in sound:
            sound |= passed
        elif parent == name:
            yield place, "a trial cannot begin with the weights that it ends with itself, nor can several in a circle"


def _search(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """What a search gets wrong about its space."""
    yield from searches.mistakes(content, catalogue.architectures, catalogue.classical, catalogue.lacking)


def _lines(content: dict[str, Any], catalogue: Catalogue) -> tuple[list[tuple[str, Location]], tuple[str, ...]]:
    """The names of all trials, those of sweeps too, with their places; and what names of unreadable sweeps begin with."""
    names = _names_of(content, "trial")
    broken: list[str] = []
    for i, table in _tables(content, "sweep"):
        try:
            sweep = SweepSpec.model_validate(table)
            if any(_grids({"sweep": [table]}, catalogue)):
                raise ValueError
            names += [(trial.name, ("sweep", i, "name")) for trial in combinations(sweep)]
        except ValueError:
            broken.append(f"{table['name']}: " if isinstance(table.get("name"), str) else "")
    return names, tuple(broken)


def _names_of(content: dict[str, Any], kind: str) -> list[tuple[str, Location]]:
    return [
        (name, (kind, i, "name")) for i, table in _tables(content, kind) if isinstance(name := table.get("name"), str)
    ]  # fmt: skip
