"""The answers of the API: what they look like, as the OpenAPI document shows it, and how they are made from probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from toile.serving import bodies
from toile.serving.decoding.client import Decoded
from toile.serving.predictor import Predictor

DIGITS = 7  # what float32 can tell apart next to 1

FILE = {"type": "string", "format": "binary"}

Probabilities = dict[str, float]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Vote(_Answer):
    """What one member of a committee says."""

    name: str
    class_name: str = Field(alias="class", description="the most probable class")
    probabilities: Probabilities


class Prediction(_Answer):
    """What the model says of one image."""

    class_name: str = Field(alias="class", description="the most probable class")
    probability: float = Field(description="of that class", ge=0, le=1)
    probabilities: Probabilities = Field(description=f"of every class, rounded to {DIGITS} decimals; they sum to 1")
    members: list[Vote] = Field(description="each member's vote; empty for a single run")
    agreement: float | None = Field(description="share of members whose most probable class is the answer", ge=0, le=1)
    steps: list[str] = Field(description="what was done to the picture before the model saw it, in order")
    pixels: list[list[list[int]]] | None = Field(None, description="what the model saw: rows of pixels of channels, 0..255")


class Predictions(_Answer):
    """One prediction an image, in the order of the request."""

    predictions: list[Prediction]


class Explanation(_Answer):
    """Which part of an image mattered for one class."""

    class_name: str = Field(alias="class")
    probability: float = Field(description="of the class for the whole image", ge=0, le=1)
    patch: int = Field(description="pixels that a covering patch is wide and high")
    map: list[list[float]] = Field(
        description="(height, width): by how much the probability fell when the pixel was covered, -1..1; above 0 spoke for it"
    )


class Sample(_Answer):
    """An image of the model's own data set."""

    class_name: str = Field(alias="class")
    url: str


class Model(_Answer):
    """What is served."""

    model_config = ConfigDict(extra="allow")

    name: str
    kind: str = Field(description="'run' or 'committee'")
    classes: list[str]
    image_shape: tuple[int, int, int] = Field(description="(height, width, channels)")
    form: dict[str, Any] = Field(description="how a picture file becomes an image of the model; see `toile.pictures.form`")
    members: list[dict[str, Any]]
    limits: dict[str, float] = Field(description="what one request may hold")
    samples: list[Sample]


class Health(_Answer):
    status: str


class ProblemDocument(_Answer):
    """RFC 9457, application/problem+json."""

    type: str
    title: str
    status: int
    detail: str


def body(shape: tuple[int, int, int], most: int) -> dict[str, Any]:
    """What the body of a request may be, for the OpenAPI document. JSON that it allows is taken, unless its text is too long.

    Args:
        shape: (height, width, channels) of the model's images.
        most: images of one request.
    """
    height, width, channels = shape
    number = {"type": "integer", "minimum": 0, "maximum": 255}
    pixels = [_array(number, channels), *([number] if channels == 1 else [])]
    rows = [_array(_array(pixel, width), height) for pixel in pixels]
    image = rows[0] if len(rows) == 1 else {"oneOf": rows}
    image |= {"description": f"{height} rows of {width} pixels, whole numbers 0..255"}
    one = _object("image", image)
    many = _object("images", {"type": "array", "items": image, "minItems": 1, "maxItems": most})
    files = _object("image", {"type": "array", "items": FILE, "minItems": 1, "maxItems": most})
    content: dict[str, Any] = {name: {"schema": FILE} for name in bodies.FILES}
    content |= {"multipart/form-data": {"schema": files}, "application/json": {"schema": {"oneOf": [one, many]}}}
    return {"required": True, "content": content}


def _array(items: dict[str, Any], size: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": size, "maxItems": size}


def _object(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: value}, "additionalProperties": False}


def predictions(
    predictor: Predictor, prepared: list[Decoded], probabilities: np.ndarray, members: np.ndarray, *, pixels: bool
) -> dict[str, Any]:
    """The JSON of `Predictions`.

    Args:
        prepared: the images as the model saw them.
        probabilities: `(images, classes)`.
        members: `(images, members, classes)`.
        pixels: whether the answer shows what the model saw.
    """
    classes = predictor.classes
    names = [one["name"] for one in predictor.members] if predictor.metadata.get("kind") == "committee" else []
    best, votes = probabilities.argmax(axis=1), members.argmax(axis=2)
    rows, member_rows = _rounded(probabilities), _rounded(members)
    answers = []
    for index, image in enumerate(prepared):
        answer = {
            "class": classes[best[index]],
            "probability": rows[index][best[index]],
            "probabilities": dict(zip(classes, rows[index], strict=True)),
            "members": [
                {"name": name, "class": classes[vote], "probabilities": dict(zip(classes, row, strict=True))}
                for name, vote, row in zip(names, votes[index], member_rows[index], strict=False)
            ],
            "agreement": float((votes[index] == best[index]).mean()) if names else None,
            "steps": list(image.steps),
        }
        answers.append(answer | {"pixels": image.pixels.tolist()} if pixels else answer)
    return {"predictions": answers}


def _rounded(values: np.ndarray) -> list[Any]:
    return values.astype(np.float64).round(DIGITS).tolist()
