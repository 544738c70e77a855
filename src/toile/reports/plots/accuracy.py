"""How often a model or committee is right, how sure that figure is, and whether it knows how often it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toile.evaluation.calibration import ece
from toile.evaluation.calibration import reliability as bins_by_confidence
from toile.reports.judged import judged
from toile.reports.palette import INK, MUTED, SURFACE, series
from toile.reports.plots.curves import MARKERS
from toile.reports.plots.svg import FONT, horizontal, margin, panel, shortened
from toile.reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Z95 = 1.959963984540054


def wilson_interval(right: int, images: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927, JASA 22, 209-212).

    Args:
        right: images classified right, 0..images.
        images: all images, at least 1.
        z: quantile of the normal distribution; the default gives 95 %.

    Returns:
        `(low, high)`, each in 0..1.
    """
    if images < 1 or not 0 <= right <= images:
        raise ValueError(f"a proportion needs 0 <= right <= images and images >= 1, got {right} of {images}")
    share, z2 = right / images, z * z
    centre = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = z / (1 + z2 / images) * np.sqrt(share * (1 - share) / images + z2 / (4 * images * images))
    # At 0 and 1 the ends are exact; rounding must not move them.
    low, high = float(centre - half), float(centre + half)
    return (0.0 if right == 0 else max(low, 0.0)), (1.0 if right == images else min(high, 1.0))


def accuracies(results: StudyResults) -> list[dict[str, Any]]:
    """Accuracy on the test images of every model and committee, with its 95 % Wilson interval.

    The interval speaks of the test images drawn, not of another seed's training.

    Returns:
        One panel: `title`, `description`, `rows`, each with `name`, `kind`, `series`, `accuracy`, `low`, `high`,
        `published` (or None). No panel where nothing is stored.
    """
    rows = []
    for item in judged(results):
        right = int((item.choices == results.test.labels).sum())
        low, high = wilson_interval(right, len(results.test))
        rows.append(
            {
                "name": item.name,
                "kind": item.kind,
                "series": item.series,
                "accuracy": right / len(results.test),
                "low": low,
                "high": high,
                "published": item.published.get("accuracy"),
            }
        )
    if not rows:
        return []
    spoken = "; ".join(f"{row['name']} {row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f})" for row in rows)
    return [{"title": "accuracy on the test images", "description": f"Accuracy with 95 % interval: {spoken}", "rows": rows}]


def draw_accuracies(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    rows = data["rows"]
    labels = [shortened(row["name"], 24) for row in rows]
    figure, axes = panel(380, 52 + 27 * len(rows), left=margin(labels), right=58, top=10, bottom=38)
    published = False
    for index, row in enumerate(rows):
        colour = series(row["series"])
        axes.plot([row["low"], row["high"]], [index, index], color=colour, linewidth=2.4)
        marker = "*" if row["kind"] == "committee" else MARKERS[row["series"] % len(MARKERS)]
        axes.plot(row["accuracy"], index, marker=marker, color=colour, markersize=11 if marker == "*" else 7)
        if row["published"] is not None:
            axes.plot(row["published"], index, marker="D", markersize=5.5, color=MUTED, markerfacecolor=SURFACE)
            published = True
        axes.annotate(
            f"{row['accuracy']:.4f}",
            (1, index),
            (10, 0),
            xycoords=("axes fraction", "data"),
            color=INK,
            textcoords="offset points",
            va="center",
            fontweight="bold" if row["kind"] == "committee" else "normal",
        )
    horizontal(axes, labels)
    axes.margins(x=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("accuracy on the test images" + (" (hollow: published)" if published else ""))
    return figure


def reliability(results: StudyResults) -> list[dict[str, Any]]:
    """How often the chosen class is right, among images given about the same probability (Guo et al. 2017, ICML).

    Returns:
        For each model and committee `title`, `description`, `series`, `confidence`, `accuracy` and `images` of each bin
        that is not empty (15 bins of equal width), and `ece`: the mean distance of accuracy and confidence, weighted by
        images.
    """
    panels = []
    for item in judged(results):
        bins = [bin for bin in bins_by_confidence(item.probabilities, results.test.labels) if bin["images"]]
        error = ece(item.probabilities, results.test.labels)
        panels.append(
            {
                "title": item.name,
                "description": f"Reliability diagram of {item.name}: expected calibration error {error:.4f}",
                "series": item.series,
                **{key: np.array([bin[key] for bin in bins]) for key in ("confidence", "accuracy", "images")},
                "ece": error,
            }
        )
    return panels


def draw_reliability(data: dict[str, Any]) -> Figure:
    figure, axes = panel(240, 250, left=40, right=12, top=28, bottom=38)
    colour = series(data["series"])
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
    axes.vlines(data["confidence"], data["confidence"], data["accuracy"], color=colour, linewidth=1.2, alpha=0.7)
    axes.plot(data["confidence"], data["accuracy"], color=colour, linewidth=1.2)
    share = data["images"] / data["images"].sum()
    axes.scatter(data["confidence"], data["accuracy"], s=10 + 150 * share, color=colour, alpha=0.85, linewidths=0)
    axes.text(0.97, 0.04, f"ECE {data['ece']:.4f}", transform=axes.transAxes, ha="right", color=INK)
    axes.set(xlim=(-0.02, 1.04), ylim=(-0.02, 1.04))
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, ["0", ".25", ".50", ".75", "1"])
    axes.set_yticks(ticks, ["0", ".25", ".50", ".75", "1"])
    axes.grid(True)
    axes.set_xlabel("probability of the choice")
    axes.set_ylabel("share right", fontsize=FONT - 0.5)
    axes.set_title(shortened(data["title"], 28))
    return figure
