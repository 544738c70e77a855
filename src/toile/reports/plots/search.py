"""A search over time, and what its proposals cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toile.reports.page.palette import MUTED, series
from toile.reports.plots.svg import logarithmic, panel
from toile.reports.results.search import COSTS, front
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AXES = {"parameters": "parameters", "milliseconds": "ms an image", "seconds": "core seconds of its trainings"}


def search_course(results: StudyResults) -> list[dict[str, Any]]:
    """The best validation figure over the core seconds of all trainings so far.

    Returns:
        One panel: `title`, `description`, `metric`, `seconds` and `figures`; none without a search.
    """
    search = results.search
    if search is None:
        return []
    seconds, figures = [one[0] for one in search.course], [one[1] for one in search.course]
    return [{
        "title": "Best so far",
        "description": f"Best validation {search.metric} so far: {figures[-1]:.4f} after {seconds[-1]:.0f} core seconds",
        "metric": search.metric,
        "seconds": [*seconds, search.seconds],
        "figures": [*figures, figures[-1]],
    }]  # fmt: skip


def draw_search_course(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, axes = panel(420, 260, left=60, right=14, bottom=40)
    axes.step(data["seconds"], data["figures"], where="post", color=series(0), linewidth=1.8)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.margins(0.06)
    axes.grid(axis="y")
    axes.set_xlabel("core seconds")
    axes.set_ylabel(f"validation {data['metric']}")
    axes.set_title(data["title"])
    return figure


def search_fronts(results: StudyResults) -> list[dict[str, Any]]:
    """Validation figure against each cost, and the front: what nothing beats at its cost.

    Returns:
        A panel for each cost that is known: `title`, `description`, `metric`, `axis`, `points` and `front`, pairs of cost and
        figure, the front by rising cost.
    """
    search = results.search
    if search is None:
        return []
    panels = []
    for cost in COSTS:
        best = front(search.rows, cost, 1 if search.metric == "accuracy" else -1)
        known = [row for row in search.rows if row[cost] != float("inf")]
        if len(known) > 1 and best:
            panels.append({
                "title": f"Against {_AXES[cost]}",
                "description": f"Validation {search.metric} against {_AXES[cost]}; the front: "
                + ", ".join(f"{row['name']} {row['figure']:.4f}" for row in best),
                "metric": search.metric,
                "axis": _AXES[cost],
                "points": [(row[cost], row["figure"]) for row in known],
                "front": [(row[cost], row["figure"]) for row in best],
            })  # fmt: skip
    return panels


def draw_search_front(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, axes = panel(320, 260, left=60, right=14, bottom=40)
    axes.plot(*zip(*data["points"], strict=True), linestyle="none", marker="o", markersize=4, color=MUTED)
    axes.step(*zip(*data["front"], strict=True), where="post", color=series(0), linewidth=1.5, marker="o", markersize=5)
    if data["axis"] == "parameters":
        logarithmic(axes, "x", (cost for cost, _ in data["points"]))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.margins(0.08)
    axes.grid(axis="y")
    axes.set_xlabel(data["axis"])
    axes.set_ylabel(f"validation {data['metric']}")
    axes.set_title(data["title"])
    return figure
