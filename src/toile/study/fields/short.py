"""Short forms that a study file may use: a name for a table, `false` for nothing, options beside a name."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, BeforeValidator

from toile.study.fields.strict import is_table, off
from toile.text import brief


def _named(value: Any) -> Any:
    """`x = "name"` is short for `x = { name = "name" }`."""
    if isinstance(value, str):
        return {"name": value}
    if not is_table(value) and not isinstance(value, BaseModel):
        raise ValueError(f"a name or a table is wanted, got {brief(value)}")
    return value


def _off(value: Any) -> Any:
    """TOML has no null: `false` takes a table of the study's recipe away."""
    if value is True:
        raise ValueError("a table or `false` is wanted, got true; `{}` is the table of all defaults")
    return off(value)


def or_name(model: Any) -> BeforeValidator:
    return BeforeValidator(_named, json_schema_input_type=str | model)


def or_false(model: Any) -> BeforeValidator:
    return BeforeValidator(_off, json_schema_input_type=Literal[False] | model)


def flat(value: Any) -> Any:
    """Options beside the name, as in `{ name = "sgd", momentum = 0.9 }`, are put into a table of their own."""
    if is_table(value) and "options" not in value:
        name = {"name": value["name"]} if "name" in value else {}
        return {**name, "options": {key: option for key, option in value.items() if key != "name"}}
    return value
