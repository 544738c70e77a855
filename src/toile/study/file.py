"""From a TOML file to a StudySpec, or to one error that lists every mistake in the file."""

from __future__ import annotations

import contextlib
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from toile.errors import Misuse
from toile.study.expand import combinations, leaves, merge
from toile.study.mistakes import Location, Mistake, explain, line_of, tell, unknown
from toile.study.spec import ArchitectureSpec, CommitteeSpec, RecipeSpec, Spec, StudySpec, SweepSpec, TrialSpec


@dataclass(frozen=True)
class Catalogue:
    """The names that a study may use, and the options of each architecture."""

    datasets: tuple[str, ...]
    formats: tuple[str, ...]
    rules: tuple[str, ...]
    architectures: Mapping[str, type[BaseModel]]


class StudyError(Misuse):
    """A study file with mistakes: all of them, each with its line or its place in the file."""

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
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"cannot read the study {path}: {error}") from None
    return parse(text, catalogue, source=path.name)


def parse(text: str, catalogue: Catalogue, source: str = "study") -> StudySpec:
    """A study from its text. See `read`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(source, [f"not TOML: {error}"]) from None
    mistakes = [*_shape(content), *_recipes(content)]
    # Names are checked in whatever parts are whole, so that a file's mistakes come all at once.
    mistakes += _names(content, catalogue)
    mistakes += _members(content)
    if mistakes:
        told = sorted((tell(text, location, what) for location, what in mistakes), key=line_of)
        raise StudyError(source, list(dict.fromkeys(told)))
    return StudySpec.model_validate(content)


def _shape(content: dict[str, Any]) -> Iterator[Mistake]:
    """What the models themselves refuse."""
    try:
        StudySpec.model_validate(content)
    except ValidationError as error:
        yield from explain(error, (), StudySpec)


def _recipes(content: dict[str, Any]) -> Iterator[Mistake]:
    """What a trial's or a sweep's own recipe gets wrong. (They are partial, so the models take them as they come.)"""
    for kind in ("trial", "sweep"):
        lines = content.get(kind)
        for i, line in enumerate(lines if isinstance(lines, list) else ()):
            recipe = line.get("recipe", {}) if isinstance(line, dict) else {}
            if isinstance(recipe, dict):
                yield from _recipe(recipe, (kind, i, "recipe"))
            grid = line.get("grid", {}) if isinstance(line, dict) else {}
            if kind == "sweep" and isinstance(grid, dict):
                for path, values in leaves(grid):
                    place = (kind, i, "grid", *path)
                    if len(path) != 2 or path[0] not in ("recipe", "architecture"):
                        yield place, "a grid's keys are recipe.KEY and architecture.KEY"
                    elif not isinstance(values, list) or not values:
                        yield place, f"a list of values is wanted, got {values!r}"
                    elif path[0] == "recipe":
                        for value in values:
                            yield from _recipe({path[1]: value}, (kind, i, "grid", "recipe"))


def _recipe(recipe: dict[str, Any], place: Location) -> Iterator[Mistake]:
    try:
        merge(RecipeSpec(), recipe)
    except ValidationError as error:
        yield from explain(error, place, RecipeSpec)


def _whole(content: dict[str, Any], kind: str, model: type[Spec]) -> Iterator[tuple[int, Any]]:
    """The tables `[[kind]]` that are right in themselves, with their places."""
    lines = content.get(kind)
    for i, line in enumerate(lines if isinstance(lines, list) else ()):
        with contextlib.suppress(ValidationError):
            yield i, model.model_validate(line)


def _names(content: dict[str, Any], catalogue: Catalogue) -> Iterator[Mistake]:
    """Names that nothing is registered under, and options that an architecture has not."""
    dataset = content.get("dataset")
    dataset = {"name": dataset} if isinstance(dataset, str) else dataset if isinstance(dataset, dict) else {}
    for key, known in (("name", catalogue.datasets), ("format", catalogue.formats)):
        if isinstance(name := dataset.get(key), str) and name not in known:
            yield ("dataset", key), unknown("data set" if key == "name" else key, name, known)
    for kind, model in (("trial", TrialSpec), ("sweep", SweepSpec)):
        for i, line in _whole(content, kind, model):
            found = [((kind, i, "architecture"), what) for what in _architecture(line.architecture, catalogue)]
            yield from found
            for path, values in leaves(line.grid) if kind == "sweep" and not found else ():
                for value in values if path[0] == "architecture" and isinstance(values, list) else ():
                    options = {**line.architecture.options, path[-1]: value}
                    swept = ArchitectureSpec(name=line.architecture.name, options=options)
                    yield from (((kind, i, "grid", *path), what) for what in _architecture(swept, catalogue))
    for i, committee in _whole(content, "committee", CommitteeSpec):
        if committee.rule not in catalogue.rules:
            yield ("committee", i, "rule"), unknown("rule", committee.rule, catalogue.rules)


def _architecture(architecture: ArchitectureSpec, catalogue: Catalogue) -> Iterator[str]:
    known = catalogue.architectures
    if architecture.name not in known:
        yield unknown("architecture", architecture.name, known)
        return
    try:
        known[architecture.name].model_validate(architecture.options)
    except ValidationError as error:
        for location, what in explain(error, (), known[architecture.name]):
            yield f"{architecture.name}, option {'.'.join(map(str, location))}: {what}"


def _members(content: dict[str, Any]) -> Iterator[Mistake]:
    """Names used twice, and committees of trials that are not there or of weights that do not fit."""
    names = [line.get("name") for line in content.get("trial") or () if isinstance(line, dict)]
    with contextlib.suppress(ValidationError):
        for _, sweep in _whole(content, "sweep", SweepSpec):
            names += [variant.name for variant in combinations(sweep, RecipeSpec())]
    committees = list(_whole(content, "committee", CommitteeSpec))
    for kind, used in (("trial", names), ("committee", [committee.name for _, committee in committees])):
        for name, count in Counter(used).items():
            if count > 1 and isinstance(name, str):
                yield (kind,), f"the name {name!r} is used {count} times; every {kind} has a name of its own"
    if not names:
        yield (), "a study has at least one [[trial]] or [[sweep]]"
    for i, committee in committees:
        place = ("committee", i)
        for name, count in Counter(committee.members).items():
            if name not in names:
                yield (*place, "members"), unknown("trial", name, [n for n in names if isinstance(n, str)])
            if count > 1:
                yield (*place, "members"), f"{name!r} is named {count} times; use weights instead"
        yield from ((place, what) for what in _weights(committee))
        split = content.get("split") if isinstance(content.get("split"), dict) else {}
        if committee.weights == "fit" and split.get("validation") == 0 and split.get("folds") is None:
            yield (*place, "weights"), "weights are fitted on the validation split, and the study has none"


def _weights(committee: CommitteeSpec) -> Iterator[str]:
    weights, weighted = committee.weights, committee.rule == "weighted-mean"
    if weighted and weights is None:
        yield 'rule "weighted-mean" needs `weights`: one number a member, or "fit"'
    if not weighted and weights is not None:
        yield f"rule {committee.rule!r} takes no weights"
    if isinstance(weights, tuple):
        if len(weights) != len(committee.members):
            yield f"{len(weights)} weights for {len(committee.members)} members"
        if any(w < 0 for w in weights) or sum(weights) <= 0:
            yield f"weights are at least 0 and not all 0, got {list(weights)}"
