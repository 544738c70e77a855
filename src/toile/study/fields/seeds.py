"""Seeds: what is drawn at random is drawn from one, the same on every machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from toile.study.fields.strict import listed
from toile.text import brief

Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError(f"every seed once is wanted, got {brief(list(value))}")
    return value


Seeds = Annotated[tuple[Seed, ...], BeforeValidator(listed), Field(min_length=1), AfterValidator(_distinct)]
