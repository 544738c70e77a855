"""The ledger: every figure that the documents publish, what was measured here, and whether the two agree.

It is made from the packaged studies and from result files, so it can be made again from a clone, and is never edited.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from statistics import mean, stdev
from typing import Any

import numpy as np

from toile.reports.ledger.published import Figure, figures, of_members, values
from toile.reports.ledger.results import Measured
from toile.reports.ledger.verdict import JUDGED, Pooled, allowed, images_variance, pooled, rounding, same_images
from toile.study.committee import CommitteeSpec
from toile.study.expand import Variant, variants
from toile.study.fields.published import Figures, Published
from toile.study.spec import StudySpec

REPRODUCED, DIFFERS, REDUCED, MISSING = "reproduced", "differs", "reduced", "not measured"
ALONE = "measured"  # and nothing published to lay it beside
NO_REASON = "no reason was found"


@dataclass(frozen=True)
class Row:
    """A line of a study: what is published of it beside what was measured.

    `split` is what both figures speak of: `test`, or `validation` (means over folds too). `own` says that no document publishes
    anything about the line. `seconds` is the mean duration of a training, None where nothing was measured. `figures` are all
    that is published of it, of every part of the data. `allowed` says, by metric, how far the published figure may lie from
    ours (`toile.reports.ledger.verdict`).
    """

    study: str
    line: str
    parameters: int | None
    split: str
    published: Figures
    n: int
    measured: dict[str, float]
    spread: dict[str, float]
    kind: str
    note: str
    own: bool = False
    seconds: float | None = None
    figures: tuple[Figure, ...] = ()
    allowed: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """`reproduced`, `differs in loss: why`, `measured: …`, `reduced: how` or `not measured: why`."""
        kind = f"{self.kind} in {' and '.join(self.outside)}" if self.kind == DIFFERS else self.kind
        return f"{kind}: {self.note}" if self.note and self.kind != REPRODUCED else kind

    @property
    def outside(self) -> list[str]:
        """The metrics in which the published figure lies farther off than is allowed."""
        return [
            metric for metric in JUDGED
            if metric in self.allowed and abs(self.measured[metric] - self.published[metric]) > self.allowed[metric]
        ]  # fmt: skip


def rows(studies: dict[str, StudySpec], results: Sequence[Measured]) -> list[Row]:
    """A row for each line of each study.

    Args:
        studies: by name.
        results: all result files. Those measured with another recipe than the study has now do not count.
    """
    by_line = defaultdict(list)
    for one in results:
        by_line[one.study, one.line].append(one)
    lines = [
        (name, line, [one for one in by_line[name, line.name] if _is_of(one, line)])
        for name, study in studies.items()
        for line in variants(study)
    ]
    spread = pooled([one for one in measured if not one.reduced] for _, line, measured in lines if line.published)
    found = []
    for name, study in studies.items():
        own = [_row(name, line, measured, spread, study.dataset.pool is True) for of, line, measured in lines if of == name]
        found += own
        found += [_means(name, spec, own) for spec in study.committee if spec.published]
    return found


def _means(study: str, spec: CommitteeSpec, found: Sequence[Row]) -> Row:
    """What a document publishes of a committee: the means of its members' figures, laid beside the same means here."""
    members = [row for row in found if row.line in spec.members and row.n]
    published = spec.published.mean_of_members if spec.published else {}
    whole = len(members) == len(spec.members)
    measured = {metric: mean(row.measured[metric] for row in members) for metric in published} if whole else {}
    name = f"{spec.name}: the mean of its members' figures, which no committee has"
    every = tuple(of_members(study, name, published, measured))
    row = Row(study, name, None, "test", published, int(whole), measured, {}, MISSING, "", figures=every)
    if not whole:
        return row
    # Trainings of different members have nothing to do with each other.
    may = {
        metric: sqrt(sum(row.allowed[metric] ** 2 for row in members)) / len(members)
        for metric in JUDGED
        if metric in published and all(metric in row.allowed for row in members)
    }
    row = replace(row, kind=REPRODUCED, allowed=may)
    other = [member.line for member in members if member.kind == DIFFERS]
    return replace(row, kind=DIFFERS, note=f"{', '.join(other)} differs" if other else NO_REASON) if row.outside else row


