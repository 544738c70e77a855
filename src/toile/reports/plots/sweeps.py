"""Sweeps over one number: what accuracy, loss and time come to along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toile.reports.lines import Line, curves_of_sweeps
from toile.reports.palette import MARKERS, SERIES, series
from toile.reports.plots.curves import entries
from toile.reports.plots.svg import panel
from toile.reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Figure -> its value of a line, and whether it spans orders of magnitude.
FIGURES = {
    "accuracy": (lambda line: line.mean("accuracy"), False),
    "log loss": (lambda line: line.mean("loss"), False),
    "training time in seconds": (lambda line: line.fact("seconds", "train"), True),
}


def sweeps(results: StudyResults) -> list[dict[str, Any]]:
    """Accuracy, loss and training time against the number that a sweep goes through; sweeps over the same number together.

    Each point is a mean over the trainings of a line.

    Returns:
        For each number and figure: `title`, `description`, `group` and `axis` (the number's name), `log` (whether the
        figure's axis is logarithmic), `curves`, each with `name` (the sweep's), `series`, `x` and `y`.
    """
    panels = []
    for key, found in curves_of_sweeps(results).items():
        # Eight curves are as many as there are colours.
        shown = dict(sorted(found.items(), key=lambda pair: -_best(pair[1]))[:SERIES])
        for figure, (value, log) in FIGURES.items():
            curves = []
            for index, (name, points) in enumerate(sorted(shown.items(), key=lambda pair: list(found).index(pair[0]))):
                known = [(x, y) for x, line in points if (y := value(line)) is not None]
                if known:
                    x, y = zip(*known, strict=True)
                    curves.append({"name": name, "series": index, "x": x, "y": y})
            if curves:
                few = f", the {len(shown)} best of {len(found)} sweeps" if len(shown) < len(found) else ""
                title = f"{figure} against {key}"
                spoken = "; ".join(f"{curve['name']} from {curve['y'][0]:.4g} to {curve['y'][-1]:.4g}" for curve in curves)
                panels.append({
                    "title": title + few, "description": f"{title}: {spoken}", "group": key.capitalize(), "axis": key,
                    "log": log, "curves": curves,
                })  # fmt: skip
    return panels


def _best(points: list[tuple[float, Line]]) -> float:
    return max(line.mean("accuracy") or 0.0 for _, line in points)


def draw_sweep(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    figure, axes = panel(340, 250, left=52, right=14, bottom=40)
    for curve in data["curves"]:
        colour, marker = series(curve["series"]), MARKERS[curve["series"] % len(MARKERS)]
        axes.plot(curve["x"], curve["y"], color=colour, linewidth=1.6, marker=marker, markersize=5.5)
    if data["log"]:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")
    axes.set_xlabel(data["axis"])
    axes.set_title(data["title"])
    return figure


def sweeps_legend(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the panels share: each sweep, in order; see `entries`."""
    return entries({curve["name"]: curve["series"] for data in panels for curve in data["curves"]})
