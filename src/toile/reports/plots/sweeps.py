"""Sweeps over one number: what accuracy, loss and time come to along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toile.reports.page.palette import MARKERS, SERIES, series
from toile.reports.plots.curves import entries
from toile.reports.plots.svg import logarithmic, panel, spans_magnitudes
from toile.reports.results.lines import Line, curves_of_sweeps
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Figure -> its value of a line.
FIGURES = {
    "accuracy": lambda line: line.mean("accuracy"),
    "log loss": lambda line: line.mean("loss"),
    "training time in seconds": lambda line: line.fact("seconds", "train"),
}
TICKS = 7


def sweeps(results: StudyResults) -> list[dict[str, Any]]:
    """Accuracy, loss and training time against the number that a sweep goes through; sweeps over the same number together.

    Each point is a mean over the trainings of a line.

    Returns:
        For each number and figure: `title`, `description`, `group`, `axis` (the number's name), `curves`, each with `name`
        (the sweep's), `series`, `x` and `y`.
    """
    panels = []
    for key, found in curves_of_sweeps(results).items():
        # Eight curves are as many as there are colours.
        shown = dict(sorted(found.items(), key=lambda pair: -_best(pair[1]))[:SERIES])
        for figure, value in FIGURES.items():
            curves = []
            for index, (name, points) in enumerate(sorted(shown.items(), key=lambda pair: list(found).index(pair[0]))):
                known = [(x, y) for x, line in points if (y := value(line)) is not None]
                if known:
                    x, y = zip(*known, strict=True)
                    curves.append({"name": name, "series": index, "x": x, "y": y})
            if curves:
                few = f", the {len(shown)} best of {len(found)} sweeps" if len(shown) < len(found) else ""
                values_text = "; ".join(f"{curve['name']} from {curve['y'][0]:.4g} to {curve['y'][-1]:.4g}" for curve in curves)
                description = f"{figure} against {key}: {values_text}"
                about = {"title": figure + few, "description": description, "group": f"Along {key}", "axis": key}
                panels.append({**about, "curves": curves})
    return panels


def _best(points: list[tuple[float, Line]]) -> float:
    return max(line.mean("accuracy") or 0.0 for _, line in points)


def draw_sweep(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, axes = panel(340, 250, left=52, right=14, bottom=40)
    for curve in data["curves"]:
        colour, marker = series(curve["series"]), MARKERS[curve["series"] % len(MARKERS)]
        axes.plot(curve["x"], curve["y"], color=colour, linewidth=1.6, marker=marker, markersize=5.5,
                  gid=f"data:line:{curve['series']}")  # fmt: skip
    values = [y for curve in data["curves"] for y in curve["y"]]
    if log := spans_magnitudes(values):
        logarithmic(axes, "y", values)
    if len(numbers := sorted({x for curve in data["curves"] for x in curve["x"]})) <= TICKS:
        axes.set_xticks(numbers, [f"{number:g}" for number in numbers])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(TICKS))
    axes.grid(axis="y")
    axes.set_xlabel(data["axis"])
    axes.set_title(data["title"] + (" (logarithmic)" if log else ""))
    return figure


def sweeps_legend(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the panels share: each sweep, in order; see `entries`."""
    return entries({curve["name"]: curve["series"] for data in panels for curve in data["curves"]})
