"""What a document publishes, to be shown beside what is measured."""

from __future__ import annotations

from pydantic import Field

from toile.study.fields.strict import Floats, Spec

Figures = dict[str, float]


class Published(Spec):
    """Figures that a document publishes for a trial or a committee, by split."""

    train: Figures = Field(default={}, description="metric = figure, as `accuracy = 0.9017`")
    validation: Figures = Field(default={}, description="likewise")
    test: Figures = Field(default={}, description="likewise")
    cross_validation: Figures = Field(default={}, description="likewise: means over the folds")
    mean_of_members: Figures = Field(
        default={}, description="of a committee: means of its members' own figures on the test split"
    )
    per_class: dict[str, Floats] = Field(
        default={}, description="precision, recall, f1 or support = one number a class, on test"
    )
    parameters: int | None = Field(default=None, description="how many weights the model has")
    trainable_parameters: int | None = Field(default=None, description="how many of them training changes")
    epochs_run: int | None = Field(default=None, description="epochs until training ended")
    penalty: bool = Field(
        default=False, description="whether its losses hold the model's L2 penalty, as those of Keras's `evaluate` do"
    )
    differs: str | None = Field(
        default=None, description="a reason, tested, for which measured figures are others; said where they are"
    )
    source: str | None = Field(default=None, description="where it is published")
