"""Mistakes in a study file, told in toile's words: where, what, what was got, what is allowed, the nearest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toile.errors import nearest
from toile.study.file.lines import Location
from toile.text import brief, cut, listed

Mistake = tuple[Location, str]

_EXPLAINED = 400  # of pydantic's, of which there may be several for one mistake; of more, nobody reads on

# pydantic's types of error that say "another kind of value", by the kind that is wanted.
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "none_required": "nothing",
}
# Those that say "not this value", by what is said of it.
_BOUNDS = {
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "string_too_short": "text of at least {min_length} character",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "at least {min_length} value",
}


# What people write beside the optimizer.
_OF_OPTIMIZERS = ("learning_rate", "momentum", "nesterov", "weight_decay")


def explain(error: ValidationError, place: Location, model: type[BaseModel]) -> Iterator[Mistake]:
    """pydantic's mistakes in toile's words: what, got, allowed, nearest.

    Args:
        place: where in the study file `model` was to be read.
    """
    found = [(_location(model, mistake["loc"]), mistake) for mistake in error.errors(include_url=False)[:_EXPLAINED]]
    for location in dict.fromkeys(location for location, _ in found):
        here = [mistake for at, mistake in found if at == location]
        # Where one of several kinds of value may stand, pydantic says of each why it is not that one. What is wrong
        # inside the kind that was meant says more than that it is not of another kind.
        inside = any(len(at) > len(location) and at[: len(location)] == location for at, _ in found)
        of_kind = [mistake for mistake in here if mistake["type"] not in _KINDS]
        if len(here) > 1 or inside:
            of_kind = [mistake for mistake in of_kind if mistake["type"] != "literal_error"]
        for mistake in of_kind:
            yield (*place, *location), _say(mistake, location, model)
        if not of_kind and not inside:
            yield (*place, *location), _kinds(here)


def _say(mistake: ErrorDetails, location: Location, model: type[BaseModel]) -> str:
    """One mistake that is no matter of kind."""
    kind, got, context = mistake["type"], mistake.get("input"), mistake.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = sorted({key for choice in _choices(model, mistake["loc"][:-1]) for key in choice.model_fields})
        if "optimizer" in allowed and location[-1] in _OF_OPTIMIZERS:
            return f'belongs to the optimizer: `optimizer = {{ name = "adam", {location[-1]} = {_short(got)} }}`'
        return f"unknown key{nearest(str(location[-1]), allowed)}; known: {', '.join(allowed)}"
    if kind == "missing":
        return "is missing"
    if kind == "union_tag_not_found":
        return f"a `name` is wanted, got {_short(got)}"
    if kind == "union_tag_invalid":
        return unknown(str(location[-1]), str(context["tag"]), _quoted(context["expected_tags"]))
    if kind == "literal_error":
        return unknown(str(location[-1]), str(got), _quoted(context["expected"]))
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        # Not "below 1.0": whoever reads it writes 1.
        bounds = {key: int(bound) if bound == int(bound) else bound for key, bound in context.items() if _is_number(bound)}
        return f"{_BOUNDS[kind].format(**bounds)} is wanted, got {_short(got)}"
    return f"{mistake['msg'][0].lower()}{mistake['msg'][1:]}, got {_short(got)}"


def _kinds(mistakes: list[ErrorDetails]) -> str:
    """Mistakes at one place, each saying what kind of value it might have been."""
    got: Any = mistakes[0].get("input")
    words: list[str] = []
    for mistake in mistakes:
        literal = mistake["type"] == "literal_error"
        words += [f'"{name}"' for name in _quoted(mistake.get("ctx", {})["expected"])] if literal else [_KINDS[mistake["type"]]]
    near = nearest(got, [word.strip('"') for word in words if word.startswith('"')]) if isinstance(got, str) else ""
    return f"{' or '.join(dict.fromkeys(words))} is wanted, got {_short(got)}{near}"


def _location(model: type[BaseModel], loc: Location) -> Location:
    """pydantic's location without what it adds: the kind of value it tried, the name by which it chose a model."""
    kept: list[str | int] = []
    for i, part in enumerate(loc):
        choices = _choices(model, loc[:i])
        is_key = any(part in choice.model_fields for choice in choices)
        is_tag = any(_tag(choice) == part for choice in choices)
        is_kind = isinstance(part, str) and bool(re.search(r"[\[(]|^(int|float|bool|str|constrained-\w+)$", part))
        if is_key or not (is_tag or is_kind):
            kept.append(part)
    return tuple(kept)


def _choices(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    """The models that may stand at `location` of `model`."""
    choices = [model]
    for part in location:
        tagged = [choice for choice in choices if _tag(choice) == part]
        fields = [choice.model_fields[part] for choice in choices if part in choice.model_fields]
        if tagged and not fields:
            choices = tagged
        elif fields:
            choices = [inner for field in fields for inner in _models(field)]
    return choices


def _tag(model: type[BaseModel]) -> str | None:
    """The name by which one of several models is chosen, such as a schedule's."""
    name = model.model_fields.get("name")
    return get_args(name.annotation)[0] if name and get_origin(name.annotation) is Literal else None


def _models(field: Any) -> Iterator[type[BaseModel]]:
    """The models in a field's type, however deep in unions and tuples."""
    annotation = getattr(field, "annotation", field)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def _short(value: Any) -> str:
    """A value as its author wrote it, more or less, and no longer than a line."""
    if isinstance(value, bool):
        return str(value).lower()
    return brief(list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value)


def spell(location: Location) -> str:
    """`("trial", 0, "name")` as `trial[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def unknown(kind: str, name: str, allowed: Iterable[str]) -> str:
    """`name` is not among `allowed`; what is nearest; what there is."""
    allowed = list(dict.fromkeys(allowed))
    return f"unknown {kind} {cut(repr(name), 200)}{nearest(name, allowed)}; known: {listed(allowed, 50) or 'none'}"
