"""What is done about classes of which there are few images: weights of the loss, or more of their images."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field

from toile.study.fields.strict import is_table, listed, off
from toile.text import brief

Weight = Annotated[float, Field(gt=0)]
_WANTED = '"balanced", a table class -> weight, a list of one weight a class, or `false` is wanted'


def _weights(value: Any) -> Any:
    value = off(listed(value))
    if value is None or value == "balanced":
        return value
    numbers = _numbers(value)
    if not numbers:
        raise ValueError(f"{_WANTED}, got {brief(value)}")
    for one in numbers:
        if isinstance(one, bool) or not isinstance(one, int | float) or not 0 < one < float("inf"):
            raise ValueError(f"weights are finite numbers above 0, got {brief(one)}")
    return value


def _numbers(value: object) -> tuple[Any, ...]:
    """Those of a table or a list; none of anything else."""
    if is_table(value):
        return tuple(value.values())
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()


ClassWeight = Annotated[
    Literal["balanced"] | dict[str, Weight] | tuple[Weight, ...] | None,
    BeforeValidator(_weights, json_schema_input_type=Literal["balanced", False] | dict[str, Weight] | list[Weight]),
]
Sampling = Annotated[Literal["balanced"] | None, BeforeValidator(off, json_schema_input_type=Literal["balanced", False])]