def _is_of(measured: Measured, line: Variant) -> bool:
    """Whether the result is of the line as it is now (the size of a reduced one aside)."""
    trial, recipe, split = measured.trial, line.recipe, line.split
    if measured.reduced:
        recipe = recipe.model_copy(update={"epochs": trial.recipe.epochs})
        split = split.model_copy(update={"fraction": trial.split.fraction})
    options = {**trial.architecture.options, **line.architecture.options}
    if trial.architecture.weights:
        options["weights"] = trial.architecture.options["weights"]  # known by content, and may not be here
    same = trial.architecture.name == line.architecture.name and _plain(options) == _plain(trial.architecture.options)
    canonical = trial.model_copy(update={"split": split})
    trained_alike = (
        trial.learner == "classical" or trial.recipe == recipe.current()
    )  # a recipe decides nothing of a classical model
    # More seeds than the study has say more of the line; folds count as the study has them.
    meant = not line.split.folds or trial.seed in line.seeds
    return same and trained_alike and _split_of(canonical) == _split_of(trial) and meant


def _split_of(trial: Any) -> str:
    return json.dumps(json.loads(trial.canonical())["split"])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _row(study: str, line: Variant, found: list[Measured], pool: Mapping[str, Pooled], pooled_images: bool) -> Row:
    published = line.published or Published()
    split, published_figures = _published_figures(published, "validation" if line.split.folds else "test")
    full = [one for one in found if not one.reduced]
    used, folds = full or found, line.split.folds or 1
    every = {
        metric: values(used, published, split, metric)
        for metric in dict.fromkeys(metric for one in used for metric in one.metrics.get(split, {}))
    }
    measured = {metric: mean(all_) for metric, all_ in every.items() if all_}
    parameters = used[0].facts.get("parameters") if used else published.parameters
    row = Row(
        study, line.name, parameters, split, published_figures, len(used), measured,
        {metric: stdev(all_) for metric, all_ in every.items() if len(all_) > 1}, REPRODUCED, "",
        own=line.published is None, seconds=mean(one.facts["seconds"]["train"] for one in used) if used else None,
        figures=tuple(figures(study, line.name, published, full if len(full) >= folds else [])),
    )  # fmt: skip
    if not used:
        return replace(row, kind=MISSING, note=_why_missing(line))
    if not full:
        return replace(row, kind=REDUCED, note=used[0].reduced.removeprefix("reduced "))
    if len(full) < folds:
        return replace(row, kind=REDUCED, note=f"{len(full)} of {folds} folds")
    if "accuracy" not in published_figures:
        return replace(row, kind=ALONE, note="no figure is published")
    same = same_images(line, split, pooled_images)
    may = {
        metric: allowed(
            metric, every[metric], pool.get(metric), trainings=folds,
            images_variance=0.0 if same else images_variance(metric, full, split),
        )
        + rounding(published_figures[metric])
        for metric in JUDGED
        if metric in published_figures and every.get(metric)
    }  # fmt: skip
    row = replace(row, allowed=may)
    return replace(row, kind=DIFFERS, note=_one_line(published.differs) or NO_REASON) if row.outside else row


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _why_missing(line: Variant) -> str:
    needs = line.architecture.name == "transfer" and line.architecture.options.get("weights", "imagenet") == "imagenet"
    return "ImageNet weights not available here" if needs else ""


def _published_figures(published: Published, otherwise: str) -> tuple[str, Figures]:
    """Which of a run's splits the published figures are of (`otherwise` if there are none), and the figures."""
    if published.test:
        return "test", published.test
    if published.cross_validation:
        return "validation", published.cross_validation
    return ("validation", published.validation) if published.validation else (otherwise, {})


def ten_classes(results: Sequence[Measured], data: str = "committee") -> list[tuple[str, np.ndarray]]:
    """Confusion matrices of Keras models at full protocol on the ten classes, one a line, for `render`.

    Args:
        data: the study whose data set is meant.
    """
    contents = {one.trial.dataset.content for one in results if one.study == data}
    found: dict[str, np.ndarray] = {}
    for one in results:
        whole = not one.reduced and one.trial.fold is None and one.trial.learner == "keras"
        if whole and len(one.confusion_matrix) == 10 and one.trial.dataset.content in contents:
            found.setdefault(f"{one.study}/{one.line}", np.array(one.confusion_matrix))
    return list(found.items())
