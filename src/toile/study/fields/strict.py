"""What all models of a study file have in common: nothing unknown, nothing converted in silence, nothing changed later."""

from __future__ import annotations

from typing import Annotated, Any, TypeGuard

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Spec(BaseModel):
    """Base of every model here: no unknown key, no silent conversion, no NaN, no change after it is made."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether it is what `tomllib` makes of a table."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether it is what `tomllib` makes of an array."""
    return isinstance(value, list)


def listed(value: Any) -> Any:
    """TOML arrays arrive as lists; the frozen models hold tuples."""
    return tuple(value) if is_array(value) else value


def off(value: Any) -> Any:
    """TOML has no null: `false` says that something is not there."""
    return None if value is False else value


Fraction = Annotated[float, Field(ge=0, lt=1)]
Strings = Annotated[tuple[str, ...], BeforeValidator(listed)]
Integers = Annotated[tuple[int, ...], BeforeValidator(listed)]
Floats = Annotated[tuple[float, ...], BeforeValidator(listed)]
