"""The report: one HTML file that needs nothing but itself."""

from __future__ import annotations

import shlex
from importlib.resources import files
from itertools import groupby
from typing import Any

from toile.reports.checks import checks
from toile.reports.page import (
    audit,
    baselines,
    calibration,
    comparisons,
    galleries,
    mistaken,
    palette,
    provenance,
    search,
    students,
    tables,
)
from toile.reports.page.findings import findings
from toile.reports.plots import PLOTS, drawn
from toile.reports.plots.sizes import size_table
from toile.reports.results import lines
from toile.reports.results.compared import close_up_note
from toile.reports.results.study import StudyResults
from toile.text import printable


def render(results: StudyResults) -> str:
    """The report as one HTML document: no request, complete without its script, the same text for the same results.

    Args:
        results: everything about the study that the store knows.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined

    package = files("toile.reports.page")
    sources = {name: package.joinpath(name).read_text("utf-8") for name in ("report.html.j2", "report.css", "report.js")}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=shown,
    )  # fmt: skip
    return environment.get_template("report.html.j2").render(_content(results)) + "\n"


def shown(value: Any) -> Any:
    """What the template writes: words from files without characters that would turn or hide what stands beside them."""
    return printable(value, keep="\n\t") if type(value) is str else value


def stand_in(results: StudyResults) -> str | None:
    """The name of the data set that the study asks for, if the report is about another one."""
    requested = results.study.dataset.name
    return requested if requested is not None and requested != results.dataset.name else None


def _content(results: StudyResults) -> dict[str, Any]:
    from markupsafe import Markup

    plots = {}
    for name, plot in PLOTS.items():
        panels = plot.data(results)
        pictures = iter(drawn(name, panels))
        groups = [(heading, list(of_group)) for heading, of_group in groupby(panels, key=lambda one: one.get("group", ""))]
        plots[name] = {
            "groups": [
                {
                    "heading": heading,
                    "legend": plot.legend(of_group) if plot.legend else [],
                    "panels": [Markup(next(pictures)) for _ in of_group],
                }
                for heading, of_group in groups
            ],
            "caption": plot.caption,
            "width": plot.panel_width,
        }
    members, committee = galleries.voters(results)
    missing = [trial for trial in results.trials if trial.run is None]
    return {
        "results": results,
        "dataset": results.dataset.name,
        "stand_in": stand_in(results),
        "colours": Markup(palette.css()),
        "findings": findings(results),
        "checks": checks(results),
        "mistaken": mistaken.mistaken(results),
        "suspected": mistaken.suspected(results),
        "listing": mistaken.listing(results),
        "missing": missing,
        "plots": plots,
        "strips": galleries.strips(results),
        "random_strips": galleries.random_strips(results),
        "augmented": galleries.augmented(results),
        "predicted": galleries.predicted(results),
        "disputed": galleries.disputed(results),
        "members": members,
        "committee": committee,
        "close_up": close_up_note(results),
        "parts": _parts(results),
        "split": _split(results),
        # What two parts share is said by a check.
        "warnings": [one for one in results.audit.get("warnings", []) if one not in results.audit.get("shared", [])],
        "tables": {
            "notes": tables.notes(results),
            "audit": audit.audit_table(results),
            "comparisons": comparisons.comparison_table(results),
            "figures": tables.figures_table(results),
            "baselines": baselines.baselines_table(results),
            "lines": lines.lines_table(results),
            "measures": tables.measures_table(results),
            "training": tables.training_table(results),
            "search": search.leaderboard(results),
            "importance": search.importance_table(results),
            "recipes": tables.recipe_table(results),
            "committees": tables.committee_table(results.committees, tables.figure_names(results)),
            "members": tables.members_table(results.committees),
            "students": students.student_table(results),
            "sizes": size_table(results),
            "calibration": calibration.calibration_table(results),
            "class_report": tables.class_report(results),
            "classes": tables.class_table(results),
            "shared": provenance.shared_table(results),
            "runs": provenance.runs_table(results),
        },
        "search": search.paragraphs(results),
        "commands": _commands(results),
        "sources": sorted({trial.published["source"] for trial in results.trials if (trial.published or {}).get("source")}),
        "image_shape": results.dataset.image_shape,
    }


def _parts(results: StudyResults) -> str:
    """How many images are trained on, held out and tested on."""
    audit = results.audit
    fold = ", if the first fold is held out," if results.study.split.folds else ""
    held = f"{audit['validation']['images']:,} validation images" if audit.get("validation") else "no validation images"
    test = f"{len(results.test):,} test images" if results.test is not None else "no test images"
    return f"{audit['train']['images']:,} training images, {held}{fold} and {test}"


def _split(results: StudyResults) -> str:
    """How the images were divided, in a sentence."""
    split = results.study.split
    how = {
        "tail": "the last of them, unshuffled (as Keras’s validation_split)",
        "random": "drawn at random",
        "stratified": "drawn at random, the same share of each class",
    }[split.method]
    if split.folds:
        return f"{split.folds}-fold cross-validation; folds by the method “{split.method}”."
    if split.validation == "given":
        return "The data set’s own validation images are used: all training images are trained on."
    if not split.validation:
        return "Nothing is held out for validation."
    of = "all images" if split.test else "the images that are no test images"
    return f"{100 * split.validation:g} % of {of} are held out for validation: {how}."


def _commands(results: StudyResults) -> list[tuple[str, str]]:
    """`(command, what it does)`: how to make this report again."""
    study = results.called or shlex.quote(results.reference)
    return [
        (f"toile plan {study}", "shows what would be trained and what is stored already; trains nothing"),
        (f"toile run {study}", "trains what is missing; the same command goes on after an interruption"),
        (f"toile report {study}", "writes this report from the store"),
        (f"toile report {study} --json", "prints its figures as JSON"),
    ]
