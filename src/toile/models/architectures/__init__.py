"""Architectures: a name is a file. `numpy-mlp` is `numpy_mlp.py`.

A file has a docstring whose first line says what it is, an integer `REVISION` (raised whenever the same options would build
another model) and `build(image_shape, classes, *, **options) -> keras.Model`, whose annotated keyword arguments *are* the
options: their types and defaults are what a study is checked against. The model takes uint8 images, does its own
preprocessing, and ends in a Softmax layer called "probabilities" (float32) on a layer of logits. It imports Keras inside
`build`, because planning and reporting look at architectures and never train. A file may also offer
`multiply_adds(image_shape, classes, *, **options) -> int` for one image, from which `toile plan` estimates time; likewise
`parameters`, which it shows: exactly as many as Keras counts; and, if it takes an option `weights`,
`check(options, image_shape=None)`, `weights_content(options)` and `downloaded(options)`, as `transfer` does. `NEEDS` says of
options that do something only beside another one what that is: a study that writes them alone is told so. One of which a part
may be frozen has `work(options)` instead of `multiply_adds`: two numbers, as `work` here.

`seconds(images, judged, image_shape, classes, options)`, as here, is of what does not learn by epochs.

`LEARNER` says what trains it where that is not Keras: "scratch" is the NumPy network, "classical" scikit-learn, whose `build`
returns an untrained estimator of `toile.models.classical.pipeline`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from toile.errors import Misuse, nearest
from toile.models.classical import pipeline
from toile.models.option_types import Options, options_of
from toile.study.fields.needs import Needs
from toile.study.trial import Learner
from toile.text import brief


@cache
def names() -> tuple[str, ...]:
    """All architectures, by name."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)))


def load(name: str) -> ModuleType:
    """The module of an architecture.

    Raises:
        Misuse: there is none of that name.
    """
    if name not in names():
        raise Misuse(f"unknown architecture {name!r}{nearest(name, names())}; known: {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


@cache
def options_model(name: str) -> type[BaseModel]:
    """A strict model of an architecture's options, made from the signature of its `build`."""
    return options_of(name, load(name).build, Options)


def needs(name: str) -> Mapping[str, Needs]:
    """What options of an architecture need of others to have an effect, by option."""
    of_all = pipeline.NEEDS if learner(name) == "classical" else {}
    return {**of_all, **getattr(load(name), "NEEDS", {})}


def complete(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """All options of an architecture: those given, the rest by default, as JSON would hold them."""
    return options_model(name).model_validate(options).model_dump(mode="json")


def build(name: str, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> Any:
    """An untrained model.

    Args:
        image_shape: (height, width, channels) of the uint8 images.
        classes: number of classes, at least 2.
        options: as `complete` gives them.

    Raises:
        Misuse: the options do not fit the images, such as more pooling than there are pixels.
    """
    return _call(load(name).build, name, image_shape, classes, options)


def multiply_adds(name: str, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> int | None:
    """Multiplications of one image's forward pass, or None where the architecture does not say.

    Raises:
        Misuse: the options do not fit the images. A plan asks, so it is known before anything trains.
    """
    if (count := getattr(load(name), "multiply_adds", None)) is None:
        return None
    return _call(count, name, image_shape, classes, options)


def work(name: str, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> tuple[float, float]:
    """Multiplications of one image's forward pass, about: through layers that are frozen, and through those that learn.

    0 and 0 where the architecture does not say.

    Args:
        options: as `complete` gives them.

    Raises:
        Misuse: as `multiply_adds`.
    """
    if (count := getattr(load(name), "work", None)) is not None:
        return count(options)
    return 0, multiply_adds(name, image_shape, classes, options) or 0


def parameters(name: str, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> int | None:
    """How many parameters the model has, exactly, or None where the architecture does not say.

    Raises:
        Misuse: the options do not fit the images.
    """
    if (count := getattr(load(name), "parameters", None)) is None:
        return None
    return _call(count, name, image_shape, classes, options)


def seconds(
    name: str, images: int, judged: int, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]
) -> float | None:
    """About how long a training takes on one core with the evaluation after it; None where it goes by `work`.

    Args:
        images, judged: how many train it, and how many it is evaluated on.
        options: as `complete` gives them.
    """
    known = getattr(load(name), "seconds", None)
    return None if known is None else known(images, judged, image_shape, classes, options)


def learner(name: str) -> Learner:
    """What trains the architecture: "keras", "scratch" or "classical"."""
    return getattr(load(name), "LEARNER", "keras")


def check(
    name: str, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any], images: Callable[[], int]
) -> None:
    """Whether the architecture can be built so, as far as that can be told without Keras and without the network.

    Args:
        images: gives how many train it; only a classical model asks.

    Raises:
        Misuse: it cannot.
    """
    multiply_adds(name, image_shape, classes, options)
    checks = getattr(load(name), "check", None)
    try:
        if learner(name) == "classical":
            pipeline.check(options, image_shape, images)
        elif checks is not None:
            checks({**options, "weights": "none"} if options["weights"] == "imagenet" else options, image_shape)
    except ValueError as error:
        raise Misuse(f"{name} cannot be built for {image_shape} images with {_given(name, options)}: {error}") from error


def _given(name: str, options: dict[str, Any]) -> str:
    """The options that are not as they would be anyway."""
    usual = complete(name, {})
    others = {key: value for key, value in options.items() if value != usual.get(key)}
    return f"{brief(others, 200)}" if others else "its defaults"


def obtainable(name: str, options: dict[str, Any]) -> None:
    """Whether what the architecture needs from outside can be had now. Asks the network for a few seconds at most.

    Raises:
        ToileError: it cannot; with the way out.
    """
    if (checks := getattr(load(name), "check", None)) is not None and options["weights"] == "imagenet":
        checks(options)


def downloaded(name: str, options: dict[str, Any]) -> Path | None:
    """The file that Keras downloaded for the architecture and keeps outside of any store, if there is one."""
    found = getattr(load(name), "downloaded", None)
    return found(options) if found else None


def _call(
    function: Callable[..., Any], name: str, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]
) -> Any:
    """`build`, `multiply_adds` or `parameters` of an architecture with its options checked."""
    checked = options_model(name).model_validate(options)
    arguments = {key: getattr(checked, key) for key in type(checked).model_fields}
    try:
        return function(image_shape, classes, **arguments)
    except ValueError as error:
        raise Misuse(f"{name} cannot be built for {image_shape} images with {_given(name, options)}: {error}") from error
