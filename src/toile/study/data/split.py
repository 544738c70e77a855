"""What a study says of how its images fall into parts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from toile.study.fields.seeds import Seed
from toile.study.fields.strict import Fraction, Spec


class SplitSpec(Spec):
    """How the images fall into train, validation and test, or into k folds."""

    method: Literal["tail", "random", "stratified"] = Field(
        default="stratified",
        description="`stratified`: at random, the same share of each class; `random`; `tail`: the last fraction, unshuffled, "
        "as Keras's validation_split",
    )
    validation: Fraction | Literal["given"] = Field(
        default=0.2,
        description='fraction of the training images (of all images where `test` is above 0); 0 for none; `"given"`: the data '
        "set's own validation images, as it is where it has some",
    )
    test: Fraction = Field(default=0.0, description="fraction of all images, for a data set that has no test images of its own")
    seed: Seed = Field(default=0, description="of `random` and `stratified`")
    folds: Annotated[int, Field(ge=2, le=100)] | None = Field(
        default=None, description="k-fold cross-validation instead of `validation`: each trial becomes k, fold i held out"
    )
    shuffle: bool = Field(default=True, description="whether `random` and `stratified` shuffle before they cut folds")
    # It came later: left out of the canonical trial at its default, so that fingerprints of before hold.
    groups: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, exclude_if=lambda value: value is None,
        description="images that stay in one part: `near-duplicates`; a column of the data set's list; or a regular expression "
        "on the names of its files, whose first brackets match the name of the group",
    )  # fmt: skip
    fraction: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="share of the training part that is trained on: the first of each class; for a first look"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        # Folds take the place of `validation`.
        held = self.test if self.folds or self.validation == "given" else self.validation + self.test
        if held >= 1:
            raise ValueError(f"`validation` + `test` is {held:g}; nothing is left to train on")
        if self.groups is not None and self.method == "tail":
            raise ValueError('`tail` cuts where it comes to and keeps no groups; with `groups` write method = "stratified"')
        if (
            "method" not in self.model_fields_set
            and not self.folds
            and self.groups is None
            and self.validation == self.test == 0
        ):
            # Nothing is cut by any. What was trained before the default changed keeps its fingerprint.
            object.__setattr__(self, "method", "tail")
        return self
