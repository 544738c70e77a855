"""Learning curves: one panel a metric, one colour and marker a model, train dashed and validation solid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toile.reports.palette import series
from toile.reports.plots.svg import panel
from toile.reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = ("loss", "accuracy", "precision", "recall")
# Seven markers and eight colours have no common divisor: 56 models look different.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SPLITS = ("train", "validation")


def learning_curves(results: StudyResults) -> list[dict[str, Any]]:
    """Loss, accuracy, precision and recall after each epoch, of every stored trial.

    Returns:
        For each metric that some history has: `title`, `description`, `lines`, each with `name`, `series`, `split`
        (`train` or `validation`), `epochs` and `values` (arrays of equal length).
    """
    panels = []
    for metric in METRICS:
        lines = []
        for index, trial in enumerate(results.stored):
            for split in SPLITS:
                key = metric if split == "train" else f"validation_{metric}"
                rows = [(row["epoch"], row[key]) for row in trial.run.history if key in row]
                if rows:
                    epochs, values = np.array(rows, dtype=float).T
                    lines.append({"name": trial.name, "series": index, "split": split, "epochs": epochs, "values": values})
        if lines:
            last = ", ".join(f"{line['name']} {line['values'][-1]:.4f}" for line in lines if line["split"] == "validation")
            panels.append(
                {
                    "title": metric,
                    "description": f"{metric} by epoch" + (f"; at the end, on validation: {last}" if last else ""),
                    "lines": lines,
                }
            )
    return panels


def draw_learning_curves(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, axes = panel(360, 240, left=44, right=14, bottom=36)
    for line in data["lines"]:
        colour, train = series(line["series"]), line["split"] == "train"
        axes.plot(
            line["epochs"],
            line["values"],
            color=colour,
            linestyle=(0, (3.5, 2.2)) if train else "solid",
            linewidth=1.1 if train else 1.8,
            marker=MARKERS[line["series"] % len(MARKERS)],
            markersize=3.4 if train else 4.4,
            markerfacecolor="none" if train else colour,
            markeredgewidth=0.9,
            markevery=max(1, len(line["epochs"]) // 8),
        )
    last = max(line["epochs"][-1] for line in data["lines"])
    axes.set_xlim(0.6, last + 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="y")
    axes.set_xlabel("epoch")
    axes.set_title(data["title"])
    return figure


def learning_curves_legend(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the panels share: `label`, `colour` (CSS), `marker` of each model, in order."""
    seen = {line["name"]: line["series"] for data in panels for line in data["lines"]}
    return [
        {"label": name, "colour": f"var(--series-{index % 8 + 1})", "marker": MARKERS[index % len(MARKERS)]}
        for name, index in seen.items()
    ]
