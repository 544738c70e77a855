"""What a study file may say of a committee."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from toile.study.fields.names import Name, Sayable
from toile.study.fields.published import Published
from toile.study.fields.strict import Floats, Spec, Strings, listed, off

# Rules that are nothing until they are fitted; "weighted-mean" is fitted where its weights are "fit".
FITTED_RULES = ("log-pool", "stack", "greedy")
# Rules whose own fit says how sure they may be, and so leaves nothing to a calibration after it.
CALIBRATED_RULES = ("log-pool", "stack")
# `committee = "k-fold"`: every line's folds as one member, and all of them in a pool that is fitted on the images held out.
K_FOLD = {"name": "k-fold", "members": ["*"], "across": "folds", "rule": "log-pool"}

Calibration = Annotated[
    Literal["temperature", "vector", "isotonic", "auto"] | None,
    BeforeValidator(off, json_schema_input_type=Literal[False, "temperature", "vector", "isotonic", "auto"]),
]


class CommitteeSpec(Spec):
    """Stored runs combined at the level of probabilities. (Also called an ensemble.)"""

    name: Sayable = Field(description="no other committee of the study has it; as in [[trial]]")
    members: Annotated[Strings, Field(min_length=1)] = Field(
        default=(), description="names of trials, or patterns such as `model-*`"
    )
    candidates: Annotated[Strings, Field(min_length=1)] = Field(
        default=(),
        description="for `greedy`, instead of `members`: names or patterns of trials; trainings of all seeds may be chosen",
    )
    among: Literal["study", "store"] = Field(
        default="study",
        description='where `candidates` are looked for: `"store"`: also among all stored runs with the same images and split, '
        "known by their architectures",
    )
    across: Literal["seeds", "folds"] | None = Field(
        default=None,
        description='`"seeds"`: the trainings of all seeds are members of one committee, instead of one for each seed; '
        '`"folds"`: the trainings of all folds of a trial are one member, fitted on what they say of the images held out',
    )
    rule: Name = Field(default="mean", description="how probabilities become one, as `toile list` shows the rules")
    weights: Annotated[Floats | Literal["fit"] | None, BeforeValidator(listed)] = Field(
        default=None, description='for `weighted-mean`: one number a member, or `"fit"`: fitted on images held out'
    )
    calibration: Calibration = Field(
        default=None, description="what is done to the joint probabilities, fitted on the same images as a rule is"
    )
    max_members: Annotated[int, Field(ge=1)] | None = Field(default=None, description="for `greedy`: choose so many at most")
    max_parameters: Annotated[int, Field(ge=1)] | None = Field(default=None, description="for `greedy`: of all that are chosen")
    max_milliseconds: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="for `greedy`: of all that are chosen, for an image, as their runs were evaluated"
    )
    published: Published | None = Field(default=None, description="figures to be shown beside the measured ones")
    note: str | None = Field(default=None, description="what a reader of the report should know")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.members) == bool(self.candidates):
            raise ValueError("a committee is given by exactly one of `members` and `candidates`")
        return self

    @property
    def fitted(self) -> bool:
        """Whether its rule has numbers that are fitted."""
        return self.rule in FITTED_RULES or self.weights == "fit"

    @property
    def calibrated(self) -> Calibration:
        """The calibration that is fitted after the rule; None for a rule that its own fit calibrates."""
        return None if self.rule in CALIBRATED_RULES else self.calibration

    @property
    def budgets(self) -> dict[str, float]:
        """What a choice among candidates may cost, by key; those that are given."""
        found = {key: getattr(self, key) for key in ("max_members", "max_parameters", "max_milliseconds")}
        return {key: value for key, value in found.items() if value is not None}
