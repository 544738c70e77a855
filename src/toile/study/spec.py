"""What a study file may say: strict, frozen models.

A study is written with names, defaults and conveniences (`optimizer = "adam"`); what comes out of these models is explicit
and complete, because a trial's fingerprint is made from it. Nothing here knows Keras, and nothing here reads a file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, model_validator

from toile.errors import nearest
from toile.study.augmentation import Augmentation
from toile.study.balance import ClassWeight, Sampling
from toile.study.committee import K_FOLD, Calibration, CommitteeSpec
from toile.study.dataset import DatasetSpec, Seed
from toile.study.names import Name, Sayable
from toile.study.optimizers import OPTIMIZERS, complete
from toile.study.published import Published
from toile.study.schedules import Constant, Schedule
from toile.study.search import SearchSpec
from toile.study.split import SplitSpec
from toile.study.strict import Fraction, Spec, Strings, is_table, listed, off
from toile.study.teacher import Taught
from toile.text import brief


def _tables(value: Any, info: ValidationInfo) -> Any:
    """`[trial]` where `[[trial]]` was meant is the commonest slip in TOML."""
    if isinstance(value, dict):
        raise ValueError(f"is written [[{info.field_name}]], in double brackets: there may be several")
    return listed(value)


def _committees(value: Any, info: ValidationInfo) -> Any:
    """`committee = "k-fold"` is short for one committee."""
    if isinstance(value, str) and value != K_FOLD["name"]:
        raise ValueError(f"tables [[committee]] or {K_FOLD['name']!r} are wanted, got {value!r}")
    return (K_FOLD,) if isinstance(value, str) else _tables(value, info)


def _named(value: Any) -> Any:
    """`x = "name"` is short for `x = { name = "name" }`."""
    if isinstance(value, str):
        return {"name": value}
    if not is_table(value) and not isinstance(value, BaseModel):
        raise ValueError(f"a name or a table is wanted, got {brief(value)}")
    return value


def _off(value: Any) -> Any:
    """TOML has no null: `false` takes a table of the study's recipe away."""
    if value is True:
        raise ValueError("a table or `false` is wanted, got true; `{}` is the table of all defaults")
    return off(value)


def _or_name(model: Any) -> BeforeValidator:
    return BeforeValidator(_named, json_schema_input_type=str | model)


def _or_false(model: Any) -> BeforeValidator:
    return BeforeValidator(_off, json_schema_input_type=Literal[False] | model)


def _flat(value: Any) -> Any:
    """Options beside the name, as in `{ name = "sgd", momentum = 0.9 }`, are put into a table of their own."""
    if is_table(value) and "options" not in value:
        name = {"name": value["name"]} if "name" in value else {}
        return {**name, "options": {key: option for key, option in value.items() if key != "name"}}
    return value


def _distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError(f"every seed once is wanted, got {brief(list(value))}")
    return value


Seeds = Annotated[tuple[Seed, ...], BeforeValidator(listed), Field(min_length=1), AfterValidator(_distinct)]


class OptimizerSpec(Spec):
    """A Keras optimizer, its options complete: what Keras would fill in is filled in here, so it is in the fingerprint."""

    name: Name = Field(description="as Keras spells it, in lower case")
    # `complete` checks them: it knows what each one may be.
    options: dict[str, Any] = Field(default_factory=dict, description="written beside the name; Keras's names and defaults")

    _beside = model_validator(mode="before")(_flat)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.name not in OPTIMIZERS:
            known = ", ".join(sorted(OPTIMIZERS))
            raise ValueError(f"unknown optimizer {self.name!r}{nearest(self.name, OPTIMIZERS)}; known: {known}")
        object.__setattr__(self, "options", complete(self.name, self.options))
        return self


class EarlyStopping(Spec):
    """Stop when the validation split no longer gets better. The test split is never looked at."""

    patience: Annotated[int, Field(ge=0)] = Field(default=5, description="epochs without improvement before stopping")
    monitor: Literal["loss", "accuracy"] = Field(default="loss", description="of the validation split")
    min_delta: Annotated[float, Field(ge=0)] = Field(default=0.0, description="smaller improvements do not count")
    restore_best: bool = Field(default=False, description="end with the weights of the best epoch instead of the last")


