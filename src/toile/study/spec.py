"""What a study file may say: strict, frozen models.

A study is written with names, defaults and conveniences (`optimizer = "adam"`); what comes out of these models is explicit
and complete, because a trial's fingerprint is made from it. Nothing here knows Keras, and nothing here reads a file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from toile.study.committee import K_FOLD, Calibration, CommitteeSpec
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec
from toile.study.fields.names import Name, Sayable
from toile.study.fields.published import Published
from toile.study.fields.seeds import Seeds
from toile.study.fields.short import flat, or_name
from toile.study.fields.strict import Spec, Strings, listed
from toile.study.recipe.recipe import RecipeSpec
from toile.study.search.search import SearchSpec


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


class ArchitectureSpec(Spec):
    """An architecture by name and its options. The options are checked against its `build` when a study is loaded."""

    name: Name = Field(description="as `toile list` shows it")
    options: dict[str, Any] = Field(default_factory=dict, description="written beside the name")

    _beside = model_validator(mode="before")(flat)


class TrialSpec(Spec):
    """One training, or as many as there are seeds and folds."""

    name: Sayable = Field(description="no other trial of the study has it; without `/`, and not beginning with `-`")
    architecture: Annotated[ArchitectureSpec, or_name(ArchitectureSpec)] = Field(
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
    architecture: Annotated[ArchitectureSpec, or_name(ArchitectureSpec)] = Field(description="as in [[trial]]")
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
    trials: Annotated[Strings, Field(min_length=1)] = Field(
        description="names of trials or patterns of such (`model-*`), in the order to be shown"
    )
    labels: Strings | None = Field(
        default=None, description="what to call each here, without patterns; its name where left out"
    )

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        if self.labels is not None and len(self.labels) != len(self.trials):
            raise ValueError(f"one label a trial is wanted, got {len(self.labels)} for {len(self.trials)} trials")
        return self


class StudySpec(Spec):
    """A question and the trials that answer it."""

    title: Name = Field(description="heads the report")
    question: str | None = Field(default=None, description="what the study is to find out")
    dataset: Annotated[DatasetSpec, or_name(DatasetSpec)] = Field(
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
