"""Lines of a study: the trials of one name over seeds and folds, as means with their spread."""

from __future__ import annotations

from statistics import mean, stdev

from toile.reports.results import StudyResults, TrialResult
from toile.reports.sections import TEXT, Column, Table
from toile.reports.text import NOTHING, figure

FIGURES = ("accuracy", "loss", "f1_micro", "roc_auc_ovo")


def lines(results: StudyResults) -> dict[str, list[TrialResult]]:
    """The stored trials of each line that has several seeds or folds."""
    found: dict[str, list[TrialResult]] = {}
    for trial in results.trials:
        found.setdefault(trial.line or trial.name, []).append(trial)
    return {name: [t for t in trials if t.run] for name, trials in found.items() if len(trials) > 1}


def lines_table(results: StudyResults) -> Table:
    """Mean and standard deviation of each line: over folds of the held-out fold, over seeds of the test images."""
    rows = []
    for name, trials in lines(results).items():
        folds = any(trial.trial.get("fold") is not None for trial in trials)
        part, published = ("validation", "cross_validation") if folds else ("test", "test")
        row = [name, "folds" if folds else "seeds", str(len(trials))]
        for metric in FIGURES:
            values = [getattr(trial, part).get(metric) for trial in trials]
            row.append(_spread([value for value in values if value is not None]))
        theirs = (trials[0].published or {}).get(published, {}) if trials else {}
        rows.append([*row, *(figure(theirs.get(metric)) for metric in FIGURES[:2])])
    columns = [
        Column("line", TEXT), Column("over", TEXT), Column("n"),
        Column("accuracy", group="measured"), Column("loss", group="measured"), Column("F1 (micro)", group="measured"),
        Column("ROC AUC (one-vs-one)", group="measured"), Column("accuracy", group="published"),
        Column("loss", group="published"),
    ]  # fmt: skip
    note = "Means ± standard deviations: over folds, of the fold that each training held out; over seeds, of the test images."
    return Table("Lines with several seeds or folds", columns, rows, note=note)


def _spread(values: list[float]) -> str:
    if not values:
        return NOTHING
    return figure(mean(values)) + (f" ± {figure(stdev(values))}" if len(values) > 1 else "")
