"""What a study file may say of a teacher: a committee whose probabilities a trial learns from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from toile.study.fields.names import Name
from toile.study.fields.strict import Spec


class Teacher(Spec):
    """Distillation (Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015): the trial, a student, learns
    from what a committee says of its training images, and less from their labels."""

    name: Name = Field(description="of a committee of the study with `members`; these are trained first")
    temperature: Annotated[float, Field(ge=1, le=100)] = Field(
        default=2.0, description="by which the log-probabilities of both are divided: above 1, wrong classes count more"
    )
    hard_labels: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1, description="weight of the loss on the labels; the rest is that on the committee's probabilities"
    )


def _short(value: Any) -> Any:
    """`teacher = "NAME"` is short for `teacher = { name = "NAME" }`; `false` takes the study's away."""
    if value is False:
        return None
    return {"name": value} if isinstance(value, str) else value


Taught = Annotated[Teacher | None, BeforeValidator(_short, json_schema_input_type=str | Teacher)]
