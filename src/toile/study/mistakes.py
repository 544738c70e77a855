"""Mistakes in a study file, told in toile's words: where, what, what was got, what is allowed, the nearest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from toile.errors import nearest

Location = tuple[str | int, ...]
Mistake = tuple[Location, str]


def explain(error: ValidationError, place: Location, model: type[BaseModel]) -> Iterator[Mistake]:
    """pydantic's mistakes in toile's words: what, got, allowed, nearest."""
    for mistake in error.errors(include_url=False):
        location = (*place, *(part for part in mistake["loc"] if not _internal(part)))
        got = mistake.get("input")
        if mistake["type"] == "extra_forbidden":
            allowed = _keys(model, mistake["loc"][:-1])
            what = f"unknown key{nearest(str(location[-1]), allowed)}; known: {', '.join(sorted(allowed))}"
        elif mistake["type"] == "missing":
            what = "is missing"
        elif mistake["type"] in ("union_tag_invalid", "literal_error"):
            context = mistake["ctx"]
            expected = context.get("expected_tags") or context["expected"]
            got = got.get("name") if isinstance(got, dict) else got
            names = re.findall(r"'([^']*)'", expected)
            what = unknown(str(location[-1]) if location else "name", str(got), names)
        elif mistake["type"] == "value_error":
            what = str(mistake["ctx"]["error"])
        else:
            what = f"{mistake['msg'][0].lower()}{mistake['msg'][1:]}, got {_short(got)}"
        yield location, what


def _internal(part: str | int) -> bool:
    """Parts of a location that pydantic adds: the names of its validators."""
    return isinstance(part, str) and bool(re.search(r"[\[(]|^(tuple|literal|function)", part))


def _keys(model: type[BaseModel], location: Location) -> set[str]:
    """The keys that are allowed at `location` of `model`."""
    choices = [model]
    for part in location:
        if isinstance(part, int) or _internal(part):
            continue
        tagged = [choice for choice in choices if _tag(choice) == part]
        inside = [m for choice in choices if part in choice.model_fields for m in _models(choice.model_fields[part])]
        choices = tagged or inside
    return {key for choice in choices for key in choice.model_fields}


def _tag(model: type[BaseModel]) -> str | None:
    """The name by which one of several models is chosen, such as a schedule's."""
    name = model.model_fields.get("name")
    return name.annotation.__args__[0] if name and get_origin(name.annotation) is Literal else None


def _models(field: Any) -> Iterator[type[BaseModel]]:
    """The models in a field's type, however deep in unions and tuples."""
    annotation = getattr(field, "annotation", field)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def tell(text: str, location: Location, what: str) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    line = _line(text, location)
    return f"{f'line {line}: ' if line else ''}{f'{path}: ' if path else ''}{what}"


def _line(text: str, location: Location) -> int | None:
    """The line of the deepest part of `location` that can be found by its key, counting array tables as they come."""
    lines, at, found = text.splitlines(), 0, None
    for i, part in enumerate(location):
        if isinstance(part, int):
            continue
        index = location[i + 1] if i + 1 < len(location) and isinstance(location[i + 1], int) else None
        key = re.escape(part)
        pattern = rf"\s*(\[\[{key}\]\]|\[([\w-]+\.)*{key}\]|{key}\s*[.=]|.*[{{,.]\s*{key}\s*=)"
        hits = [n for n in range(at, len(lines)) if re.match(pattern, lines[n])]
        if not hits:
            break
        at = hits[min(index or 0, len(hits) - 1)]
        found = at + 1
    return found


def unknown(kind: str, name: str, allowed: Any) -> str:
    return f"unknown {kind} {name!r}{nearest(name, allowed)}; known: {', '.join(allowed)}"


def line_of(told: str) -> int:
    """The line that a told mistake names, for sorting; 0 where it names none."""
    found = re.match(r"line (\d+):", told)
    return int(found[1]) if found else 0