class RecipeSpec(Spec):
    """How a model is trained."""

    optimizer: Annotated[OptimizerSpec, _or_name(OptimizerSpec)] = Field(
        default=OptimizerSpec(name="adam"), description='a Keras optimizer: `"adam"` or `{ name = "sgd", momentum = 0.9 }`'
    )
    schedule: Annotated[Schedule, _or_name(Schedule)] = Field(
        default=Constant(), description="factor on the optimizer's learning rate over time"
    )
    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(default=20, description="at most")
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = Field(
        default=32, description="images a step; an epoch's last may have fewer"
    )
    label_smoothing: Fraction = Field(default=0.0, description="share of the target spread evenly over all classes")
    early_stopping: Annotated[EarlyStopping | None, _or_false(EarlyStopping)] = Field(
        default=None, description="`false` in a trial where the study's recipe has it"
    )
    augmentation: Annotated[Augmentation | None, _or_false(Augmentation)] = Field(
        default=None, description="random changes of the training images; `false` as with `early_stopping`"
    )
    scaling: Literal["pixels", "min-max"] = Field(
        default="pixels",
        description="`pixels`: divided by 255; `min-max`: each pixel by its own range in the training part, to 0..1",
    )
    precision: Literal["float32", "bfloat16"] = Field(default="float32", description="of the arithmetic; weights stay float32")
    # It came later: left out of the canonical trial at its default, so that fingerprints of before hold.
    flip_average: bool = Field(
        default=False, exclude_if=lambda value: not value,
        description="predict the mean of what the model says of an image and of its mirror image",
    )  # fmt: skip

    class_weight: ClassWeight = Field(
        default=None, exclude_if=lambda value: value is None,
        description='what an image counts in the loss, by its class: `"balanced"`, inversely to the images of its class in the '
        "training part; a table class -> weight (1 for others); or a list, one a class. Classical models take it too",
    )  # fmt: skip
    sampling: Sampling = Field(
        default=None, exclude_if=lambda value: value is None,
        description='`"balanced"`: an epoch has as many images as ever, and of each class the same number',
    )  # fmt: skip
    schedule_epochs: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, exclude_if=lambda value: value is None,
        description="epochs that the schedule is laid out for, where a training is to end before its schedule does; `epochs` "
        "where left out",
    )  # fmt: skip

    @model_validator(mode="after")
    def _laid_out(self) -> Self:
        length = self.schedule_epochs
        if length is not None and length < self.epochs:
            raise ValueError(f"`schedule_epochs` is at least `epochs`, got {length} and {self.epochs}")
        if length == self.epochs or not self.schedule.by_epochs:
            # It plays no part, and one training has one fingerprint.
            object.__setattr__(self, "schedule_epochs", None)
        return self

    def first(self, epochs: int) -> RecipeSpec:
        """The first epochs of this training as one of their own: the schedule is as long as it was."""
        length = (self.schedule_epochs or self.epochs) if self.schedule.by_epochs else None
        return self.model_copy(update={"epochs": epochs, "schedule_epochs": None if length == epochs else length})

    @property
    def varies_images(self) -> bool:
        """Whether a model sees other images than those of the data set, in training or when it is asked."""
        return self.augmentation is not None or self.flip_average

    # Of a trial it says nothing: a teacher's members are in the trial itself, by their fingerprints.
    teacher: Taught = Field(
        default=None, exclude_if=lambda value: value is None,
        description="a committee of the study to learn from: its name or a table; `false` as with `early_stopping`",
    )  # fmt: skip

    def current(self) -> RecipeSpec:
        """As it is carried out today; see `Augmentation.current`."""
        update = {"augmentation": self.augmentation.current()} if self.augmentation else {}
        return self.model_copy(update={**update, "teacher": None}) if update or self.teacher else self


class ArchitectureSpec(Spec):
    """An architecture by name and its options. The options are checked against its `build` when a study is loaded."""

    name: Name = Field(description="as `toile list` shows it")
    options: dict[str, Any] = Field(default_factory=dict, description="written beside the name")

    _beside = model_validator(mode="before")(_flat)


