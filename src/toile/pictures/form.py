"""The form of a data set's pictures: how each of them became an input, so that any later one can become one in the same way.

It is decided once, when the data set is read, and goes with it: into the store, into each run, into an export's metadata. Plain
Python: whoever asks an export reads it, and has little installed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self, get_args

from toile.study.data.pictures import Fit, Ground

Size = tuple[int, int]


@dataclass(frozen=True)
class Guess:
    """What the training images have in common, and a strange picture may lack: see `toile.pictures.learned`.

    Args:
        border: median grey of their borders, 0..255. A picture whose border is of the other kind, light or dark, is inverted.
        fill: share of the frame that the object's longer side takes, above 0, at most 1. Another picture is trimmed to its
            object, which then takes as much. None: objects are of all sizes, and nothing is trimmed.
    """

    border: float
    fill: float | None = None

    def __post_init__(self) -> None:
        _check("border", _number(self.border) and 0 <= self.border <= 255, "a number 0..255", self.border)
        wanted = "a number above 0, at most 1"
        _check("fill", self.fill is None or (_number(self.fill) and 0 < self.fill <= 1), wanted, self.fill)


@dataclass(frozen=True)
class Form:
    """How a picture file becomes a model's input.

    Args:
        size: (height, width) of the input.
        channels: 1 for grey, 3 for colour.
        fit: how a picture of another size comes to it: `pad`, whole and centred on the colour of its border; `crop`, its
            middle; `stretch`, whole, with other proportions.
        ground: what transparent parts are put on, `white` or `black`; None: the one that the visible part stands out from.
        full: the number that is full light in pictures of more than 8 bits; None: as each picture suggests.
        fractions: the same of floats, in pictures and arrays, where whole numbers have another one.
        upright: whether a picture is turned as its EXIF orientation says.
        own: sizes that the data set's own pictures have, where all have one. Nothing is guessed about a picture of such a size.
        guess: what is guessed about other pictures; None: nothing.

    Raises:
        ValueError: one of them is something else.
    """

    size: Size
    channels: int
    fit: Fit = "pad"
    ground: Ground | None = None
    full: float | None = None
    fractions: float | None = None
    upright: bool = True
    own: tuple[Size, ...] = ()
    guess: Guess | None = None

    def __post_init__(self) -> None:
        _check("size", _is_size(self.size), "(height, width)", self.size)
        _check("channels", type(self.channels) is int and self.channels in (1, 3), "1 or 3", self.channels)
        _check("fit", self.fit in get_args(Fit), " or ".join(get_args(Fit)), self.fit)
        _check("ground", self.ground is None or self.ground in get_args(Ground), " or ".join(get_args(Ground)), self.ground)
        for name, full in (("full", self.full), ("fractions", self.fractions)):
            _check(name, full is None or (_number(full) and full > 0), "a number above 0", full)
        _check("upright", type(self.upright) is bool, "true or false", self.upright)
        _check("own", isinstance(self.own, tuple) and all(map(_is_size, self.own)), "a list of (height, width)", self.own)
        _check("guess", self.guess is None or isinstance(self.guess, Guess), "a table", self.guess)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the input."""
        return (*self.size, self.channels)

    @classmethod
    def unsaid(cls, shape: tuple[int, int, int]) -> Self:
        """The form that models had before they brought one, which is Fashion-MNIST's where they are grey: light objects on
        black that fill the frame. About pictures of the model's own size it guesses too.

        Args:
            shape: (height, width, channels).
        """
        height, width, channels = shape
        return cls((height, width), channels, guess=Guess(0.0, 1.0) if channels == 1 else None)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it, without what is left out."""
        return _plain(self)

    @classmethod
    def parse(cls, content: Any) -> Self:
        """What `plain` made, from JSON.

        Raises:
            ValueError: it is something else; the message says what is wrong.
        """
        content = _known(cls, content)
        if isinstance(content.get("own"), list):
            content["own"] = tuple(tuple(one) if isinstance(one, list) else one for one in content["own"])
        if isinstance(content.get("size"), list):
            content["size"] = tuple(content["size"])
        if content.get("guess") is not None:
            content["guess"] = Guess(**_known(Guess, content["guess"]))
        return cls(**content)


def _plain(one: Any) -> dict[str, Any]:
    said = {field.name: getattr(one, field.name) for field in fields(one) if getattr(one, field.name) != field.default}
    return {name: _plain(value) if isinstance(value, Guess) else _listed(value) for name, value in said.items()}


def _listed(value: Any) -> Any:
    return [_listed(one) for one in value] if isinstance(value, tuple) else value


def _known(kind: type, content: Any) -> dict[str, Any]:
    """A copy of a table that has all keys of a class that it must have, and no others."""
    if not isinstance(content, Mapping):
        raise ValueError(f"no form of pictures: a table is wanted, got {type(content).__name__}")
    known = {field.name: field.default is MISSING for field in fields(kind)}
    if odd := [*(set(content) - set(known)), *(name for name, needed in known.items() if needed and name not in content)]:
        raise ValueError(f"no form of pictures: {', '.join(map(str, sorted(odd, key=str)))} missing or unknown")
    return dict(content)


def _check(name: str, sound: bool, wanted: str, got: Any) -> None:
    if not sound:
        raise ValueError(f"no form of pictures: {name} is {wanted}, got {str(got)[:60]!r}")


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_size(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)
