"""What was done so that probabilities mean what they say, and what it came to on the test images."""

from __future__ import annotations

from typing import Any

from toile.evaluation.calibrators import Calibration
from toile.evaluation.metrics import METRICS, evaluate
from toile.reports.results.result import CommitteeResult
from toile.reports.results.study import StudyResults
from toile.reports.table import TEXT, WIDE, Column, Table
from toile.reports.text import figure
from toile.study.committee import CALIBRATED_RULES

MEASURES = ("loss", "brier", "ece", "ece_equal_mass", "ece_classwise")


def calibration_table(results: StudyResults) -> Table:
    """Log loss, Brier score and calibration errors before and after each calibration, and of what its own fit calibrates."""
    rows: list[list[str]] = []
    for trial in results.trials:
        if (after := trial.calibrated) is not None:
            # Runs of before have not all of these figures.
            before = trial.test
            if results.judged(trial):
                before = evaluate(trial.stored_run.probabilities("test"), results.test_images.labels)
            rows.append([trial.name, *_words(after.calibration, after.fitted_on), *_figures(before, after.test)])
    for committee in results.committees:
        if committee.calibration is not None:
            how = _words(committee.calibration, committee.fitted_on)
            labels = (committee.elsewhere or results.test_images).labels
            before = {} if committee.uncalibrated is None else evaluate(committee.uncalibrated, labels)
            rows.append([committee.name, *how, *_figures(before, committee.test)])
        elif committee.rule in CALIBRATED_RULES:
            how = [_own_fit(results, committee), committee.fitted_on]
            rows.append([committee.name, *how, *_figures({}, committee.test)])
    columns = [Column("", TEXT), Column("calibrated by", WIDE), Column("fitted on", TEXT)]
    for name in MEASURES:
        columns += [Column("before", group=METRICS[name].title), Column("after", group=METRICS[name].title)]
    return Table("Before and after calibration, on the test images", columns, rows)


def _words(calibration: Calibration, fitted_on: str) -> list[str]:
    number = calibration.numbers.get("temperature")
    tried = calibration.by_folds or {}
    chosen = ", ".join(f"{name} {figure(loss)}" for name, loss in tried.items())
    how = calibration.name + ("" if number is None else f" {figure(number, 3)}")
    return [how + (f", chosen by log loss on folds not fitted on: {chosen}" if tried else ""), fitted_on]


def _own_fit(results: StudyResults, committee: CommitteeResult) -> str:
    """How a rule says that it needs no calibration; and that one which was asked for is off."""
    asked = next(
        (spec.calibration for spec in results.study.committee if spec.name == (committee.line or committee.name)), None
    )
    return f"the fit of {committee.rule} itself" + (f"; {asked} is off" if asked else "")


def _figures(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [figure(figures.get(name)) for name in MEASURES for figures in (before, after)]
