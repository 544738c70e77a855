"""Pictures with one row a class: how many images there are, and how well each class is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toile.reports.page.palette import INK, MUTED, series
from toile.reports.plots.svg import FONT, apart, horizontal, margin, panel, shortened
from toile.reports.results.compared import close_up
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURES = ("precision", "recall", "f1")
MEASURE_LABELS = {"precision": "precision", "recall": "recall", "f1": "F1"}


def class_histograms(results: StudyResults) -> list[dict[str, Any]]:
    """Images a class: one panel for the images that are trained on, one for those held out for validation, one for the test
    images.

    Returns:
        For each panel `title`, `description`, `split`, `classes` (names), `counts` (`(classes,)` int), `series`.
    """
    panels = []
    shown = {"training images": results.audit.get("train"), "validation images": results.audit.get("validation")}
    named = {split: np.array(part["counts"], np.int64) for split, part in shown.items() if part}
    if results.test is not None:
        named["test images"] = np.bincount(results.test.labels, minlength=results.dataset.classes)
    for index, (split, counts) in enumerate(named.items()):
        title = f"{split} ({counts.sum():,})"
        description = f"{title}: from {counts.min():,} to {counts.max():,} in a class"
        panels.append(
            {
                "title": title,
                "description": description,
                "split": split.split()[0],
                "classes": results.dataset.class_names,
                "counts": counts,
                "series": index,
            }
        )
    return panels


def draw_class_histogram(data: dict[str, Any]) -> Figure:
    labels = apart(data["classes"])
    figure, axes = panel(360, 62 + 19 * len(labels), left=margin(labels), right=46, bottom=32)
    axes.barh(range(len(labels)), data["counts"], height=0.68, color=series(data["series"]))
    for row, count in enumerate(data["counts"]):
        axes.annotate(f"{count:,}", (count, row), (4, 0), textcoords="offset points", va="center", color=MUTED)
    horizontal(axes, labels)
    axes.xaxis.set_major_locator(_few_ticks())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("images")
    axes.set_title(data["title"])
    return figure


def class_bars(results: StudyResults) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class on the test images: one panel a model or committee.

    Returns:
        For each panel `title`, `description`, `classes` and one `(classes,)` array for each of `MEASURES`.
    """
    panels = []
    for item in close_up(results):
        rows = item.metrics.get("per_class")
        if not rows:
            continue
        values = {measure: np.array([row[measure] for row in rows], dtype=float) for measure in MEASURES}
        worst = int(np.nanargmin(values["f1"])) if np.isfinite(values["f1"]).any() else 0
        panels.append(
            {
                "title": item.name,
                "description": f"Precision, recall and F1 of {item.name} for each class; the lowest F1 is "
                f"{values['f1'][worst]:.2f}, for {results.dataset.class_names[worst]}",
                "classes": results.dataset.class_names,
                **values,
            }
        )
    return panels


def draw_class_bars(data: dict[str, Any]) -> Figure:
    labels = apart(data["classes"])
    figure, axes = panel(360, 76 + 28 * len(labels), left=margin(labels), right=14, top=44, bottom=24)
    rows = np.arange(len(labels))
    for index, measure in enumerate(MEASURES):
        # Full, pale and hollow: they differ without colour, too.
        axes.barh(
            rows + (index - 1) * 0.26,
            data[measure],
            height=0.2,
            facecolor=(series(index), (1, 0.4, 0)[index]),
            edgecolor=series(index),
            linewidth=0.9,
            label=MEASURE_LABELS[measure],
        )
    horizontal(axes, labels)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.50", "0.75", "1"])
    axes.set_title(shortened(data["title"], 44), pad=22)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.99),
        ncols=3,
        handlelength=1.2,
        columnspacing=1.2,
        borderpad=0,
        labelcolor=INK,
        fontsize=FONT - 1,
    )
    return figure


def _few_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4, integer=True)
