"""What a study file may say: strict, frozen models.

A study is written with names, defaults and conveniences (`optimizer = "adam"`); what comes out of these models is explicit
and complete, because a trial's fingerprint is made from it. Nothing here knows Keras, and nothing here reads a file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from toile.errors import nearest
from toile.study.optimizers import OPTIMIZERS, complete
from toile.study.schedules import Constant, Schedule


class Spec(BaseModel):
    """Base of every model here: no unknown key, no silent conversion, no change after it is made."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def listed(value: Any) -> Any:
    """TOML arrays arrive as lists; the frozen models hold tuples."""
    return tuple(value) if isinstance(value, list) else value


def _named(value: Any) -> Any:
    """`x = "name"` is short for `x = { name = "name" }`."""
    return {"name": value} if isinstance(value, str) else value


def _off(value: Any) -> Any:
    """TOML has no null: `false` takes a table of the study's recipe away."""
    return None if value is False else value


Strings = Annotated[tuple[str, ...], BeforeValidator(listed)]
Integers = Annotated[tuple[int, ...], BeforeValidator(listed)]
Floats = Annotated[tuple[float, ...], BeforeValidator(listed)]
Name = Annotated[str, Field(min_length=1, max_length=120)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class DatasetSpec(Spec):
    """Which images: a registered name, or a path to files of the user's own."""

    name: Name | None = Field(None, description="a registered data set, as `toile list` shows them")
    path: str | None = Field(None, description="file or folder of your own; relative to the study file")
    test_path: str | None = Field(None, description="file or folder of the test images, where they are kept apart")
    format: Name | None = Field(None, description="format of `path`; guessed from its ending where left out")
    class_names: Strings | None = Field(None, description="what the labels 0, 1, … mean")
    class_map: Integers | None = Field(None, description="new label for each old one; several may share one")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.name is None) == (self.path is None):
            raise ValueError("a data set is given by exactly one of `name` and `path`")
        if self.path is None and (self.test_path or self.format):
            raise ValueError("`test_path` and `format` go with `path`, not with `name`")
        return self


class SplitSpec(Spec):
    """How the images fall into train, validation and test, or into k folds."""

    method: Literal["tail", "random", "stratified"] = Field(
        "tail", description="`tail`: the last fraction, unshuffled, as Keras's validation_split"
    )
    validation: Fraction = Field(0.2, description="fraction of the training images; 0 for none")
    test: Fraction = Field(0.0, description="fraction of all images, for a data set that has no test images of its own")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(0, description="of `random` and `stratified`")
    folds: Annotated[int, Field(ge=2, le=100)] | None = Field(
        None, description="k-fold cross-validation instead of `validation`: each trial becomes k, fold i held out"
    )
    shuffle: bool = Field(True, description="whether `random` and `stratified` shuffle before cutting folds")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(f"`validation` + `test` is {self.validation + self.test:g}; nothing is left to train on")
        return self


class OptimizerSpec(Spec):
    """A Keras optimizer, its options complete: what Keras would fill in is filled in here, so it is in the fingerprint."""

    name: Name
    options: dict[str, bool | int | float | None] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if isinstance(value, dict) and "options" not in value:
            value = {"name": value.get("name"), "options": {k: v for k, v in value.items() if k != "name"}}
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.name not in OPTIMIZERS:
            known = ", ".join(sorted(OPTIMIZERS))
            raise ValueError(f"unknown optimizer {self.name!r}{nearest(self.name, OPTIMIZERS)}; known: {known}")
        object.__setattr__(self, "options", complete(self.name, self.options))
        return self


class EarlyStopping(Spec):
    """Stop when the validation split no longer gets better. The test split is never looked at."""

    patience: Annotated[int, Field(ge=0)] = Field(5, description="epochs without improvement before stopping")
    monitor: Literal["loss", "accuracy"] = Field("loss", description="of the validation split")
    min_delta: Annotated[float, Field(ge=0)] = Field(0.0, description="smaller improvements do not count")
    restore_best: bool = Field(False, description="end with the weights of the best epoch instead of the last")


class RecipeSpec(Spec):
    """How a model is trained."""

    optimizer: Annotated[OptimizerSpec, BeforeValidator(_named)] = Field(
        OptimizerSpec(name="adam"), description='a Keras optimizer: `"adam"` or `{ name = "sgd", momentum = 0.9 }`'
    )
    schedule: Annotated[Schedule, BeforeValidator(_named)] = Field(
        Constant(), description="factor on the optimizer's learning rate over time"
    )
    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(20, description="at most")
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = Field(32)
    label_smoothing: Fraction = Field(0.0, description="share of the target spread evenly over all classes")
    early_stopping: Annotated[EarlyStopping | None, BeforeValidator(_off)] = Field(
        None, description="`false` in a trial where the study's recipe has it"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the arithmetic; weights stay float32")


class ArchitectureSpec(Spec):
    """An architecture by name and its options. The options are checked against its `build` when a study is loaded."""

    name: Name
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if isinstance(value, dict) and "options" not in value:
            value = {"name": value.get("name"), "options": {k: v for k, v in value.items() if k != "name"}}
        return value


Figures = dict[str, float]


class Published(Spec):
    """Figures that a document publishes for a trial or a committee, by split."""

    train: Figures = {}
    validation: Figures = {}
    test: Figures = {}
    cross_validation: Figures = {}
    mean_of_members: Figures = {}
    parameters: int | None = None
    trainable_parameters: int | None = None
    epochs_run: int | None = None
    source: str | None = None


class TrialSpec(Spec):
    """One training, or as many as there are seeds and folds."""

    name: Name
    architecture: Annotated[ArchitectureSpec, BeforeValidator(_named)]
    recipe: dict[str, Any] = Field(default_factory=dict, description="what differs from the study's [recipe]")
    seeds: Integers | None = Field(None, description="instead of the study's seeds")
    published: Published | None = None
    note: str | None = None


class SweepSpec(Spec):
    """A grid: every combination of the listed values is a trial."""

    name: Name
    architecture: Annotated[ArchitectureSpec, BeforeValidator(_named)]
    recipe: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, Any] = Field(description="`recipe.KEY = [values]` or `architecture.KEY = [values]`")
    seeds: Integers | None = None
    note: str | None = None


class CommitteeSpec(Spec):
    """Stored runs combined at the level of probabilities. (Also called an ensemble.)"""

    name: Name
    members: Annotated[Strings, Field(min_length=1)]
    rule: Name = "mean"
    weights: Annotated[Floats | Literal["fit"] | None, BeforeValidator(listed)] = Field(
        None, description='for `weighted-mean`: one number a member, or `"fit"`: fitted on the validation split'
    )
    published: Published | None = None
    note: str | None = None


class StudySpec(Spec):
    """A question and the trials that answer it."""

    title: Name
    question: str | None = None
    dataset: Annotated[DatasetSpec, BeforeValidator(_named)]
    split: SplitSpec = SplitSpec()
    seeds: Annotated[Integers, Field(min_length=1)] = (0,)
    backend: Literal["tensorflow", "jax", "torch"] = Field("tensorflow", description="Keras's backend")
    recipe: RecipeSpec = RecipeSpec()
    trial: Annotated[tuple[TrialSpec, ...], BeforeValidator(listed)] = ()
    sweep: Annotated[tuple[SweepSpec, ...], BeforeValidator(listed)] = ()
    committee: Annotated[tuple[CommitteeSpec, ...], BeforeValidator(listed)] = ()
