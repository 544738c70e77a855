"""Types of architecture options that more than one architecture takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from toile.study.fields.strict import listed

# No gelu: in its exact form TensorFlow's ONNX export writes a broken file and says nothing.
Activation = Literal["relu", "leaky-relu", "tanh", "sigmoid", "elu", "silu", "selu", "softplus"]
Initializer = Literal[
    "glorot-uniform", "glorot-normal", "he-uniform", "he-normal", "lecun-uniform", "lecun-normal",
    "random-uniform", "random-normal", "orthogonal",
]  # fmt: skip
Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
AtLeastTwo = Annotated[int, Field(ge=2)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Strength = Annotated[float, Field(ge=0)]
Counts = Annotated[tuple[Count, ...], BeforeValidator(listed)]
# One for all, or one each.
CountOrEach = Annotated[Count | tuple[Count, ...], BeforeValidator(listed)]
SizeOrEach = Annotated[Size | tuple[Size, ...], BeforeValidator(listed)]
RateOrEach = Annotated[Rate | tuple[Rate, ...], BeforeValidator(listed)]
StrengthOrEach = Annotated[Strength | tuple[Strength, ...], BeforeValidator(listed)]
Padding = Literal["valid", "same"]
PaddingOrEach = Annotated[Padding | tuple[Padding, ...], BeforeValidator(listed)]
InitializerOrEach = Annotated[Initializer | tuple[Initializer, ...], BeforeValidator(listed)]
StringOrEach = Annotated[str | tuple[str, ...], BeforeValidator(listed)]


class Options(BaseModel):
    """Base of all models of options: no unknown one, no silent conversion, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


OptionsModel = TypeVar("OptionsModel", bound=Options)


def options_of(name: str, function: Callable[..., Any], base: type[OptionsModel]) -> type[OptionsModel]:
    """A model of the options that a function takes: its keyword-only arguments, beside the fields of `base`."""
    signature = inspect.signature(function, eval_str=True)
    fields: dict[str, Any] = {
        key: (parameter.annotation, parameter.default)
        for key, parameter in signature.parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return create_model(name, __base__=base, **fields)
