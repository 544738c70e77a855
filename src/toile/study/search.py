"""What a study file may say of a search: a space of trials, how trials are proposed, and what may be spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from toile.study.dataset import Seed
from toile.study.strict import Spec, is_array, is_table, off

Path = tuple[str, ...]
# Tables of a recipe whose keys a space may name one by one, as in recipe.optimizer.learning_rate.
TABLES = ("optimizer", "schedule", "augmentation", "early_stopping")
BUDGETS = ("trials", "minutes", "core_seconds")

Pruning = Annotated[
    Literal["asha", "halving", "hyperband"] | None,
    BeforeValidator(off, json_schema_input_type=Literal[False, "asha", "halving", "hyperband"]),
]


class Range(Spec):
    """Numbers from `low` to `high`, both included. They are whole where all that is written here is."""

    low: int | float = Field(description="smallest")
    high: int | float = Field(description="largest")
    log: bool = Field(default=False, description="as likely between 1 and 10 as between 10 and 100")
    step: int | float | None = Field(default=None, description="distance of neighbours, counted from `low`; not with `log`")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"`low` is below `high`, got {self.low} and {self.high}; one value alone is written [{self.low}]")
        if self.log and self.low <= 0:
            raise ValueError(f"a range with `log` is above 0, got low = {self.low}")
        if self.step is not None and (self.log or not 0 < self.step <= self.high - self.low):
            raise ValueError(f"a step is above 0, at most `high` - `low` and not with `log`, got {self.step}")
        return self

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 0))


Choices = list[Any] | Range


class SearchSpec(Spec):
    """A space of trials that is explored under a budget. The state of a search is its runs: nothing else is kept."""

    space: Annotated[dict[str, Any], Field(min_length=1)] = Field(
        description="`recipe.KEY`, `recipe.TABLE.KEY` or `architecture.KEY` = a list of values, or a range "
        "`{ low = 1e-4, high = 1e-2, log = true }`; `architecture.name` lists the architectures. What only some of them, or of "
        "the optimizers and schedules, have is proposed for these"
    )
    when: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="`when.ARCHITECTURE`: as `space`, and instead of it, for this architecture alone"
    )
    sampler: Literal["tpe", "random", "gp", "cma-es"] = Field(
        default="tpe",
        description="how values are proposed, by Optuna; `gp` needs PyTorch too, and `cma-es` two ranges or more that every "
        "proposal has",
    )
    trials: Annotated[int, Field(ge=1, le=10_000)] | None = Field(default=None, description="budget: how many are proposed")
    minutes: Annotated[float, Field(gt=0)] | None = Field(default=None, description="budget: how long one `toile run` trains")
    core_seconds: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="budget: of all trainings of the search together, as their runs say; nothing is begun that is likely to "
        "take more than is left",
    )
    seed: Seed = Field(default=0, description="of the proposals; `seeds` of the study are those that each is trained with")
    width: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=4,
        description="proposals that may be open at once: each is made from the figures of all but the last `width` - 1. At "
        "least the number of workers, or some of them are idle; another width is another search",
    )
    pruning: Pruning = Field(
        default="asha",
        description="most proposals are trained for a few epochs, the best of them go on: successive halving (`halving`), "
        "several with different first epochs (`hyperband`), or without waiting for all (`asha`); `false`: each to its end",
    )
    factor: Annotated[int, Field(ge=2, le=100)] = Field(
        default=3, description="of pruning: one of so many goes on, for so many times the epochs"
    )
    first_epochs: Annotated[int, Field(ge=1)] = Field(default=1, description="of pruning: the fewest epochs")
    metric: Literal["accuracy", "loss"] = Field(default="accuracy", description="of the validation images: what is to be best")
    committee: bool = Field(
        default=True, description="whether the best committee of all that was trained is chosen at the end, by `greedy`"
    )

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if all(getattr(self, key) is None for key in BUDGETS):
            raise ValueError("a budget is wanted: `trials`, `minutes` or `core_seconds`")
        return self


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
