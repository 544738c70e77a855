"""What a study file may say of how a model is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from toile.errors import nearest
from toile.study.fields.names import Name
from toile.study.fields.short import flat, or_false, or_name
from toile.study.fields.strict import Fraction, Spec
from toile.study.recipe.augmentation import Augmentation
from toile.study.recipe.balance import ClassWeight, Sampling
from toile.study.recipe.optimizers import OPTIMIZERS, complete
from toile.study.recipe.schedules import Constant, Schedule
from toile.study.recipe.teacher import Taught


class OptimizerSpec(Spec):
    """A Keras optimizer, its options complete: what Keras would fill in is filled in here, so it is in the fingerprint."""

    name: Name = Field(description="as Keras spells it, in lower case")
    # `complete` checks them: it knows what each one may be.
    options: dict[str, Any] = Field(default_factory=dict, description="written beside the name; Keras's names and defaults")

    _beside = model_validator(mode="before")(flat)

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

    def unreached(self, epochs: int) -> str:
        """What of it a training of so many epochs never comes to, in words; empty where it comes to all of it.

        Whoever wants the best epoch and all of them has no other way to say so than a long patience.
        """
        # The first epoch is always better than nothing before it, and to stop after the last one is not to stop.
        never = max(self.patience, 1) + 1 >= epochs and not self.restore_best
        return f"early_stopping.patience = {self.patience}: nothing stops early" if never else ""


class RecipeSpec(Spec):
    """How a model is trained."""

    optimizer: Annotated[OptimizerSpec, or_name(OptimizerSpec)] = Field(
        default=OptimizerSpec(name="adam"), description='a Keras optimizer: `"adam"` or `{ name = "sgd", momentum = 0.9 }`'
    )
    schedule: Annotated[Schedule, or_name(Schedule)] = Field(
        default=Constant(), description="factor on the optimizer's learning rate over time"
    )
    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(default=20, description="at most")
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = Field(
        default=32, description="images a step; an epoch's last may have fewer"
    )
    label_smoothing: Fraction = Field(default=0.0, description="share of the target spread evenly over all classes")
    early_stopping: Annotated[EarlyStopping | None, or_false(EarlyStopping)] = Field(
        default=None, description="`false` in a trial where the study's recipe has it"
    )
    augmentation: Annotated[Augmentation | None, or_false(Augmentation)] = Field(
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
        return self

    def settled(self) -> RecipeSpec:
        """Without a `schedule_epochs` that plays no part: one training has one fingerprint.

        A study's recipe keeps it. A trial of fewer epochs, or of another schedule, goes by it.
        """
        idle = self.schedule_epochs == self.epochs or not self.schedule.by_epochs
        return self.model_copy(update={"schedule_epochs": None}) if self.schedule_epochs is not None and idle else self

    def first(self, epochs: int) -> RecipeSpec:
        """The first epochs of this training as one of their own: the schedule is as long as it was."""
        length = (self.schedule_epochs or self.epochs) if self.schedule.by_epochs else None
        return self.model_copy(update={"epochs": epochs, "schedule_epochs": None if length == epochs else length})

    def unreached(self) -> list[str]:
        """What of early stopping and of the schedule never comes, because there are too few epochs; in words."""
        stopping = self.early_stopping.unreached(self.epochs) if self.early_stopping else ""
        scheduled = self.schedule.unreached(self.epochs, self.schedule_epochs or self.epochs)
        return [what for what in (stopping, scheduled) if what]

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
