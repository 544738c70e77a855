"""Models and committees alike, as what a report compares: something with probabilities on the test images."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from toile.arrays import Decisions, Probabilities
from toile.reports.results.lines import study_lines
from toile.reports.results.result import TrialResult
from toile.reports.results.study import StudyResults
from toile.reports.text import joined

# So many models are looked at one by one; of more, a few.
ALL = 6


@dataclass(frozen=True)
class Evaluated:
    """A model or a committee, evaluated on the test images.

    Args:
        name: unique among those of its kind.
        kind: what it is.
        series: its place in the order of all, from 0: gives it the same colour in every picture.
        load: gives its probabilities `(images, classes)` on the test images. They are read when they are asked for:
            most of a report is made from metrics.
        metrics: of the test split.
        published: figures of the test split that a document published.
        published_classes: likewise of each class, measure -> one number a class.
    """

    name: str
    kind: Literal["model", "committee"]
    series: int
    load: Callable[[], Probabilities]
    metrics: dict[str, Any]
    published: dict[str, float]
    published_classes: dict[str, tuple[float, ...]]

    @property
    def probabilities(self) -> Probabilities:
        return self.load()

    @property
    def choices(self) -> Decisions:
        """`(images,)`: the most probable class of each image, the first where several are equal."""
        return self.probabilities.argmax(axis=1)


def evaluated_models(results: StudyResults, names: Collection[str] = ()) -> list[Evaluated]:
    """The trainings of these names, or the first stored one of each line, as far as the study's own test images judged them."""
    if results.test is None:  # cross-validation of a data set without test images
        return []
    return [
        _evaluated(trial, line.series)
        for line in study_lines(results)
        for trial in line.trials
        if (trial.name in names if names else trial is line.trials[0]) and results.judged(trial)
    ]


def _evaluated(trial: TrialResult, series: int) -> Evaluated:
    published = trial.published or {}
    figures, of_classes = published.get("test", {}), published.get("per_class", {})
    return Evaluated(
        trial.name, "model", series, partial(trial.stored_run.probabilities, "test"), trial.test, figures, of_classes
    )


def evaluated_committees(results: StudyResults) -> list[Evaluated]:
    """The committees of the study whose members are stored."""
    if results.test is None:
        return []
    first = len({trial.line or trial.name for trial in results.trials})
    return [
        Evaluated(
            c.name, "committee", first + index, partial(np.asarray, c.probabilities), c.test,
            (c.published or {}).get("test", {}), {},
        )
        for index, c in enumerate(results.committees)
    ]  # fmt: skip


def evaluated(results: StudyResults) -> list[Evaluated]:
    """Models first, then committees, each in the order of the study."""
    return evaluated_models(results) + evaluated_committees(results)


def before_and_after(results: StudyResults, item: Evaluated) -> list[tuple[str, Probabilities]]:
    """What it says of the test images, by a name; and the same before or after its calibration, if it has one."""
    if item.kind == "committee":
        committee = next(one for one in results.committees if one.name == item.name)
        before = committee.uncalibrated
        return [*([] if before is None else [(f"{item.name}, before", before)]), (item.name, item.probabilities)]
    after = next(trial for trial in results.trials if trial.name == item.name).calibrated
    return [(item.name, item.probabilities), *([] if after is None else [(f"{item.name}, calibrated", after.probabilities)])]


def close_up(results: StudyResults) -> list[Evaluated]:
    """Those that are looked at one by one: the models that the study names (`close_up`). Where it names none, everything in a
    small study; in a large one the best two models on the test images and the worst. Of more than four committees, the best.
    They are shown, and nothing is chosen by them.
    """
    both = zip(results.committees, evaluated_committees(results), strict=False)
    models, committees = evaluated_models(results), [one for made, one in both if made.elsewhere is None]
    if named := results.study.close_up:
        lines = {trial.name: trial.line or trial.name for trial in results.trials}
        models = [one for one in models if lines[one.name] in named]
    elif len(models) > ALL:
        ranked = sorted(models, key=lambda one: -one.metrics["accuracy"])
        kept = {one.name for one in (*ranked[:2], ranked[-1])}
        models = [one for one in models if one.name in kept]
    if len(committees) > 4:
        committees = [max(committees, key=lambda one: one.metrics["accuracy"])]
    return models + committees


def close_up_note(results: StudyResults) -> str:
    """Which models `close_up` shows of how many, and why; empty where it shows all."""
    shown = [one for one in close_up(results) if one.kind == "model"]
    if len(shown) == len(evaluated_models(results)) == len(results.stored) or not shown:
        return ""
    if results.study.close_up:
        several = "; of each line one training, the first" if len(evaluated_models(results)) < len(results.stored) else ""
        return (
            f"The study names the models that are shown: {joined([one.name for one in shown])}{several}. The tables have all."
        )
    ranked = [one.name for one in sorted(shown, key=lambda one: -one.metrics["accuracy"])]
    if len(shown) == len(evaluated_models(results)):
        return f"Of each line one training is shown, the first: {joined(ranked)}."
    return (
        f"Of {len(results.stored)} trainings, those are shown that are right most often on the test images ({ranked[0]}, then "
        f"{ranked[1]}) and least often ({ranked[2]}), of each line its first training. The tables have all."
    )
