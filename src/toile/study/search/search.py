"""What a study file may say of a search: a space of trials, how trials are proposed, and what may be spent."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from toile.study.fields.seeds import Seed
from toile.study.fields.strict import Spec, off

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
