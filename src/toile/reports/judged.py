"""Models and committees alike, as what a report compares: something with probabilities on the test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toile.reports.results import StudyResults


@dataclass(frozen=True)
class Judged:
    """A model or a committee, judged on the test images.

    Args:
        name: unique among those of its kind.
        kind: what it is.
        series: its place in the order of all, from 0: gives it the same colour in every picture.
        probabilities: `(images, classes)`, on the test images.
        metrics: of the test split.
        published: figures of the test split that a document published.
    """

    name: str
    kind: Literal["model", "committee"]
    series: int
    probabilities: np.ndarray
    metrics: dict[str, Any]
    published: dict[str, float]

    @property
    def choices(self) -> np.ndarray:
        """`(images,)`: the most probable class of each image, the first where several are equal."""
        return self.probabilities.argmax(axis=1)


def judged_models(results: StudyResults) -> list[Judged]:
    """The stored trials that have probabilities for exactly the study's test images."""
    models: list[Judged] = []
    if results.test is None:  # cross-validation of a data set without test images
        return models
    for index, trial in enumerate(results.stored):
        if "test" not in trial.run.splits():
            continue
        probabilities = trial.run.probabilities("test")
        if len(probabilities) == len(results.test):
            published = (trial.published or {}).get("test", {})
            models.append(Judged(trial.name, "model", index, probabilities, trial.test, published))
    return models


def judged_committees(results: StudyResults) -> list[Judged]:
    """The committees of the study whose members are stored."""
    if results.test is None:
        return []
    first = len(results.stored)
    return [
        Judged(c.name, "committee", first + index, c.probabilities, c.test, (c.published or {}).get("test", {}))
        for index, c in enumerate(results.committees)
    ]


def judged(results: StudyResults) -> list[Judged]:
    """Models first, then committees, each in the order of the study."""
    return judged_models(results) + judged_committees(results)
