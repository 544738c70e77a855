"""How often a model or committee is right, how sure that figure is, and whether it knows how often it is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from toile.arrays import Labels, Probabilities
from toile.evaluation.calibration import ece
from toile.evaluation.calibration import reliability as bins_by_confidence
from toile.reports.page.palette import INK, MARKERS, MUTED, series
from toile.reports.plots.svg import FONT, PUBLISHED, apart, at_right, heading, horizontal, panel, says, shortened
from toile.reports.results.compared import Evaluated, before_and_after, close_up, evaluated_committees
from toile.reports.results.lines import Line, study_lines
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")

Z95 = 1.959963984540054
# More rows than these nobody reads; the tables have all.
ROWS = 40
TITLES = {"test": "on the test images", "validation": "on the validation images or held-out folds"}


def wilson_interval(right: float, images: float, z: float = Z95) -> tuple[float, float]:
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
    """Accuracy of every line and committee, with what is known of its spread.

    The interval of a single training is Wilson's at 95 %: it speaks of the images drawn, not of another seed's training.
    That of several trainings goes from the lowest to the highest of them, around their mean.

    Returns:
        A panel for the test images and one for cross-validations, each if there is anything: `title`, `description`,
        `part` (`test` or `validation`), `rows`, each with `name`, `kind`, `series`, `n` (trainings), `accuracy`, `low`,
        `high`, `published` (or None). Of more than 40 rows, 30 of the highest and 10 of the lowest are kept.
    """
    lines = [line for line in study_lines(results) if line.values("accuracy")]
    panels = []
    for part, title in TITLES.items():
        rows = [_row_of_line(line) for line in lines if line.part == part]
        if part == "test":
            rows += [_row_of_committee(committee) for committee in evaluated_committees(results)]
        if rows:
            kept = extremes(rows, ROWS, key=lambda row: row["accuracy"])
            few = f", the highest and the lowest of {len(rows):,}" if len(kept) < len(rows) else ""
            values_text = "; ".join(
                f"{row['name']} {row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f})" for row in kept
            )
            panels.append({"title": title + few, "description": f"{title}: {values_text}", "part": part, "rows": kept})
    return panels


def _row_of_line(line: Line) -> dict[str, Any]:
    values = line.values("accuracy")
    images = getattr(line.trials[0], line.part)["images"]
    low, high = wilson_interval(round(values[0] * images), images) if len(values) == 1 else (min(values), max(values))
    return {
        "name": line.name, "kind": "model", "series": line.series, "n": len(values), "accuracy": line.mean("accuracy"),
        "low": low, "high": high, "published": line.published.get("accuracy"),
    }  # fmt: skip


def _row_of_committee(committee: Evaluated) -> dict[str, Any]:
    accuracy, images = committee.metrics["accuracy"], committee.metrics["images"]
    low, high = wilson_interval(round(accuracy * images), images)
    return {
        "name": committee.name, "kind": "committee", "series": committee.series, "n": 1, "accuracy": accuracy,
        "low": low, "high": high, "published": committee.published.get("accuracy"),
    }  # fmt: skip


def extremes(rows: list[T], most: int, key: Callable[[T], float], top: float = 0.75) -> list[T]:
    """At most `most` rows in their order: all of them, or this share of them from the top and the rest from the bottom."""
    if len(rows) <= most:
        return rows
    ranked = sorted(range(len(rows)), key=lambda index: -key(rows[index]))
    first = round(most * top)
    return [rows[index] for index in sorted(ranked[:first] + ranked[len(rows) - (most - first) :])]


def draw_accuracies(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    rows = data["rows"]
    # Names stand above their lines: beside them, long ones would leave no room on a phone.
    figure, axes = panel(360, 76 + 34 * len(rows), left=8, right=58, bottom=38)
    above = {"transform": axes.get_yaxis_transform(), "va": "bottom", "color": INK, "fontsize": FONT - 0.5}
    names = apart([row["name"] for row in rows], 50)
    for index, row in enumerate(rows):
        colour, bold = series(row["series"]), row["kind"] == "committee"
        axes.text(0, index - 0.2, names[index], **above)
        axes.plot([row["low"], row["high"]], [index, index], color=colour, linewidth=2.4)
        marker = "*" if bold else MARKERS[row["series"] % len(MARKERS)]
        axes.plot(row["accuracy"], index, marker=marker, color=colour, markersize=11 if bold else 7,
                  gid=says(f"{row['name']}: {row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f})"))  # fmt: skip
        if row["published"] is not None:
            axes.plot(row["published"], index, **PUBLISHED)
        at_right(axes, index, f"{row['accuracy']:.4f}", bold)
    horizontal(axes, [""] * len(rows))
    axes.set_ylim(len(rows) - 0.6, -0.8)
    axes.margins(x=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    published = any(row["published"] is not None for row in rows)
    axes.set_xlabel("accuracy" + (" (hollow: published)" if published else ""))
    heading(axes, data["title"])
    return figure


def reliability(results: StudyResults) -> list[dict[str, Any]]:
    """How often the chosen class is right, among images given about the same probability (Guo et al. 2017, ICML).

    Returns:
        For each that is looked at one by one, before and after its calibration if it has one, `title`, `description`, `series`,
        `confidence`, `accuracy` with its interval from `low` to `high`, and `images` of each bin that is not empty (15 bins of
        equal width), and `ece`: the mean distance of accuracy and confidence, weighted by images.
    """
    return [
        _reliability(title, probabilities, results.test_images.labels, item.series)
        for item in close_up(results)
        for title, probabilities in before_and_after(results, item)
    ]


def _reliability(title: str, probabilities: Probabilities, labels: Labels, series: int) -> dict[str, Any]:
    bins = [bin for bin in bins_by_confidence(probabilities, labels) if bin["images"]]
    error = ece(probabilities, labels)
    intervals = np.array([wilson_interval(round(bin["accuracy"] * bin["images"]), bin["images"]) for bin in bins])
    return {
        "title": title,
        "description": f"Reliability diagram of {title}: expected calibration error {error:.4f}",
        "series": series,
        **{key: np.array([bin[key] for bin in bins]) for key in ("confidence", "accuracy", "images")},
        "low": intervals[:, 0],
        "high": intervals[:, 1],
        "ece": error,
    }


def draw_reliability(data: dict[str, Any]) -> Figure:
    figure, axes = panel(240, 250, left=40, right=12, top=28, bottom=38)
    colour = series(data["series"])
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
    axes.vlines(data["confidence"], data["low"], data["high"], color=colour, linewidth=1.2, alpha=0.7)
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
