"""From what a study says to the trainings it means: recipes merged, grids multiplied out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from toile.errors import Misuse
from toile.study.committee import Calibration
from toile.study.data.split import SplitSpec
from toile.study.fields.published import Published
from toile.study.fields.seeds import Seeds
from toile.study.fields.strict import is_array, is_table
from toile.study.recipe.recipe import RecipeSpec
from toile.study.spec import ArchitectureSpec, StudySpec, SweepSpec, TrialSpec
from toile.text import printable


@dataclass(frozen=True)
class Variant:
    """One line of a study before data, seeds and folds are known.

    `recipe` is the study's with what the line itself says in its place; `own_recipe` are the keys that it says.
    """

    name: str
    architecture: ArchitectureSpec
    recipe: RecipeSpec
    seeds: tuple[int, ...]
    split: SplitSpec
    warm_start: str | None
    published: Published | None
    own_recipe: frozenset[str] = frozenset()
    calibration: Calibration = None


def merge(base: RecipeSpec, changes: dict[str, Any]) -> RecipeSpec:
    """`base` with `changes` in its place, key by key; a table such as `early_stopping` is replaced whole.

    Raises:
        pydantic.ValidationError: a key or a value that a recipe cannot have.
    """
    return RecipeSpec.model_validate({**base.model_dump(), **changes})


def leaves(grid: dict[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """`{"recipe": {"batch_size": [16, 32]}}` as `(("recipe", "batch_size"), [16, 32])`, in the order written."""
    for key, value in grid.items():
        path = (*prefix, *key.split("."))
        if is_table(value) and len(path) < 2:
            yield from leaves(value, path)
        else:
            yield path, value


def combinations(sweep: SweepSpec) -> Iterator[TrialSpec]:
    """Every combination of a sweep's grid as a trial, the last key changing fastest."""
    axes = list(leaves(sweep.grid))
    for values in itertools.product(*(values for _, values in axes)):
        recipe, options = dict(sweep.recipe), dict(sweep.architecture.options)
        label: list[str] = []
        for (path, _), value in zip(axes, values, strict=True):
            (recipe if path[0] == "recipe" else options)[path[1]] = value
            # A path or whatever else a value is, the name can be said on the command line.
            label.append(printable(f"{path[1]}={_short(value)}", keep="").replace("/", "-"))
        yield TrialSpec(
            name=f"{sweep.name}: {', '.join(label)}"[:120],
            architecture=ArchitectureSpec(name=sweep.architecture.name, options=options),
            recipe=recipe,
            split=sweep.split,
            seeds=sweep.seeds,
            calibration=sweep.calibration,
        )


def with_seeds(study: StudySpec, seeds: Sequence[int]) -> StudySpec:
    """The study with other seeds, in place of its own and of those that single lines have.

    Raises:
        Misuse: no seed, one twice, or one that is none.
    """
    try:
        checked = TypeAdapter[tuple[int, ...]](Seeds).validate_python(list(seeds))
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise Misuse(f"seeds {list(seeds)}: {why}; give whole numbers from 0 up, each once, such as --seeds 0 1 2") from None
    trials = tuple(one.model_copy(update={"seeds": None}) for one in study.trial)
    sweeps = tuple(one.model_copy(update={"seeds": None}) for one in study.sweep)
    return study.model_copy(update={"seeds": checked, "trial": trials, "sweep": sweeps})


def variants(study: StudySpec) -> list[Variant]:
    """All lines of a study: its trials, then its sweeps."""
    trials = [*study.trial, *(trial for sweep in study.sweep for trial in combinations(sweep))]
    return [
        Variant(
            name=trial.name,
            architecture=trial.architecture,
            recipe=merge(study.recipe, trial.recipe),
            seeds=trial.seeds or study.seeds,
            split=trial.split or study.split,
            warm_start=trial.warm_start,
            published=trial.published,
            own_recipe=frozenset(trial.recipe),
            calibration=trial.calibration,
        )
        for trial in trials
    ]


def _short(value: Any) -> str:
    if is_table(value):
        rest = [f"{key}={_short(option)}" for key, option in value.items() if key != "name"]
        return " ".join([str(value.get("name", "")), *rest]).strip()
    if is_array(value):
        return "-".join(map(str, value))
    return str(value)
