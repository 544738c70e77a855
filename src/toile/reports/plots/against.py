"""What accuracy goes with: loss, parameters and training time, one point a line of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toile.reports.page.palette import MARKERS, MUTED, series
from toile.reports.plots.curves import entries
from toile.reports.plots.svg import PUBLISHED, logarithmic, panel, spans_magnitudes
from toile.reports.results.lines import comparisons
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# So many lines have a colour and a place in the legend each; of more, each comparison has.
NAMED = 12


def accuracy_against(results: StudyResults) -> list[dict[str, Any]]:
    """Accuracy of every line against its loss, its parameters and its training time.

    Each is a mean over the line's trainings; of a cross-validation, of the held-out folds. A line is shown once, in the
    first comparison that has it.

    Returns:
        For each of the three that two lines at least have: `title`, `description`, `axis` (what x is), `log` (whether its
        axis is logarithmic: where values are orders of magnitude apart), `points`, each with `name`, `series`, `x`,
        `accuracy` and `published` (`(x, accuracy)` or None).
    """
    placed: dict[str, tuple[str, int, Any]] = {}
    found = comparisons(results)
    several = len({line.name for one in found for _, line in one.lines}) > NAMED and len(found) > 1
    for index, one in enumerate(found):
        for _, line in one.lines:
            placed.setdefault(line.name, (one.name, index, line) if several else (line.name, line.series, line))
    panels = []
    for axis in ("loss", "parameters", "training time in seconds"):
        points = []
        for name, index, line in placed.values():
            x = {"loss": line.mean("loss"), "parameters": line.fact("parameters")}.get(axis, line.fact("seconds", "train"))
            accuracy, theirs = line.mean("accuracy"), line.published
            if x is not None and accuracy is not None:
                pair = (theirs.get("loss"), theirs.get("accuracy")) if axis == "loss" else (None, None)
                points.append({
                    "name": name, "series": index, "x": x, "accuracy": accuracy,
                    "published": pair if None not in pair else None,
                })  # fmt: skip
        if len(points) > 1:
            best = max(points, key=lambda point: point["accuracy"])
            description = (
                f"Accuracy against {axis} of {len(points)} models; the highest, {best['accuracy']:.4f}, at {best['x']:.4g}"
            )
            panels.append(
                {
                    "title": f"accuracy against {axis}",
                    "description": description,
                    "axis": axis,
                    "log": spans_magnitudes(point["x"] for point in points),
                    "points": points,
                }
            )
    return panels


def draw_accuracy_against(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    figure, axes = panel(340, 260, left=52, right=14, bottom=40)
    for name in dict.fromkeys(point["name"] for point in data["points"]):
        points = [point for point in data["points"] if point["name"] == name]
        index = points[0]["series"]
        place = [point["x"] for point in points], [point["accuracy"] for point in points]
        axes.plot(*place, linestyle="none", marker=MARKERS[index % len(MARKERS)], markersize=7, color=series(index), alpha=0.9)
    for point in data["points"]:
        if point["published"]:
            (x, accuracy) = point["published"]
            axes.plot([point["x"], x], [point["accuracy"], accuracy], color=MUTED, linewidth=0.7)
            axes.plot(x, accuracy, **PUBLISHED)
    if data["log"]:
        logarithmic(axes, "x", [point["x"] for point in data["points"]])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if max(point["x"] for point in data["points"]) >= 10_000:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(0.08)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(True)
    axes.set_xlabel(data["axis"] + (" (logarithmic)" if data["log"] else ""))
    axes.set_ylabel("accuracy")
    axes.set_title(data["title"])
    return figure


def accuracy_against_legend(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the panels share: `label`, `colour` (CSS) and `marker` of each line or comparison."""
    return entries({point["name"]: point["series"] for data in panels for point in data["points"]})
