"""What a study file may say of a committee."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from toile.study.published import Published
from toile.study.strict import Floats, Name, Spec, Strings, listed

# Rules that are nothing until they are fitted; "weighted-mean" is fitted where its weights are "fit".
FITTED_RULES = ("log-pool", "stack")


class CommitteeSpec(Spec):
    """Stored runs combined at the level of probabilities. (Also called an ensemble.)"""

    name: Name = Field(description="no other committee of the study has it")
    members: Annotated[Strings, Field(min_length=1)] = Field(description="names of trials")
    across: Literal["seeds"] | None = Field(
        None, description='`"seeds"`: the trainings of all seeds are members of one committee, instead of one for each seed'
    )
    rule: Name = Field("mean", description="how probabilities become one, as `toile list` shows the rules")
    weights: Annotated[Floats | Literal["fit"] | None, BeforeValidator(listed)] = Field(
        None, description='for `weighted-mean`: one number a member, or `"fit"`: fitted on the validation split'
    )
    published: Published | None = Field(None, description="figures to be shown beside the measured ones")
    note: str | None = Field(None, description="what a reader of the report should know")

    @property
    def fitted(self) -> bool:
        """Whether its rule has numbers that are fitted."""
        return self.rule in FITTED_RULES or self.weights == "fit"
