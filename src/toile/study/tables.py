"""The tables `[[kind]]` of a study's content, as `tomllib` gives it, which may be anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from toile.study.strict import Spec


def tables(content: dict[str, Any], kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tables `[[kind]]`, with their positions."""
    tables = content.get(kind)
    for i, table in enumerate(tables if isinstance(tables, list) else ()):
        if isinstance(table, dict):
            yield i, table


def whole(content: dict[str, Any], kind: str, model: type[Spec]) -> Iterator[tuple[int, Any]]:
    """The tables `[[kind]]` that are right in themselves, as their models, with their positions."""
    for i, table in tables(content, kind):
        try:
            yield i, model.model_validate(table)
        except ValidationError:
            continue
