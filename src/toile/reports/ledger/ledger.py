"""The ledger: every figure that the documents publish, what was measured here, and whether the two agree.

It is made from the packaged studies and from result files, so it can be made again from a clone, and is never edited.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any

import numpy as np

from toile.reports.ledger import pairings
from toile.reports.ledger.published import Figure, figures, of_members, tables
from toile.reports.ledger.results import Measured
from toile.study.expand import Variant, variants
from toile.study.published import Figures, Published
from toile.study.spec import CommitteeSpec, StudySpec

# Accuracies of one recipe over seeds spread by some 0.3 points on these images, and a document shows one seed, sometimes
# stopped by hand: within a point counts as the same.
CLOSE = 0.01
REPRODUCED, DIFFERS, REDUCED, MISSING = "reproduced", "differs", "reduced", "not measured"
ALONE = "measured"  # and nothing published to lay it beside


@dataclass(frozen=True)
class Row:
    """A line of a study: what is published of it beside what was measured.

    `split` is what both figures speak of: `test`, or `validation` (means over folds too). `own` says that no document publishes
    anything about the line. `seconds` is the mean duration of a training, None where nothing was measured. `figures` are all
    that is published of it, of every part of the data.
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

    @property
    def verdict(self) -> str:
        """`reproduced`, `differs: why`, `measured: …`, `reduced: how` or `not measured: why`."""
        return f"{self.kind}: {self.note}" if self.note and self.kind != REPRODUCED else self.kind


def rows(studies: dict[str, StudySpec], results: Sequence[Measured]) -> list[Row]:
    """A row for each line of each study.

    Args:
        studies: by name.
        results: all result files. Those measured with another recipe than the study has now do not count.
    """
    by_line = defaultdict(list)
    for one in results:
        by_line[one.study, one.line].append(one)
    found = []
    for name, study in studies.items():
        notes = {trial.name: trial.note or "" for trial in study.trial}
        for line in variants(study):
            note = " ".join(notes.get(line.name, "").split())
            row = _row(name, line, [m for m in by_line[name, line.name] if _is_of(m, line)], note)
            found.append(replace(row, own=line.published is None))
        found += [_means(name, spec, found) for spec in study.committee if spec.published]
    return found


def _means(study: str, spec: CommitteeSpec, found: Sequence[Row]) -> Row:
    """What a document publishes of a committee: the means of its members' figures, laid beside the same means here."""
    members = [row for row in found if row.study == study and row.line in spec.members and row.n]
    published = spec.published.mean_of_members if spec.published else {}
    whole = len(members) == len(spec.members)
    measured = {metric: mean(row.measured[metric] for row in members) for metric in published} if whole else {}
    name = f"{spec.name}: the mean of its members' figures, which no committee has"
    if not whole:
        return Row(
            study, name, None, "test", published, 0, {}, {}, MISSING, "", figures=tuple(of_members(study, name, published, {}))
        )
    close = abs(measured["accuracy"] - published["accuracy"]) <= CLOSE
    other = [row.line for row in members if row.kind == DIFFERS]
    kind, note = (REPRODUCED, "") if close else (DIFFERS, f"{', '.join(other)} differs" if other else "why is not known")
    every = tuple(of_members(study, name, published, measured))
    return Row(study, name, None, "test", published, 1, measured, {}, kind, note, figures=every)


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
    return same and trained_alike and _split_of(canonical) == _split_of(trial) and trial.seed in line.seeds


def _split_of(trial: Any) -> str:
    return json.dumps(json.loads(trial.canonical())["split"])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _row(study: str, line: Variant, found: list[Measured], note: str) -> Row:
    published = line.published or Published()
    split, published_figures = _published_figures(published, "validation" if line.split.folds else "test")
    full = [one for one in found if not one.reduced]
    used = full or found
    values: dict[str, list[float]] = defaultdict(list)
    for one in used:
        for metric, value in one.metrics.get(split, {}).items():
            values[metric].append(value)
    measured = {metric: mean(all_) for metric, all_ in values.items()}
    spread = {metric: stdev(all_) for metric, all_ in values.items() if len(all_) > 1}
    parameters = used[0].facts.get("parameters") if used else published.parameters
    folds = line.split.folds or 1
    if not used:
        kind, note = MISSING, _why_missing(line)
    elif not full:
        kind, note = REDUCED, used[0].reduced.removeprefix("reduced ")
    elif len(full) < folds:
        kind, note = REDUCED, f"{len(full)} of {folds} folds"
    elif "accuracy" not in published_figures:
        kind, note = ALONE, "no figure is published"
    elif abs(measured["accuracy"] - published_figures["accuracy"]) > CLOSE:
        kind, note = DIFFERS, note or "why is not known"
    else:
        kind = REPRODUCED
    seconds = mean(one.facts["seconds"]["train"] for one in used) if used else None
    return Row(
        study, line.name, parameters, split, published_figures, len(used), measured, spread, kind, note, seconds=seconds,
        figures=tuple(figures(study, line.name, published, full if len(full) >= folds else [])),
    )  # fmt: skip


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