class TrialSpec(Spec):
    """One training, or as many as there are seeds and folds."""

    name: Sayable = Field(description="no other trial of the study has it; without `/`, and not beginning with `-`")
    architecture: Annotated[ArchitectureSpec, _or_name(ArchitectureSpec)] = Field(
        description='`"cnn"`, or with options: `{ name = "cnn", filters = [32, 64] }`'
    )
    recipe: dict[str, Any] = Field(default_factory=dict, description="what differs from the study's [recipe]")
    split: SplitSpec | None = Field(default=None, description="instead of the study's [split]")
    seeds: Seeds | None = Field(default=None, description="instead of the study's seeds")
    warm_start: Name | None = Field(default=None, description="begin with the weights that this trial of the study ends with")
    calibration: Calibration = Field(
        default=None, description="what is done to its probabilities after the training, fitted on the validation split"
    )
    published: Published | None = Field(default=None, description="figures to be shown beside the measured ones")
    note: str | None = Field(default=None, description="what a reader of the report should know")


class SweepSpec(Spec):
    """A grid: every combination of the listed values is a trial."""

    name: Sayable = Field(description="its trials are called `name: key=value, …`; as in [[trial]]")
    architecture: Annotated[ArchitectureSpec, _or_name(ArchitectureSpec)] = Field(description="as in [[trial]]")
    recipe: dict[str, Any] = Field(default_factory=dict, description="what differs from the study's [recipe]")
    split: SplitSpec | None = Field(default=None, description="instead of the study's [split]")
    grid: Annotated[dict[str, Any], Field(min_length=1)] = Field(
        description="`recipe.KEY = [values]` or `architecture.KEY = [values]`"
    )
    seeds: Seeds | None = Field(default=None, description="instead of the study's seeds")
    calibration: Calibration = Field(default=None, description="as in [[trial]]")
    note: str | None = Field(default=None, description="what a reader of the report should know")


class ComparisonSpec(Spec):
    """Trials that the report lays side by side, as a table of a document does. It decides no training."""

    name: Name = Field(description="no other comparison of the study has it")
    trials: Annotated[Strings, Field(min_length=1)] = Field(description="names of trials, in the order to be shown")
    labels: Strings | None = Field(default=None, description="what to call each here; its name where left out")

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        if self.labels is not None and len(self.labels) != len(self.trials):
            raise ValueError(f"one label a trial is wanted, got {len(self.labels)} for {len(self.trials)} trials")
        return self


class StudySpec(Spec):
    """A question and the trials that answer it."""

    title: Name = Field(description="heads the report")
    question: str | None = Field(default=None, description="what the study is to find out")
    dataset: Annotated[DatasetSpec, _or_name(DatasetSpec)] = Field(
        description='a registered name, `"fashion-mnist"`, or files of your own, `{ path = "images.npz" }`'
    )
    split: SplitSpec = Field(default=SplitSpec(), description="how the images fall into parts")
    seeds: Seeds = Field(default=(0,), description="every trial is trained once with each")
    backend: Literal["tensorflow", "jax", "torch"] = Field(default="tensorflow", description="Keras's backend")
    recipe: RecipeSpec = Field(default=RecipeSpec(), description="how models are trained, where a trial does not say otherwise")
    trial: Annotated[tuple[TrialSpec, ...], BeforeValidator(_tables)] = Field(default=(), description="trainings, one by one")
    sweep: Annotated[tuple[SweepSpec, ...], BeforeValidator(_tables)] = Field(default=(), description="trainings, by grids")
    search: SearchSpec | None = Field(default=None, description="trainings, proposed within a budget")
    committee: Annotated[
        tuple[CommitteeSpec, ...],
        BeforeValidator(_committees, json_schema_input_type=tuple[CommitteeSpec, ...] | Literal["k-fold"]),
    ] = Field(default=(), description='trials to be combined, nothing trains for them; `"k-fold"`: one of all folds')
    equivalence_margin: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="a difference of accuracy that does not matter to you, such as 0.002: the report tests which models and "
        "committees differ by less, and which are not worse by so much or more (nothing trains for it)",
    )
    close_up: Strings = Field(
        default=(),
        description="names of trials whose mistakes, classes and calibration the report shows singly; without any, all of "
        "a few, the best and the worst of many",
    )
    comparison: Annotated[tuple[ComparisonSpec, ...], BeforeValidator(_tables)] = Field(
        default=(), description="trials to be shown side by side; each sweep is one by itself"
    )
    baselines: bool = Field(
        default=True,
        description="whether the commonest class and a logistic regression are made too, in seconds, to be shown beside all",
    )
    silence: dict[str, Name] = Field(
        default_factory=dict,
        description='checks that are not to warn, each with the reason, which the report shows: `T004 = "…"`',
    )
