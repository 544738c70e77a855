"""Square pictures: which class is taken for which, and which members disagree."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from toile.committee.diversity import disagreement as pairwise_disagreement
from toile.reports.page.palette import INK, MUTED, SURFACE, series
from toile.reports.plots.accuracy import extremes
from toile.reports.plots.svg import FONT, apart, at_left, margin, panel, shortened
from toile.reports.results.compared import close_up, evaluated_models
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMBERS = 10
# Beyond this many rows no number in a cell can be read.
READABLE = 16


def confusion_matrices(results: StudyResults) -> list[dict[str, Any]]:
    """Which class is taken for which on the test images: one panel a model or committee.

    Returns:
        For each panel `title`, `description`, `classes`, `counts` (`(classes, classes)` int: row the true class, column
        the chosen one) and `shares` (each row divided by its sum; 0 where the class has no image).
    """
    panels, names = [], results.dataset.class_names
    for item in close_up(results):
        size, counts = len(names), np.array(item.metrics["confusion_matrix"])
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
        wrong = np.where(np.eye(size, dtype=bool), -1, counts)
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        panels.append(
            {
                "title": item.name,
                "description": f"Confusion matrix of {item.name}: {np.trace(counts):,} of {counts.sum():,} right; the most "
                f"frequent mistake is {names[row]} taken for {names[column]}, {max(counts[row, column], 0):,} times",
                "classes": names,
                "counts": counts,
                "shares": shares,
            }
        )
    return panels


def draw_confusion_matrix(data: dict[str, Any]) -> Figure:
    size, counts, shares = len(data["classes"]), data["counts"], data["shares"]
    # Around few classes there is room for merged ones' names too.
    labels = apart(data["classes"], 22 if size <= 6 else 12)
    cell = 40 if size <= READABLE else max(8, 640 / size)
    side, left = cell * size, margin(labels, FONT) + 14
    figure, axes = panel(left + side + 10, 30 + side + margin(labels, FONT) + 10, left, 10, 30, margin(labels, FONT) + 10)
    # The square root brings out the small shares: mistakes are what one looks for here.
    diagonal = np.eye(size, dtype=bool)
    _cells(axes, np.sqrt(shares), np.where(diagonal, series(0), series(1)))
    if size <= READABLE:
        from matplotlib.patches import Rectangle

        for (row, column), count in np.ndenumerate(counts):
            if count:
                place = {"facecolor": INK, "alpha": 0, "zorder": 5, "gid": f"data:cell:{row}-{column}"}
                axes.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, **place))
                colour = _readable(np.sqrt(shares[row, column]))
                axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour)
    _square(axes, labels)
    axes.set_ylabel("true class", labelpad=left - 22)
    axes.set_xlabel("chosen class", labelpad=margin(labels, FONT) - 6)
    axes.set_title(shortened(data["title"], 56))
    return figure


def disagreement(results: StudyResults) -> list[dict[str, Any]]:
    """Share of the test images on which two models choose different classes, for every pair.

    Of more than `MEMBERS` models only the most accurate are shown: a committee is made of such.

    Returns:
        One panel, or none for fewer than two models: `title`, `description`, `names`, `shares` (symmetric, 0 on the
        diagonal).
    """
    models = extremes(evaluated_models(results), MEMBERS, key=lambda one: one.metrics["accuracy"], top=1.0)
    if len(models) < 2:
        return []
    shares = pairwise_disagreement(np.stack([model.probabilities for model in models]))
    pairs = shares[np.triu_indices(len(models), 1)]
    return [
        {
            "title": "share of test images on which two models differ",
            "description": f"Disagreement of the models: from {pairs.min():.1%} to {pairs.max():.1%} of the test images",
            "names": tuple(model.name for model in models),
            "shares": shares,
        }
    ]


def draw_disagreement(data: dict[str, Any]) -> Figure:
    labels = apart(data["names"], 30)
    shares, size = data["shares"], len(labels)
    cell = 64 if size <= 4 else max(16, 400 / size)
    side, left = cell * size, margin(labels, FONT)
    width = max(left + side + 10, 340)
    bottom = 26 if _fit(labels) else margin(labels, FONT)
    figure, axes = panel(width, 6 + side + bottom, left, width - left - side, 6, bottom)
    strongest = shares.max() or 1
    _cells(axes, 0.75 * shares / strongest, np.full(shares.shape, series(3)))
    if size <= READABLE:
        for row in range(size):
            for column in range(size):
                text = "–" if row == column else f"{100 * shares[row, column]:.1f} %"
                colour = MUTED if row == column else _readable(0.75 * shares[row, column] / strongest)
                axes.text(column, row, text, ha="center", va="center", color=colour)
    _square(axes, labels)
    return figure


def _cells(axes, strength: np.ndarray, colours: np.ndarray) -> None:
    """One rectangle a cell, its colour as opaque as its strength (0..1) so that the page shines through."""
    from matplotlib.collections import PolyCollection

    rows, columns = np.nonzero(strength)
    if not len(rows):
        return
    corners = np.array([(-0.48, -0.48), (0.48, -0.48), (0.48, 0.48), (-0.48, 0.48)])
    places = np.stack([columns, rows], axis=1)[:, None] + corners
    cells = {"facecolors": colours[rows, columns], "alpha": strength[rows, columns].round(3), "edgecolors": "none"}
    shapes: Any = places  # Matplotlib takes an array `(cells, corners, 2)` too
    axes.add_collection(PolyCollection(shapes, **cells), autolim=False)


def _readable(strength: float) -> str:
    return SURFACE if strength > 0.6 else INK


def _fit(labels: list[str]) -> bool:
    """Whether the labels stand below the axis without running into each other."""
    return len(labels) <= 4 and all(len(one) + len(other) <= 20 for one, other in pairwise(labels))


def _square(axes, labels: list[str]) -> None:
    size = len(labels)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    small = FONT - 0.5 if size <= READABLE else max(4, FONT - 0.14 * size)
    # Anchored at its end, a turned label ends at the axis in whatever font the browser has.
    turned = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
    below = {"ha": "center", "va": "top"} if _fit(labels) else turned
    for place, label in enumerate(labels):
        at = {"transform": axes.get_xaxis_transform(), "color": INK, "fontsize": small}
        axes.text(place, -4 / axes.bbox.height, label, **below, **at)
        at_left(axes, place, label, small)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
