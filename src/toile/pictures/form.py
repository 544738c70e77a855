"""The form of a data set's pictures: how each of them became an input, so that any later one can become one in the same way.

It is decided once, when the data set is read, and goes with it: into the store, into each run, into an export's metadata.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, ValidationError

from toile.study.strict import Fit, Ground, Size, Spec, listed


class Guess(Spec):
    """What the training images have in common, and a strange picture may lack: see `toile.pictures.learned`."""

    border: Annotated[float, Field(ge=0, le=255)] = Field(
        description="median grey of their borders; a picture whose border is of the other kind, light or dark, is inverted"
    )
    fill: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None,
        description="share of the frame that the object's longer side takes; another picture is trimmed to its object, which "
        "then takes as much. Left out: objects are of all sizes, and nothing is trimmed",
    )


class Form(Spec):
    """How a picture file becomes a model's input."""

    size: Size = Field(description="height and width of the input")
    channels: Literal[1, 3] = Field(description="1 for grey, 3 for colour")
    fit: Fit = Field(
        "pad",
        description="how a picture of another size comes to it: `pad`, whole and centred on the colour of its border; `crop`, "
        "its middle; `stretch`, whole, with other proportions",
    )
    ground: Ground | None = Field(
        None, description="what transparent parts are put on; left out: what the visible part stands out from"
    )
    full: Annotated[float, Field(gt=0)] | None = Field(
        None, description="the number that is full light in pictures of more than 8 bits; left out: as each picture suggests"
    )
    upright: bool = Field(True, description="whether a picture is turned as its EXIF orientation says")
    own: Annotated[tuple[Size, ...], BeforeValidator(listed)] = Field(
        (),
        description="sizes that the data set's own pictures have, where all have one: nothing is guessed about such a picture",
    )
    guess: Guess | None = Field(None, description="what is guessed about other pictures; left out: nothing")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the input."""
        return (*self.size, self.channels)

    @classmethod
    def of(cls, images: np.ndarray) -> Self:
        """The form of a data set that came as arrays, by its training images: pictures have the size of these, or are strange.

        Args:
            images: uint8 `(n, height, width, 1 or 3)`.
        """
        from toile.pictures.learned import learned

        size = tuple(map(int, images.shape[1:3]))
        return cls(size=size, channels=images.shape[3], own=(size,), guess=learned(images))

    @classmethod
    def unsaid(cls, shape: tuple[int, int, int]) -> Self:
        """The form that models had before they brought one, which is Fashion-MNIST's where they are grey: light objects on
        black that fill the frame. About pictures of the model's own size it guesses too.

        Args:
            shape: (height, width, channels).
        """
        return cls(size=shape[:2], channels=shape[2], guess=Guess(border=0.0, fill=1.0) if shape[2] == 1 else None)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it, without what is left out."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def parse(cls, content: Any) -> Self:
        """What `plain` made.

        Raises:
            ValueError: it is something else; the message says what is wrong.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'form'}: {one['msg']}" for one in error.errors())
            raise ValueError(f"no form of pictures: {said}") from None
