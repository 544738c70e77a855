"""Lines of a study: its trials by the name they have in the file, each over all its seeds and folds.

Reports speak of lines and not of single trainings wherever there may be many: twenty folds are one figure with its spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from toile.reports.results.result import StoredStudy, TrialResult
from toile.reports.table import TEXT, Column, Table, without_empty
from toile.reports.text import figure, spread
from toile.study.expand import combinations, leaves
from toile.study.fields.patterns import matching

# Said of a figure that is not of the test images.
OF_PART = {"test": "", "validation": " (validation or held-out folds)"}
FIGURES = ("accuracy", "loss", "f1_micro", "roc_auc_ovo")


@dataclass(frozen=True)
class Line:
    """The stored trainings of one line of a study, at least one; several where it has seeds or folds.

    Args:
        name: as in the study file.
        series: its place among the study's lines, from 0: gives it the same colour in every picture.
        trials: those that are stored.
        part: the split that its figures are of: `validation`, the held-out folds, in a cross-validation; else `test`.
    """

    name: str
    series: int
    trials: tuple[TrialResult, ...]
    part: str

    def values(self, metric: str) -> list[float]:
        """A metric of `part`, one value a training that has it."""
        found = (getattr(trial, self.part).get(metric) for trial in self.trials)
        return [value for value in found if value is not None]

    def mean(self, metric: str) -> float | None:
        """Its mean over the trainings; None where no training has it."""
        return _mean(self.values(metric))

    def fact(self, *path: str) -> float | None:
        """A number of the provenance (`"seconds", "train"`), as a mean over the trainings; None where none has it."""
        found = []
        for trial in self.trials:
            value: Any = trial.stored_run.provenance
            for key in path:
                value = (value or {}).get(key)
            found += [] if value is None else [float(value)]
        return _mean(found)

    @property
    def published(self) -> dict[str, float]:
        """What a document publishes of the same part."""
        return self.published_of("cross_validation" if self.part == "validation" else self.part)

    def published_of(self, part: str) -> dict[str, float]:
        """What a document publishes of a part."""
        return (self.trials[0].published or {}).get(part, {})

    def of(self, part: str, metric: str) -> float | None:
        """A metric of some part (`train`, `validation` or `test`), as a mean over the trainings that have it."""
        found = (getattr(trial, part).get(metric) for trial in self.trials)
        return _mean([value for value in found if value is not None])


@dataclass(frozen=True)
class Comparison:
    """Lines that are laid side by side, by the labels that they have there. A study without any is one, without a name."""

    name: str
    lines: tuple[tuple[str, Line], ...]


def study_lines(results: StoredStudy) -> list[Line]:
    """The lines with a stored training, in the order of the study."""
    found: dict[str, list[TrialResult]] = {}
    for trial in results.trials:
        found.setdefault(trial.line or trial.name, []).append(trial)
    return [
        Line(name, series, tuple(trial for trial in trials if trial.run), _part(results, trials))
        for series, (name, trials) in enumerate(found.items())
        if any(trial.run for trial in trials)
    ]


def comparisons(results: StoredStudy) -> list[Comparison]:
    """The study's comparisons and sweeps as far as they are stored, and last what is in none of them."""
    lines = {line.name: line for line in study_lines(results)}
    planned = list(dict.fromkeys(trial.line or trial.name for trial in results.trials))
    named: list[tuple[str, list[tuple[str, str]]]] = []
    for spec in results.study.comparison:
        shown = list(dict.fromkeys(line for name in spec.trials for line in matching(planned, name)))
        entries = zip(spec.labels, spec.trials, strict=True) if spec.labels else zip(shown, shown, strict=True)
        named.append((spec.name, list(entries)))
    for sweep in results.study.sweep:
        before = f"{sweep.name}: "
        named.append((sweep.name, [(name.removeprefix(before), name) for name in lines if name.startswith(before)]))
    placed = {trial.fingerprint for _, entries in named for _, name in entries if name in lines for trial in lines[name].trials}
    # A name of its own for trainings that stand elsewhere is no other line here.
    rest = [(name, name) for name, line in lines.items() if not placed.issuperset(trial.fingerprint for trial in line.trials)]
    found = [Comparison(name, tuple((label, lines[of]) for label, of in entries if of in lines)) for name, entries in named]
    found = [one for one in found if one.lines]
    others = tuple((label, lines[of]) for label, of in rest)
    return [*found, *([Comparison("Others" if found else "", others)] if others else [])]


def curves_of_sweeps(results: StoredStudy) -> dict[str, dict[str, list[tuple[float, Line]]]]:
    """Sweeps over one number alone: that number's name -> sweep -> its values, rising, with the line of each."""
    lines = {line.name: line for line in study_lines(results)}
    found: dict[str, dict[str, list[tuple[float, Line]]]] = {}
    for sweep in results.study.sweep:
        axes = list(leaves(sweep.grid))
        if len(axes) == 1 and all(type(value) in (int, float) for value in axes[0][1]) and len(axes[0][1]) > 2:
            (path, values) = axes[0]
            named = zip(values, combinations(sweep), strict=True)
            points = [(float(value), lines[trial.name]) for value, trial in named if trial.name in lines]
            if points:
                points.sort(key=lambda point: point[0])
                found.setdefault(path[-1].replace("_", " "), {})[sweep.name] = points
    return found


def lines_table(results: StoredStudy) -> Table:
    """Mean and standard deviation of each line that has several trainings, and what is published of it."""
    rows = []
    for line in study_lines(results):
        if len(line.trials) > 1:
            over = "folds" if any(trial.trial.get("fold") is not None for trial in line.trials) else "seeds"
            measured = [spread(line.values(metric)) for metric in FIGURES]
            published = [figure(line.published.get(metric)) for metric in FIGURES[:2]]
            rows.append([line.name, over, str(len(line.trials)), *measured, *published])
    columns = [
        Column("line", TEXT), Column("over", TEXT), Column("n"),
        Column("accuracy", group="measured"), Column("loss", group="measured"), Column("F1 (micro)", group="measured"),
        Column("ROC AUC (one-vs-one)", group="measured"), Column("accuracy", group="published"),
        Column("loss", group="published"),
    ]  # fmt: skip
    note = "Means ± standard deviations: over folds, of the fold that each training held out; over seeds, of the test images."
    return without_empty(Table("Lines with several seeds or folds", columns, rows, note=note), keep=3)


def _part(results: StoredStudy, trials: list[TrialResult]) -> str:
    folds = any(trial.trial.get("fold") is not None for trial in trials)
    return "validation" if folds or results.test is None else "test"


def _mean(values: list[float]) -> float | None:
    return fmean(values) if values else None
