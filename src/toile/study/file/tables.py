"""The tables `[[kind]]` of a study's content, as `tomllib` gives it, which may be anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import ValidationError

from toile.study.fields.strict import Spec, is_array, is_table

Whole = TypeVar("Whole", bound=Spec)


def tables(content: dict[str, Any], kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tables `[[kind]]`, with their positions."""
    found = content.get(kind)
    for i, table in enumerate(found if is_array(found) else []):
        if is_table(table):
            yield i, table


def whole(content: dict[str, Any], kind: str, model: type[Whole]) -> Iterator[tuple[int, Whole]]:
    """The tables `[[kind]]` that are right in themselves, as their models, with their positions."""
    for i, table in tables(content, kind):
        try:
            yield i, model.model_validate(table)
        except ValidationError:
            continue