def render(found: Sequence[Row], confusions: Sequence[tuple[str, np.ndarray]] = ()) -> str:
    """The ledger as Markdown.

    Args:
        confusions: name and confusion matrix of ten-class models, for what their pairs of classes would come to.
    """
    count = {
        kind: sum(row.kind == kind and not row.own for row in found) for kind in (REPRODUCED, DIFFERS, ALONE, REDUCED, MISSING)
    }
    own = sum(row.own for row in found)
    every = [one for row in found for one in row.figures]
    count_of_figures = len(every)
    kinds = {kind: sum(row.kind == kind and row.own for row in found) for kind in (ALONE, REDUCED, MISSING)}
    unpublished = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    lines = [
        "# The ledger",
        "",
        f"Every figure that the five documents publish ({count_of_figures} of them), beside what toile measured with the same",
        "architecture and protocol; then what the same studies measured without a published figure, and studies of our own.",
        "Made by `toile ledger` from `results/`; never edited by hand.",
        "",
        f"{sum(one.measured is not None for one in every)} of the {count_of_figures} figures have a measured one beside them.",
        "Those on the training images are of after the training, without dropout, as the documents have them; older runs here",
        "did not measure them.",
        "",
        f"{len(found) - own} published lines: " + ", ".join(f"{number} {kind}" for kind, number in count.items()) + ".",
        *([f"{own} lines that no document publishes anything about: {unpublished}."] if own else []),
        f"An accuracy within {CLOSE:.2f} of the published one counts as reproduced. Of several seeds or folds the mean is",
        "given, ± the standard deviation. Losses are in nats. Seconds are those of one thread on a machine in use.",
    ]
    asked_for = {row.study for row in found if not row.own}
    for study in sorted(dict.fromkeys(row.study for row in found), key=lambda study: study not in asked_for):
        theirs = [row for row in found if row.study == study and not row.own]
        ours = [row for row in found if row.study == study and row.own]
        lines += ["", f"## {study}"]
        if theirs:
            lines += [
                "",
                "| trial | parameters | of | accuracy published | measured | loss published | measured | n | verdict |",
                "| --- | --: | --- | --: | --: | --: | --: | --: | --- |",
                *map(_beside, theirs),
                "",
                "All that is published of them, part by part:",
                *tables([one for one in every if one.study == study]),
            ]
        if ours:
            lines += [
                "",
                "| of our own | parameters | of | accuracy | loss | seconds to train | n | verdict |",
                "| --- | --: | --- | --: | --: | --: | --: | --- |",
                *map(_alone, ours),
            ]
    return "\n".join([*lines, *pairings.section(confusions)]) + "\n"


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


def _beside(row: Row) -> str:
    """A line of Markdown with the published figures."""

    def published(metric: str) -> str:
        return f"{row.published[metric]:.4f}" if metric in row.published else "–"

    return _cells(
        row.line, _count(row), row.split, published("accuracy"), _figure(row, "accuracy"), published("loss"),
        _figure(row, "loss"), str(row.n or "–"), row.verdict,
    )  # fmt: skip


def _alone(row: Row) -> str:
    """A line of Markdown of what has no published figures."""
    seconds = "–" if row.seconds is None else f"{row.seconds:,.0f}"
    verdict = row.kind if row.kind == ALONE else row.verdict
    return _cells(
        row.line, _count(row), row.split, _figure(row, "accuracy"), _figure(row, "loss"), seconds, str(row.n or "–"), verdict
    )


def _count(row: Row) -> str:
    return f"{row.parameters:,}" if row.parameters else "–"


def _figure(row: Row, metric: str) -> str:
    spread = f" ± {row.spread[metric]:.4f}" if metric in row.spread else ""
    return f"{row.measured[metric]:.4f}{spread}" if metric in row.measured else "–"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
