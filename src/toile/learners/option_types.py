"""Types of architecture options that more than one architecture takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from toile.study.spec import listed

# No gelu: in its exact form TensorFlow's ONNX export writes a broken file and says nothing.
Activation = Literal["relu", "leaky-relu", "tanh", "sigmoid", "elu", "silu", "selu", "softplus"]
Initializer = Literal[
    "glorot-uniform", "glorot-normal", "he-uniform", "he-normal", "lecun-uniform", "lecun-normal",
    "random-uniform", "random-normal", "orthogonal",
]  # fmt: skip
Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
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
