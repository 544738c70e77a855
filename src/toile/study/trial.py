"""A trial: the frozen intent of one training, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field

from toile.study.data.split import SplitSpec
from toile.study.fields.strict import Spec, is_array, is_table, listed
from toile.study.recipe.recipe import RecipeSpec

# Raised when the meaning of a field changes, so that old runs are not taken for new ones.
FORMAT = 1
Learner = Literal["keras", "scratch", "classical"]


class TrialDataset(Spec):
    """The images, by what they are and not by where they lie or what they are called."""

    content: str = Field(description="SHA-256 of all images and labels, after the class map")
    classes: int = Field(description="how many")
    image_shape: tuple[int, int, int] = Field(description="height, width, channels")


class TrialArchitecture(Spec):
    """An architecture with all its options, and the revision of the code that builds it."""

    name: str = Field(description="as `toile list` shows it")
    options: dict[str, Any] = Field(description="all of them, defaults too, as JSON holds them")
    revision: int = Field(description="raised whenever the same options would build another model")
    weights: str | None = Field(default=None, description="SHA-256 of the file of weights that its options name, if they do")


def _nested(value: Any) -> Any:
    return tuple(tuple(cast("Any", one)) if is_array(one) else one for one in value) if is_array(value) else value


class TrialTeacher(Spec):
    """What a student learns from: a committee by its members and rule, and how much of it."""

    members: Annotated[tuple[tuple[str, ...], ...], BeforeValidator(_nested)] = Field(
        description="fingerprints of the runs of each member: one, or those of all folds"
    )
    rule: str = Field(description="how their probabilities become one")
    weights: Annotated[tuple[float, ...] | Literal["fit"] | None, BeforeValidator(listed)] = Field(
        description="of the rule, where it takes some"
    )
    calibration: str | None = Field(description="after the rule")
    temperature: float = Field(description="by which the log-probabilities of both are divided")
    hard_labels: float = Field(description="weight of the loss on the labels")
    # It came later: students of a greedy committee of before, whose candidates were compared as they were, are other trials.
    tempered: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="for greedy, a mark: its candidates have a temperature each, as they had not before",
    )
    # Later still: few images made models too sure, and all images other last bits.
    held: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="for exponents, temperatures and scales, a mark: their fit is held near 1, as it was not before",
    )


class Trial(Spec):
    """Everything that decides a training's result, and nothing else. Names, paths and worker counts are not in it."""

    dataset: TrialDataset = Field(description="the images")
    split: SplitSpec = Field(description="how they fall into parts")
    fold: int | None = Field(default=None, description="which fold is held out, from 0; none without folds")
    learner: Learner = Field(default="keras", description="what trains")
    architecture: TrialArchitecture = Field(description="what is trained")
    recipe: Annotated[RecipeSpec, AfterValidator(RecipeSpec.settled)] = Field(description="how it is trained")
    seed: int = Field(description="of the first weights, dropout and the order of the images")
    backend: Literal["tensorflow", "jax", "torch"] = Field(default="tensorflow", description="Keras's backend")
    warm_start: str | None = Field(default=None, description="fingerprint of the run whose weights it begins with")
    # It came later: left out of the canonical trial where there is none, so that fingerprints of before hold.
    teacher: TrialTeacher | None = Field(
        default=None, exclude_if=lambda value: value is None, description="the committee that it learns from"
    )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def first(self, epochs: int) -> Trial:
        """The first epochs of this training as a trial of their own."""
        # Not `model_copy`, which would copy the cached fingerprint too.
        fields: dict[str, Any] = {name: getattr(self, name) for name in Trial.model_fields}
        fields["recipe"] = self.recipe.first(epochs)
        return Trial(**fields)

    @property
    def parents(self) -> tuple[str, ...]:
        """The runs that have to be there before it trains, by fingerprint: its warm start and its teacher's members."""
        taught = () if self.teacher is None else tuple(run for member in self.teacher.members for run in member)
        return tuple(dict.fromkeys(((self.warm_start,) if self.warm_start else ()) + taught))

    def canonical(self) -> str:
        """The trial as JSON: keys sorted, no spaces, every default written out, nothing that plays no part.

        A seed that nothing is drawn with, or a validation share that folds replace, would make two names for one
        training; they are set to a fixed value here.
        """
        content = self.model_dump(mode="json")
        split = content["split"]
        folds, drawn = split["folds"] is not None, split["method"] != "tail"
        if folds:
            split["validation"] = 0.0
        if not (folds and drawn):
            split["shuffle"] = True
        # Folds that are cut unshuffled still draw the test images where the data set brings none.
        draws = split["shuffle"] if folds else split["validation"] not in ("given", 0)
        draws = draws or split["test"] > 0
        if not (drawn and draws):
            split["seed"] = 0
        if split["validation"] == "given" and not draws:
            split["method"] = "tail"  # nothing is cut by any
        return json.dumps({"format": FORMAT, **content}, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def parse(cls, text: str) -> Trial:
        """The trial that `canonical` wrote. (Lists become tuples again.)

        Raises:
            ValueError: it is not a trial, or one of another format.
        """
        try:
            content: Any = json.loads(text)
        except RecursionError:
            raise ValueError("not a trial: it is nested too deep") from None
        if not is_table(content) or "format" not in content:
            raise ValueError("not a trial: a JSON object with a `format` is wanted")
        if (found := content.pop("format")) != FORMAT:
            raise ValueError(f"a trial of format {found!r}, where {FORMAT} is read; another version of toile wrote it")
        try:
            content["dataset"]["image_shape"] = tuple(content["dataset"]["image_shape"])
        except (KeyError, TypeError):
            raise ValueError("not a trial: it has no data set with the shape of its images") from None
        return cls.model_validate(content)
