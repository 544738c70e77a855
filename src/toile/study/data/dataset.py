"""What a study says of its data: a registered data set, or files, and how they are read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from toile.study.data.pictures import Fit, Ground
from toile.study.fields.names import Name
from toile.study.fields.seeds import Seed
from toile.study.fields.strict import Integers, Spec, Strings, listed

# Keys that say how files are read: each is for the formats that know of it.
READING = ("size", "fit", "transparency", "upright", "parts", "nested", "on_error", "transpose", "label")

Side = Annotated[int, Field(ge=1, lt=2**31)]
Size = Annotated[tuple[Side, Side], BeforeValidator(listed)]
MAX_PIXELS = 4_000_000  # of one image: toile is for small images, and a decoder must not eat the memory


class DatasetSpec(Spec):
    """Which images: a registered name, or a path to files of the user's own."""

    name: Name | None = Field(default=None, description="a registered data set, as `toile list` shows them")
    path: str | None = Field(default=None, description="file or folder of your own; relative to the study file")
    test_path: str | None = Field(default=None, description="file or folder of the test images, where they are kept apart")
    format: Name | None = Field(default=None, description="format of `path`; guessed from its ending where left out")
    class_names: Strings | None = Field(default=None, description="what the labels 0, 1, … mean")
    class_map: Integers | None = Field(default=None, description="new label for each old one; several may share one")
    pool: bool | Literal["validation"] = Field(
        default=False,
        description="join its training, validation and test images into one set, for `split.test` to draw from; "
        '`"validation"`: join the first two only',
    )
    draw: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="keep only so many of its training images, at random"
    )
    draw_seed: Seed = Field(default=0, description="of `draw`")
    # How files of pictures are read.
    size: Annotated[Side | Size, BeforeValidator(listed)] | None = Field(
        default=None,
        description="of pictures: bring all to this size, `64` or `[height, width]`; needed where they differ. Of pixels in a "
        "CSV file: the size that they have, where they are no square",
    )
    fit: Fit = Field(
        default="pad",
        description="how they come to `size`: whole on the colour of their border, cut to their middle, or stretched",
    )
    transparency: Ground = Field(default="white", description="of a folder of pictures: what is under transparent parts")
    upright: bool = Field(default=True, description="of a folder of pictures: turn them as their EXIF orientation says")
    parts: dict[Literal["train", "validation", "test"], str] | None = Field(
        default=None,
        description='of a folder of pictures: which of its folders is which, as `{ train = "seg_train", test = "seg_test" }`',
    )
    nested: bool = Field(
        default=False, description="of a folder of pictures: a class may have its pictures in folders of its folder"
    )
    on_error: Literal["stop", "skip"] = Field(
        default="stop",
        description="of a folder of pictures: what to do about files that cannot be read; `skip` leaves them out",
    )

    transpose: bool | None = Field(
        default=None, exclude_if=lambda value: value is None,
        description="of IDX files: exchange height and width, as EMNIST's images need it",
    )  # fmt: skip
    label: Name | None = Field(
        default=None, exclude_if=lambda value: value is None,
        description="of CSV, TSV and Parquet: the column of labels; guessed from its name where left out",
    )  # fmt: skip

    @model_validator(mode="after")
    def _small(self) -> Self:
        height, width = self.size if isinstance(self.size, tuple) else (self.size or 1, self.size or 1)
        if height * width > MAX_PIXELS:
            raise ValueError(f"`size` is {height} x {width}; toile is for small images, of at most {MAX_PIXELS:,} pixels")
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.name is None) == (self.path is None):
            raise ValueError("a data set is given by exactly one of `name` and `path`")
        if self.path is None and (self.test_path or self.format):
            raise ValueError("`test_path` and `format` go with `path`, not with `name`")
        if self.path is None and (said := [key for key in READING if key in self.model_fields_set]):
            raise ValueError(f"{', '.join(f'`{key}`' for key in said)} go with `path`, not with `name`")
        return self
