"""Every key of a study file, as Markdown: from the models that read it, so that it cannot say anything else than they do.

Types, bounds and defaults come from the models' JSON schemas, descriptions from their fields and from the docstrings of
architectures. What is said around the tables, and the examples of what is not looped over, stand in `reference.md.j2`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from toile import studies
from toile.catalogue import everything, schedule_types
from toile.models import architectures
from toile.study import spec
from toile.study.expand import variants
from toile.study.fields.strict import Spec
from toile.study.file import limits
from toile.study.recipe import optimizers, recipe
from toile.study.recipe.augmentation import Elastic, Erasing
from toile.study.recipe.teacher import Teacher
from toile.study.search.search import Range

_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "table"}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


@dataclass(frozen=True)
class Key:
    """One key: what may stand behind it, what stands there if nothing is said, and what it means."""

    name: str
    type: str
    default: str
    about: str


@dataclass(frozen=True)
class Choice:
    """One of several tables that are chosen by `name`: a schedule, an optimizer, an architecture with what trains it."""

    name: str
    about: str
    keys: list[Key]
    example: dict[str, Any]
    learner: str = ""
    weighs: bool = False  # a classical model that takes `class_weight`


def render() -> str:
    """The reference of study files, Markdown."""
    from jinja2 import Environment, StrictUndefined

    # Markdown, not HTML: nothing is escaped.
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["toml"] = toml
    models = {name: list(keys(model)) for room in (spec, recipe) for name, model in vars(room).items() if _is_spec(model)}
    models |= {model.__name__: list(keys(model)) for model in (Elastic, Erasing, Range, Teacher)}
    text = environment.from_string(files("toile").joinpath("reference.md.j2").read_text("utf-8")).render(
        limits=limits, models=models, names=everything(), schedules=list(_schedules()), optimizers=list(_optimizers()),
        common=[_option(name, default) for name, default in optimizers.COMMON.items()], architectures=list(_architectures()),
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def keys(model: type[BaseModel], about: dict[str, str] | None = None) -> Iterator[Key]:
    """The keys of a model, in its order.

    Args:
        about: descriptions of keys whose fields have none.
    """
    schema = model.model_json_schema()
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        default = "required" if name in required else _default(field.get("default"))
        described = field.get("description") or (about or {}).get(name, "")
        yield Key(name, kind(field), default, described)


def kind(schema: dict[str, Any]) -> str:
    """What a JSON schema allows, in words: `whole number, at least 1`."""
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        words = list(dict.fromkeys(kind(choice) for choice in choices if choice.get("type") != "null"))
        if words[1:] == [f"list: {words[0]}"]:
            return f"{words[0]}; or a list of such"
        return " or ".join(words)
    if "$ref" in schema or "allOf" in schema:
        return "table"
    if "const" in schema or "enum" in schema:
        return " or ".join(f"`{toml(value)}`" for value in schema.get("enum") or [schema["const"]])
    if schema["type"] == "array":
        if "prefixItems" in schema:
            return f"{len(schema['prefixItems'])} times: {kind(schema['prefixItems'][0])}"
        inner = kind(schema["items"])
        return "tables, `[[…]]`" if inner == "table" else f"list: {inner}"
    bounds = [f"{said} {_number(schema[bound])}" for bound, said in _BOUNDS.items() if bound in schema]
    return ", ".join([_KINDS[schema["type"]], *bounds])


def toml(value: Any) -> str:
    """A value as a study file has it, tables on one line."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else repr(value)


def _is_spec(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, Spec) and model is not Spec


def _default(value: Any) -> str:
    if value is None or value == {}:
        return "none"
    if isinstance(value, dict):
        return f"`{toml(value['name'])}`" if "name" in value else "as below"
    return f"`{toml(value)}`"


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _option(name: str, default: optimizers.Option) -> Key:
    number = f"whole number, at least {optimizers.WHOLE[name]}" if name in optimizers.WHOLE else "number"
    return Key(name, "true or false" if isinstance(default, bool) else number, _default(default), optimizers.ABOUT[name])


def _optimizers() -> Iterator[Choice]:
    for name, options in optimizers.OPTIMIZERS.items():
        own = {key: value for key, value in options.items() if optimizers.COMMON.get(key, ...) != value}
        example = {"name": name, **{key: value for key, value in own.items() if value is not None}}
        yield Choice(name, "", [_option(key, value) for key, value in own.items()], example)


def _schedules() -> Iterator[Choice]:
    for name, model in schedule_types().items():
        found = [key for key in keys(model) if key.name != "name"]
        defaults = {key: field.default for key, field in model.model_fields.items() if key != "name"}
        yield Choice(name, _sentence(model.__doc__), found, {"name": name, **defaults})


def _architectures() -> Iterator[Choice]:
    """Each with all options as the packaged studies have them that say most about it; the rest at their defaults."""
    import docstring_parser

    asked: dict[str, dict[str, Any]] = {}
    for study in studies.names():
        for line in variants(studies.load(study).spec):
            name, options = line.architecture.name, line.architecture.options
            if len(options) > len(asked.get(name, {})):
                asked[name] = options
    for name in architectures.names():
        module = architectures.load(name)
        arguments = docstring_parser.parse(module.build.__doc__, style=docstring_parser.DocstringStyle.GOOGLE).params
        about = {argument.arg_name: " ".join((argument.description or "").split()) for argument in arguments}
        model = architectures.options_model(name)
        found = list(keys(model, about))
        # Some are left out of the complete options at their defaults.
        defaults = {key: field.default for key, field in model.model_fields.items()}
        example = {"name": name, **defaults, **architectures.complete(name, asked.get(name, {}))}
        learner = architectures.learner(name)
        weighs = learner == "classical" and "model__class_weight" in architectures.build(name, (28, 28, 1), 10, {}).get_params()
        yield Choice(name, _sentence(module.__doc__), found, example, learner, weighs)


def _sentence(text: str | None) -> str:
    """The first paragraph, on one line."""
    return " ".join((text or "").strip().partition("\n\n")[0].split())
