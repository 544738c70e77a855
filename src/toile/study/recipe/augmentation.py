"""What a study may ask for in the way of random changes of training images."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from toile.study.fields.strict import Fraction, Spec, listed
from toile.study.recipe.schedules import Share


class Elastic(Spec):
    """Elastic distortion: every pixel is displaced by a smoothed random field (Simard, Steinkraus & Platt 2003)."""

    alpha: Annotated[tuple[float, float], BeforeValidator(listed)] = Field(
        default=(10.0, 12.0), description="how strong, in pixels before smoothing: drawn from this range for each image"
    )
    sigma: Annotated[float, Field(gt=0)] = Field(default=3.0, description="of the Gaussian that smooths the field, in pixels")


class Erasing(Spec):
    """Random erasing: a rectangle of an image becomes black (Zhong et al., AAAI 2020; DeVries & Taylor 2017 call it Cutout)."""

    probability: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="share of the images that lose a rectangle"
    )
    area: Annotated[tuple[Share, Share], BeforeValidator(listed)] = Field(
        default=(0.02, 0.33),
        description="of it, as a share of the image's: height and width are the roots of two draws from this range",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.area[0] > self.area[1]:
            raise ValueError(f"`area` goes from the smaller share to the larger, got {list(self.area)}")
        return self


class Augmentation(Spec):
    """Random changes of each training image, drawn anew every time it is seen. Validation and test images stay as they are."""

    rotation: Annotated[float, Field(ge=0, le=180)] = Field(default=0.0, description="degrees, at most, either way")
    zoom: Fraction = Field(default=0.0, description="0.1: of each side, between 0.9 and 1.1 times as much is seen")
    shear: Annotated[float, Field(ge=0, lt=90)] = Field(default=0.0, description="degrees, at most, either way")
    shift: Annotated[tuple[Fraction, Fraction], BeforeValidator(listed)] = Field(
        default=(0.0, 0.0), description="vertical and horizontal, at most, either way, as fractions of height and width"
    )
    flip: Literal["none", "horizontal", "vertical", "both"] = Field(default="none", description="mirrored half of the time")
    elastic: Elastic | None = Field(default=None, description="elastic distortion, after the others")
    # Fields that came later are left out of the canonical trial at their defaults: fingerprints of before hold.
    crop: Annotated[int, Field(ge=0, le=64)] = Field(
        default=0,
        exclude_if=lambda value: not value,
        description="so many black pixels are put around an image, and a window of its size cut out: moved by whole pixels",
    )
    erasing: Erasing | None = Field(
        default=None, exclude_if=lambda value: value is None, description="random erasing, last of all"
    )
    # As an architecture's REVISION: 2 is of when places are moved once for all, and an elastic distortion mirrors the edges.
    # A trial has it from its plan; what was stored before it has none, and keeps its fingerprint.
    revision: SkipJsonSchema[Literal[1, 2]] = Field(default=1, exclude_if=lambda value: value == 1)

    def current(self) -> Augmentation:
        """As images are changed today."""
        moves = self.rotation or self.zoom or self.shear or any(self.shift) or self.elastic
        return self.model_copy(update={"revision": 2}) if moves else self
