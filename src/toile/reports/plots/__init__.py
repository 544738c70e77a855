"""The pictures of a report. Each first computes its data, which tests look at, and then draws it.

A new picture is two functions and one line in `PLOTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toile.errors import Misuse, nearest
from toile.reports.plots import accuracy, classes, curves, matrices
from toile.reports.plots.svg import svg
from toile.reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plot:
    """A kind of picture.

    Args:
        data: gives one dictionary a panel, each with `title` and `description`; none where there is nothing to show.
        draw: makes a Matplotlib figure of one such dictionary.
        caption: says below the picture what is seen.
        panel_width: the least width in CSS pixels at which a panel can be read; a narrower screen scrolls.
        legend: entries that the panels share, if the panels have none of their own.
    """

    data: Callable[[StudyResults], list[dict[str, Any]]]
    draw: Callable[[dict[str, Any]], Figure]
    caption: str
    panel_width: int = 300
    legend: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None


def pictures(name: str, results: StudyResults) -> list[str]:
    """The panels of a plot as `<svg>` elements for an HTML page; the same bytes for the same results.

    Raises:
        Misuse: there is no such plot.
    """
    if name not in PLOTS:
        raise Misuse(f"there is no plot {name!r}{nearest(name, PLOTS)}; there are {', '.join(PLOTS)}")
    return drawn(name, PLOTS[name].data(results))


def drawn(name: str, panels: list[dict[str, Any]]) -> list[str]:
    """The panels of a plot whose data has been computed."""
    return [
        svg(PLOTS[name].draw, data, f"{name}-{number}", data["title"], data["description"])
        for number, data in enumerate(panels, start=1)
    ]


PLOTS = {
    "class-histograms": Plot(
        classes.class_histograms,
        classes.draw_class_histogram,
        "Images of each class. Training images are all that the study may learn from, its validation images included.",
    ),
    "accuracies": Plot(
        accuracy.accuracies,
        accuracy.draw_accuracies,
        "Accuracy on the test images. Lines are 95 % Wilson intervals: they tell how far the figure depends on which test "
        "images were drawn, and nothing about another seed. The axis does not begin at 0.",
        340,
    ),
    "learning-curves": Plot(
        curves.learning_curves,
        curves.draw_learning_curves,
        "Learning curves. Training figures are means over an epoch while the weights still move (and with dropout "
        "active); validation figures are taken at its end.",
        400,
        legend=curves.learning_curves_legend,
    ),
    "confusion-matrices": Plot(
        matrices.confusion_matrices,
        matrices.draw_confusion_matrix,
        "Confusion matrices on the test images: number of images and share of the row. Blue is right, orange is wrong; "
        "the colour goes with the square root of the share, so that rare mistakes can be seen.",
        460,
    ),
    "class-bars": Plot(
        classes.class_bars,
        classes.draw_class_bars,
        "Precision, recall and F1 of each class on the test images, by the most probable class.",
        400,
    ),
    "disagreement": Plot(
        matrices.disagreement,
        matrices.draw_disagreement,
        "Share of the test images on which two models choose different classes. A committee gains from members that are "
        "good and differ.",
    ),
    "reliability": Plot(
        accuracy.reliability,
        accuracy.draw_reliability,
        "Reliability: how often the choice is right among images given about the same probability (15 bins; larger dots "
        "are more images). On the dashed diagonal a probability means what it says; below it, the model is too sure. "
        "ECE is the expected calibration error.",
        220,
    ),
}
