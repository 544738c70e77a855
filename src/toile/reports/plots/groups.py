"""Which models and committees cannot be told apart, as bars beside their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toile.reports.page.palette import INK, MARKERS, series
from toile.reports.plots.svg import FONT, apart, at_right, heading, panel
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {"test": "on the test images", "validation": "on the held-out folds"}
# Of more rows, the most accurate.
ROWS = 40


def told_apart(results: StudyResults) -> list[dict[str, Any]]:
    """The groups of which no two were shown to differ, after Holm's correction.

    Returns:
        A panel for the test images and one for held-out folds, where three or more were compared all with all: `title`,
        `description`, `rows` (the most accurate first), each with `name`, `kind`, `series`, `accuracy`; and `groups`, each the
        numbers of its rows.
    """
    panels = []
    for part, title in TITLES.items():
        ranked = results.claims.ranked(part)[:ROWS]
        groups = results.claims.groups(ranked) if len(ranked) > 2 else []
        if not groups:  # or there are more than anybody reads
            continue
        rows = [{"name": one.ref[1], "kind": one.ref[0], "series": one.series, "accuracy": one.accuracy} for one in ranked]
        spoken = "; ".join(", ".join(rows[i]["name"] for i in group) for group in groups)
        panels.append({"title": title, "description": f"Not told apart {title}: {spoken}", "rows": rows, "groups": groups})
    return panels


def draw_told_apart(data: dict[str, Any]) -> Figure:
    rows, groups = data["rows"], data["groups"]
    figure, axes = panel(360, 60 + 26 * len(rows), left=8, right=58, top=28, bottom=12)
    columns = len(groups)
    # Bars have the right third, or less if there are few.
    step = min(0.06, 0.4 / columns)
    names = apart([row["name"] for row in rows], 34)
    for index, row in enumerate(rows):
        bold = row["kind"] == "committee"
        axes.text(0.05, index, names[index], color=INK, fontsize=FONT - 0.5, va="center")
        marker = "*" if bold else MARKERS[row["series"] % len(MARKERS)]
        axes.plot(0.015, index, marker=marker, color=series(row["series"]), markersize=9 if bold else 6, clip_on=False)
        at_right(axes, index, f"{row['accuracy']:.4f}", bold)
    for column, group in enumerate(groups):
        x = 1 - step * (columns - column - 0.5)
        axes.plot([x, x], [group[0] - 0.25, group[-1] + 0.25], color=INK, linewidth=1)
        axes.plot([x] * len(group), group, marker="s", markersize=5, color=INK, linestyle="none")
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    axes.set_axis_off()
    heading(axes, data["title"])
    return figure
