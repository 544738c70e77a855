"""Options that are written and can change nothing, because another one is not as they need it.

Whoever writes an option believes that it does something. At its default an option says what would be anyway, and may always be
written. In a grid or a space it is enough that one combination makes something of it. What misleads nobody is no mistake: see
`toile.study.file.harmless`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from pydantic import BaseModel, ValidationError

from toile.study.data.split import SplitSpec
from toile.study.expand import leaves, merge
from toile.study.fields.needs import Needs
from toile.study.fields.strict import is_table, listed
from toile.study.file.checks import MOST, Catalogue
from toile.study.file.harmless import because, seed, without
from toile.study.file.lines import Location
from toile.study.file.mistakes import Mistake
from toile.study.recipe.augmentation import Augmentation
from toile.study.recipe.optimizers import OPTIMIZERS
from toile.study.recipe.recipe import RecipeSpec
from toile.study.recipe.schedules import SCHEDULES
from toile.study.search.search import SearchSpec
from toile.study.search.space import entries, names_of
from toile.study.spec import StudySpec

# What may stand at a key of a table: one value, or several in a grid or a space.
Values = Mapping[str, Sequence[Any]]
_EMA = Needs(("use_ema",), bool, "`use_ema = true`")
_MOMENTUM = Needs(("momentum",), bool, "a `momentum` above 0")
OF_OPTIMIZERS = {"ema_momentum": _EMA, "ema_overwrite_frequency": _EMA, "nesterov": _MOMENTUM}
_BY_EPOCHS = ", ".join(f'"{name}"' for name, kind in SCHEDULES.items() if kind.by_epochs)


def mistakes(content: dict[str, Any], catalogue: Catalogue) -> list[Mistake]:
    """Options of a study without effect, each with its place.

    Args:
        content: the study's, as `tomllib` gives it, with no other mistakes.
    """
    return list(islice(_found(content, catalogue.architectures, catalogue.needs), MOST))


def _found(
    content: dict[str, Any],
    architectures: Mapping[str, type[BaseModel]],
    needs: Mapping[str, Mapping[str, Needs]],
) -> Iterator[Mistake]:
    study = StudySpec.model_validate(content)
    yield from _dataset(study)
    yield from _split(study.split, ("split",))
    space = {} if study.search is None else dict(entries(study.search.space))
    yield from _recipe(content.get("recipe", {}), study.recipe, ("recipe",), space)
    yield from _laid_out(content, study)
    for kind in ("trial", "sweep"):
        for i, line in enumerate(getattr(study, kind)):
            place = (kind, i)
            if line.split is not None:
                yield from _split(line.split, (*place, "split"))
                # Of two trials with two seeds it would seem that they have two splits.
                yield from ((at, f"{said}; leave it out") for at, said in seed(line.split, (*place, "split")))
            yield from _recipe(line.recipe, study.recipe, (*place, "recipe"), {})
            name, grid = line.architecture.name, dict(leaves(line.grid)) if kind == "sweep" else {}
            values = {key: [value] for key, value in line.architecture.options.items()}
            values |= {path[1]: several for path, several in grid.items() if path[0] == "architecture"}
            for key, what in idle(values, _defaults(architectures[name]), needs.get(name, {})):
                inside = ("grid", "architecture") if ("architecture", key) in grid else ("architecture",)
                yield (*place, *inside, key), what
            for path, several in grid.items():
                if path[0] == "recipe":
                    for value in several:
                        yield from _recipe({path[1]: value}, study.recipe, (*place, "grid", "recipe"), {})
    if study.search is not None:
        yield from _search(study.search, study, architectures, needs)


def idle(values: Values, defaults: Mapping[str, Any], needs: Mapping[str, Needs]) -> Iterator[tuple[str, str]]:
    """The options of one table that can have no effect, each with what is to be told of it.

    Args:
        values: what is written; several values of a key are tried in every combination.
        defaults: of all options of the table.
        needs: of some of them.
    """
    for key, need in needs.items():
        if all(_same(value, defaults.get(key)) for value in values.get(key, ())):
            continue
        others = (values.get(other, [defaults.get(other)]) for other in need.keys)
        if not any(need.met(*combination) for combination in product(*others)):
            yield key, _without(need.said)


def _same(value: Any, default: Any) -> bool:
    return listed(value) == default


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {key: field.default for key, field in model.model_fields.items()}


def _dataset(study: StudySpec) -> Iterator[Mistake]:
    asked = study.dataset
    if asked.fit != "pad" and asked.size is None:
        yield ("dataset", "fit"), _without("`size`")


def _split(split: SplitSpec, place: Location) -> Iterator[Mistake]:
    if split.folds is not None and split.validation not in (0, 0.2):
        yield (*place, "validation"), _because("each fold of `folds` is held out in its turn")
    if not split.shuffle and split.folds is None:
        yield (*place, "shuffle"), _without("`folds`: it says how these are cut")


def _recipe(written: dict[str, Any], base: RecipeSpec, place: Location, space: Mapping[Any, Any]) -> Iterator[Mistake]:
    """Of the tables of a recipe that are written at one place; `space` is that of a search, which goes on from them."""
    try:
        recipe = merge(base, {key: written[key] for key in ("optimizer", "augmentation") if key in written})
    except ValidationError:
        return
    if "optimizer" in written:
        name, options = recipe.optimizer.name, recipe.optimizer.options
        proposed = {path[2]: _several(found) for path, found in space.items() if path[:2] == ("recipe", "optimizer")}
        values = {key: [value, *proposed.get(key, ())] for key, value in options.items()}
        known = {key: need for key, need in OF_OPTIMIZERS.items() if key in options and key not in proposed}
        for key, what in idle(values, OPTIMIZERS[name], known):
            yield (*place, "optimizer", key), what
    found, where = recipe.augmentation, (*place, "augmentation")
    if found is None or "augmentation" not in written or any(path[:2] == ("recipe", "augmentation") for path in space):
        return
    if found.elastic is not None and not any(found.elastic.alpha):
        yield (*where, "elastic", "alpha"), "moves no pixel at strength 0; leave `elastic` out"
    if found.erasing is not None and not found.erasing.area[1]:
        yield (*where, "erasing", "area"), "erases nothing of area 0; leave `erasing` out"
    if found == Augmentation() and "grid" not in place:
        yield where, "has nothing in it that changes an image; name what does, as in { rotation = 10 }, or write `false`"


def _laid_out(content: dict[str, Any], study: StudySpec) -> Iterator[Mistake]:
    """`schedule_epochs` of schedules that do not ask how many epochs there are. (A trial drops it then.)"""
    said = _without(f"a schedule that is as long as the training: {_BY_EPOCHS}")
    base, inherited = study.recipe.schedule.by_epochs, [study.recipe.schedule.by_epochs]
    for kind in ("trial", "sweep"):
        for i, line in enumerate(getattr(study, kind)):
            grid = dict(leaves(line.grid)) if kind == "sweep" else {}
            several = grid.get(("recipe", "schedule"), [line.recipe["schedule"]] if "schedule" in line.recipe else None)
            found = (
                [base] if several is None else [merge(RecipeSpec(), {"schedule": one}).schedule.by_epochs for one in several]
            )
            inside = ("grid", "recipe") if ("recipe", "schedule_epochs") in grid else ("recipe",)
            if inside == ("grid", "recipe") or line.recipe.get("schedule_epochs") is not None:
                if not any(found):
                    yield (kind, i, *inside, "schedule_epochs"), said
            else:
                inherited += found
    if study.search is not None:
        named = names_of((study.search.space,), "schedule", study.recipe.schedule.name)
        inherited += [SCHEDULES[name].by_epochs for name in named]
    if content.get("recipe", {}).get("schedule_epochs") is not None and not any(inherited):
        yield ("recipe", "schedule_epochs"), said


def _search(
    search: SearchSpec,
    study: StudySpec,
    architectures: Mapping[str, type[BaseModel]],
    needs: Mapping[str, Mapping[str, Needs]],
) -> Iterator[Mistake]:
    space, names = dict(entries(search.space)), dict(entries(search.space))[("architecture", "name")]
    # By the place of a parameter: what is told of it, once for each that has no use for it; and how many could have one.
    told: dict[Location, list[str]] = {}
    could: dict[Location, int] = {}

    def look(mine: dict[tuple[str, ...], Any], own: Iterable[tuple[str, ...]], name: str, options: Any) -> None:
        """One table of options: those of the space that are in it, tried together."""
        prefix, defaults, known = options
        values = {path[-1]: _several(value) for path, value in mine.items() if path[:-1] == prefix and path[-1] in defaults}
        idles = dict(idle(values, defaults, known))
        for key in values:
            inside = ("when", name) if (*prefix, key) in own else ("space",)
            place = ("search", *inside, *prefix, key)
            could[place] = could.get(place, 0) + (key not in idles)
            told.setdefault(place, []).extend([idles[key]] if key in idles else [])

    for name in names:
        own = dict(entries(search.when.get(name, {})))
        mine = space | own
        look(mine, own, name, (("architecture",), _defaults(architectures[name]), needs.get(name, {})))
        for optimizer in names_of((search.when.get(name, {}), search.space), "optimizer", study.recipe.optimizer.name):
            base = study.recipe.optimizer
            defaults = base.options if base.name == optimizer else OPTIMIZERS[optimizer]
            look(mine, own, name, (("recipe", "optimizer"), defaults, OF_OPTIMIZERS))
    for place, messages in told.items():
        if messages and not could[place]:
            yield place, messages[0]


def _several(value: Any) -> Sequence[Any]:
    """The values of a space's parameter: those listed, or the ends of a range."""
    return [value[key] for key in ("low", "high")] if is_table(value) else value


def _without(said: str) -> str:
    return f"{without(said)}; leave it out, or write that too"


def _because(said: str) -> str:
    return f"{because(said)}; leave it out"
