"""From a TOML file to a StudySpec, or to one error that lists every mistake in the file."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from toile.errors import Misuse
from toile.study import lines
from toile.study.expand import combinations, leaves, merge
from toile.study.lines import Location
from toile.study.mistakes import Mistake, explain, spell, unknown
from toile.study.spec import ArchitectureSpec, CommitteeSpec, RecipeSpec, Spec, StudySpec, SweepSpec, TrialSpec
from toile.study.strict import is_array, is_table

Whole = TypeVar("Whole", bound=Spec)


@dataclass(frozen=True)
class Catalogue:
    """The names that a study may use, and the options of each architecture."""

    datasets: tuple[str, ...]
    formats: tuple[str, ...]
    rules: tuple[str, ...]
    architectures: Mapping[str, type[BaseModel]]


class StudyError(Misuse):
    """A study file with mistakes: all of them, each with its line and its place in the file."""

    def __init__(self, source: str, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{source} has {count}:\n" + "\n".join(f"  {mistake}" for mistake in mistakes))


def read(path: Path, catalogue: Catalogue) -> StudySpec:
    """Read and check a study file.

    Raises:
        StudyError: everything that is wrong with it.
        Misuse: it cannot be read at all.
    """
    try:
        text = path.read_text("utf-8-sig")  # some editors on Windows put a mark before the first character
    except OSError as error:
        raise Misuse(f"cannot read the study {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise Misuse(f"cannot read the study {path}: it is not text in UTF-8 (byte {error.start})") from None
    return parse(text, catalogue, source=path.name)


def parse(text: str, catalogue: Catalogue, source: str = "study") -> StudySpec:
    """A study from its text.

    Args:
        source: what to call the text in an error.

    Raises:
        StudyError: everything that is wrong with it.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also: a number of thousands of digits, tables a thousand deep
        raise StudyError(source, [f"not TOML: {error}"]) from None
    if wrong := mistakes(content, catalogue):
        places = lines.positions(text)
        found = [(lines.line(places, location) or 0, spell(location), what) for location, what in wrong]
        told = [
            (f"line {line}: " if line else "") + (f"{path}: " if path else "") + what
            for line, path, what in sorted(found, key=lambda mistake: mistake[0])
        ]
        raise StudyError(source, list(dict.fromkeys(told)))
    return StudySpec.model_validate(content)


def mistakes(content: dict[str, Any], catalogue: Catalogue) -> list[Mistake]:
    """Everything that is wrong with a study's content, as `tomllib` gives it, each with its place there."""
    # Each check looks at whatever parts are whole, so that a file's mistakes come all at once.
    checks = (_shape, _recipes, _grids, _names, _architectures, _twice, _members, _weights, _parents)
    return [mistake for check in checks for mistake in check(content, catalogue)]


def _shape(content: dict[str, Any], _: Catalogue) -> Iterator[Mistake]:
    """What the models themselves refuse."""
    try:
        StudySpec.model_validate(content)
    except ValidationError as error:
        yield from explain(error, (), StudySpec)
    if not content.get("trial") and not content.get("sweep"):
        yield (), "a study has at least one [[trial]] or [[sweep]]"


def _recipes(content: dict[str, Any], _: Catalogue) -> Iterator[Mistake]:
    """What a trial's or a sweep's own recipe gets wrong. (They are partial, so the models take them as they come.)"""
    for kind in ("trial", "sweep"):
        for i, table in _tables(content, kind):
            if is_table(recipe := table.get("recipe")):
                yield from _recipe(recipe, (kind, i, "recipe"))


def _recipe(recipe: dict[str, Any], place: Location) -> Iterator[Mistake]:
    try:
        merge(RecipeSpec(), recipe)
    except ValidationError as error:
        yield from explain(error, place, RecipeSpec)


def _grids(content: dict[str, Any], _: Catalogue) -> Iterator[Mistake]:
    """Keys that no grid has, and values that a recipe cannot have."""
    for i, table in _tables(content, "sweep"):
        grid = table.get("grid")
        for path, values in leaves(grid) if is_table(grid) else ():
            place = ("sweep", i, "grid", *path)
            if len(path) != 2 or path[0] not in ("recipe", "architecture"):
                yield place, "a grid's keys are recipe.KEY and architecture.KEY"
            elif not is_array(values) or not values:
                yield place, f"a list of values is wanted, got {values!r}"
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


def _members(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """Committees and comparisons of trials that are not there, or that are named twice."""
    named, broken = _lines(content, catalogue)
    names = [name for name, _ in named]
    hints = {"members": "`weights` says that one member counts more than another", "trials": "once is enough"}
    for kind, key in (("committee", "members"), ("comparison", "trials")):
        for i, table in _tables(content, kind):
            members = table.get(key)
            members = [name for name in members if isinstance(name, str)] if is_array(members) else []
            for name, count in Counter(members).items():
                place = (kind, i, key, members.index(name))
                if name not in names and not name.startswith(broken):
                    yield place, unknown("trial", name, names)
                if count > 1:
                    yield place, f"{name!r} is named {count} times; {hints[key]}"


def _weights(content: dict[str, Any], _: Catalogue) -> Iterator[Mistake]:
    """Weights that do not fit their committee."""
    asked = content.get("split")
    split = asked if is_table(asked) else {}
    for i, committee in _whole(content, "committee", CommitteeSpec):
        place, weights = ("committee", i, "weights"), committee.weights
        if committee.rule == "weighted-mean" and weights is None:
            yield ("committee", i, "rule"), 'rule "weighted-mean" needs `weights`: one number a member, or "fit"'
        if committee.rule != "weighted-mean" and weights is not None:
            yield place, f'only the rule "weighted-mean" takes weights; the rule is {committee.rule!r}'
        if weights == "fit" and split.get("validation") == 0 and split.get("folds") is None:
            yield place, "weights are fitted on the validation split, and the study has none (split.validation = 0)"
        if isinstance(weights, tuple) and committee.across:
            yield (
                place,
                f"a committee across {committee.across} has as many members as there are {committee.across}: no weights",
            )
        elif isinstance(weights, tuple):
            if len(weights) != len(committee.members):
                yield place, f"one number a member is wanted, got {len(weights)} for {len(committee.members)} members"
            if any(weight < 0 for weight in weights) or sum(weights) <= 0:
                yield place, f"weights are at least 0 and not all 0, got {list(weights)}"


def _parents(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """Warm starts from trials that are not there, or in a circle."""
    names = [name for name, _ in _lines(content, catalogue)[0]]
    trials = [(i, trial.name, trial.warm_start) for i, trial in _whole(content, "trial", TrialSpec) if trial.warm_start]
    parents = {name: parent for _, name, parent in trials}
    for i, name, parent in trials:
        place = ("trial", i, "warm_start")
        if parent not in names:
            yield place, unknown("trial", parent, names)
        passed = {name}
        while parent is not None and parent not in passed:
            passed.add(parent)
            parent = parents.get(parent)
        if parent == name:
            yield place, "a trial cannot begin with the weights that it ends with itself, nor can several in a circle"


def _tables(content: dict[str, Any], kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tables `[[kind]]`, with their positions."""
    tables = content.get(kind)
    for i, table in enumerate(tables if is_array(tables) else []):
        if is_table(table):
            yield i, table


def _whole(content: dict[str, Any], kind: str, model: type[Whole]) -> Iterator[tuple[int, Whole]]:
    """The tables `[[kind]]` that are right in themselves, as their models, with their positions."""
    for i, table in _tables(content, kind):
        try:
            yield i, model.model_validate(table)
        except ValidationError:
            continue


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
