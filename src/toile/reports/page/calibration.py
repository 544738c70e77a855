"""What was done so that probabilities mean what they say, and what it came to on the test images."""

from __future__ import annotations

from typing import Any

from toile.arrays import Probabilities
from toile.evaluation.calibrators import Calibration
from toile.evaluation.metrics import METRICS, evaluate
from toile.reports.results.study import CommitteeResult, StudyResults
from toile.reports.table import TEXT, WIDE, Column, Table
from toile.reports.text import figure
from toile.study.committee import CALIBRATED_RULES

MEASURES = ("loss", "brier", "ece", "ece_equal_mass", "ece_classwise")


def calibration_table(results: StudyResults) -> Table:
    """Log loss, Brier score and calibration errors before and after each calibration, and of what its own fit calibrates."""
    rows: list[list[str]] = []
    for trial in results.trials:
        if (after := trial.calibrated) is not None:
            said = trial.stored_run.probabilities("test")
            rows.append([trial.name, *_words(after.calibration, after.fitted_on), *_figures(results, said, after.test)])
    for committee in results.committees:
        if committee.calibration is not None:
            how = _words(committee.calibration, committee.fitted_on)
            rows.append([committee.name, *how, *_figures(results, committee.uncalibrated, committee.test)])
        elif committee.rule in CALIBRATED_RULES:
            how = [_own_fit(results, committee), committee.fitted_on]
            rows.append([committee.name, *how, *_figures(results, None, committee.test)])
    columns = [Column("", TEXT), Column("calibrated by", WIDE), Column("fitted on", TEXT)]
    for name in MEASURES:
        columns += [Column("before", group=METRICS[name].title), Column("after", group=METRICS[name].title)]
    return Table("Before and after calibration, on the test images", columns, rows)


def _words(calibration: Calibration, fitted_on: str) -> list[str]:
    number = calibration.numbers.get("temperature")
    return [calibration.name + ("" if number is None else f" {figure(number, 3)}"), fitted_on]


def _own_fit(results: StudyResults, committee: CommitteeResult) -> str:
    """How a rule says that it needs no calibration; and that one which was asked for is off."""
    asked = next((spec.calibration for spec in results.study.committee if committee.name.startswith(spec.name)), None)
    return f"the fit of {committee.rule} itself" + (f"; {asked} is off" if asked else "")


def _figures(results: StudyResults, before: Probabilities | None, after: dict[str, Any]) -> list[str]:
    measured = {} if before is None else evaluate(before, results.test_images.labels)
    return [figure(figures.get(name)) for name in MEASURES for figures in (measured, after)]
