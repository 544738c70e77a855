"""Bar charts over the lines of a study: one panel a measure, its rows grouped as the study compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toile.reports.page.palette import INK, series
from toile.reports.plots.accuracy import extremes
from toile.reports.plots.svg import FONT, PUBLISHED, apart, at_right, heading, horizontal, margin, panel
from toile.reports.results.lines import Comparison, Line, comparisons, curves_of_sweeps
from toile.reports.results.study import StudyResults
from toile.reports.text import duration, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Rows of one comparison; the tables have all.
MOST = 12


@dataclass(frozen=True)
class Measure:
    """What a panel shows: its title, the value of a line, the key of the published figure, how a value is written, and of which
    part the published figure is, if not of the line's."""

    title: str
    value: Callable[[Line], float | None]
    key: str
    written: Callable[[float], str]
    part: str = ""


MEASURES = (
    # One label and one decision an image: every wrong decision is one false positive and one false negative.
    Measure("accuracy (the same as micro F1)", lambda line: line.mean("accuracy"), "accuracy", figure),
    Measure("accuracy on the training images", lambda line: line.of("train", "accuracy"), "accuracy", figure, part="train"),
    Measure("ROC AUC, one-vs-one", lambda line: line.mean("roc_auc_ovo"), "roc_auc_ovo", figure),
    Measure("log loss", lambda line: line.mean("loss"), "loss", figure),
    # Published times are of other machines and stand beside nothing.
    Measure("training time, of one training", lambda line: line.fact("seconds", "train"), "", duration),
    Measure("evaluation time", lambda line: line.fact("seconds", "evaluate"), "", duration),
)


def measures(results: StudyResults) -> list[dict[str, Any]]:
    """Accuracy, area under the curve, loss and times of every line, as the study lays them side by side.

    What a sweep over one number comes to is drawn along that number instead.

    A line of several trainings shows their mean, a cross-validation that of its held-out folds. Of more than twelve lines
    in a comparison, the nine of the highest and three of the lowest accuracy are shown.

    Returns:
        For each measure that some line has: `title`, `description`, `groups`, each with `name` and `rows` (`label`,
        `value`, `published` or None), and `written`, which writes a value.
    """
    along = {name for found in curves_of_sweeps(results).values() for name in found}
    side_by_side = [one for one in comparisons(results) if one.name not in along]
    found = [(one, extremes(list(one.lines), MOST, key=lambda entry: entry[1].mean("accuracy") or 0.0)) for one in side_by_side]
    panels = []
    for measure in MEASURES:
        groups = [made for one, shown in found if (made := _group(one, shown, measure))["rows"]]
        if groups:
            values_text = "; ".join(
                (f"{group['name']}: " if group["name"] else "")
                + ", ".join(f"{row['label']} {measure.written(row['value'])}" for row in group["rows"])
                for group in groups
            )
            description = f"{measure.title}: {values_text}"
            panels.append({"title": measure.title, "description": description, "groups": groups, "written": measure.written})
    return panels


def _group(comparison: Comparison, shown: list[tuple[str, Line]], measure: Measure) -> dict[str, Any]:
    few = f" ({len(shown)} of {len(comparison.lines):,})" if len(shown) < len(comparison.lines) else ""
    rows = [
        {"label": label, "value": value, "published": _published(line, measure)}
        for label, line in shown
        if (value := measure.value(line)) is not None
    ]
    return {"name": comparison.name + few, "rows": rows}


def _published(line: Line, measure: Measure) -> float | None:
    return (line.published_of(measure.part) if measure.part else line.published).get(measure.key)


def draw_measure(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    headed = bool(data["groups"][0]["name"])
    # A heading stands in a row of its own.
    rows = [row for group in data["groups"] for row in ([{"heading": group["name"]}] if headed else []) + group["rows"]]
    labels = apart(["" if "heading" in row else row["label"] for row in rows], 34)
    left = margin(labels)
    figure, axes = panel(left + 230, 62 + 18 * len(rows), left=left, right=84, bottom=26)
    for index, row in enumerate(rows):
        if "heading" in row:
            place = {"transform": axes.get_yaxis_transform(), "va": "center", "fontstyle": "italic"}
            axes.text((5 - left) / axes.bbox.width, index + 0.12, row["heading"], color=INK, fontsize=FONT - 0.5, **place)
        else:
            at_right(axes, index, data["written"](row["value"]))
    bars = [(index, row) for index, row in enumerate(rows) if "value" in row]
    axes.barh([index for index, _ in bars], [row["value"] for _, row in bars], height=0.62, color=series(0))
    marks = [(row["published"], index) for index, row in bars if row["published"] is not None]
    if marks:
        axes.plot(*zip(*marks, strict=True), **PUBLISHED)
    horizontal(axes, labels)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    heading(axes, data["title"])
    return figure
