"""The pictures of a report. Each first computes its data, which tests look at, and then draws it.

A new picture is two functions and one line in `PLOTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toile.errors import Misuse, nearest
from toile.reports.plots import (
    accuracy,
    against,
    bars,
    classes,
    curves,
    groups,
    layers,
    matrices,
    search,
    selection,
    sizes,
    sweeps,
)  # fmt: skip
from toile.reports.plots.svg import svg
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plot:
    """A kind of picture.

    Args:
        data: gives one dictionary a panel, each with `title` and `description`; none where there is nothing to show. Panels
            that follow each other with the same `group` stand under it as their heading, with a legend of their own.
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
        "Images of each class: of those that are trained on, of those held out for validation, and of the test images.",
    ),
    "accuracies": Plot(
        accuracy.accuracies,
        accuracy.draw_accuracies,
        "Accuracy of each model. The line of a single training is its 95 % Wilson interval: it tells how far the figure "
        "depends on which images were drawn, and nothing about another seed. Of several trainings the mean is shown, and the "
        "line goes from the lowest to the highest. The axis does not begin at 0.",
        340,
    ),
    "told-apart": Plot(
        groups.told_apart,
        groups.draw_told_apart,
        "Who cannot be told apart. A bar joins models and committees of which no two were shown to differ; squares mark who "
        "belongs to it. Those that share no bar differ, at a level of 0.05 over all comparisons of this report together.",
        340,
    ),
    "measures": Plot(
        bars.measures,
        bars.draw_measure,
        "Measures and times, side by side as the study compares them; a model that is compared twice is shown twice. Bars "
        "begin at 0; hollow marks are published figures. Of cross-validations, means over the held-out folds; of several "
        "seeds, means. Published times are of other machines and compare with nothing, so they are not shown.",
        380,
    ),
    "sweeps": Plot(
        sweeps.sweeps,
        sweeps.draw_sweep,
        "Along the numbers that the study sweeps over. A point is one training on the test images, or the mean of several.",
        300,
        legend=sweeps.sweeps_legend,
    ),
    "accuracy-against": Plot(
        against.accuracy_against,
        against.draw_accuracy_against,
        "Accuracy against loss, parameters and training time: up and to the left is better. A hollow mark is the published "
        "pair, joined to the measured one by a line. A low loss and a high accuracy need not go together: a model that is "
        "trained on and on becomes surer of its mistakes.",
        300,
        legend=against.accuracy_against_legend,
    ),
    "committee-sizes": Plot(
        sizes.committee_sizes,
        sizes.draw_committee_size,
        "Accuracy over the number of members: the mean of all committees of so many of the members, the thin line from the "
        "lowest to the highest of them, the thick line a 95 % interval of the mean (over seeds or folds, or over the test "
        "images of one committee). All are shown; none is chosen by its test figure. Of more than six, the first so many.",
    ),
    "selection-paths": Plot(
        selection.selection_paths,
        selection.draw_selection_path,
        "Log loss of a committee that is chosen, after each pick. On the images of the selection it is too low, because they "
        "chose; by how much is told by selections on four fifths of them, each judged on the other fifth. The test images "
        "chose nothing.",
        340,
        legend=selection.selection_paths_legend,
    ),
    "search-course": Plot(
        search.search_course,
        search.draw_search_course,
        "The best validation figure so far, over the core seconds of all trainings so far.",
        380,
    ),
    "search-fronts": Plot(
        search.search_fronts,
        search.draw_search_front,
        "Every proposal by its validation figure and what it costs. On the line: nothing is as good and cheaper.",
        300,
    ),
    "learning-curves": Plot(
        curves.learning_curves,
        curves.draw_learning_curves,
        "Learning curves. Training figures are means over an epoch while the weights still move (and with dropout "
        "active); validation figures are taken at its end. The NumPy network's training loss holds its L2 penalty.",
        400,
        legend=curves.learning_curves_legend,
    ),
    "accuracy-over-loss": Plot(
        curves.accuracy_over_loss,
        curves.draw_accuracy_over_loss,
        "Accuracy against loss along the epochs; the mark is the last one. Where a validation line turns right, its loss "
        "grows again: the model becomes surer of its mistakes.",
        400,
        legend=curves.learning_curves_legend,
    ),
    "layers": Plot(
        layers.layers,
        layers.draw_layers,
        "The layers of each different model, from the image down: what comes out of each (without the axis of images), and how "
        "many parameters it has. Those in strong frames have some.",
        400,
    ),
    "confusion-matrices": Plot(
        matrices.confusion_matrices,
        matrices.draw_confusion_matrix,
        "Confusion matrices on the test images, in images. Blue is right, orange is wrong; the colour goes with the square "
        "root of the share of its row, so that rare mistakes can be seen.",
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
        "Share of the test images on which two models choose different classes; of more than ten models, between the ten most "
        "accurate. A committee gains from members that are good and differ.",
    ),
    "reliability": Plot(
        accuracy.reliability,
        accuracy.draw_reliability,
        "Reliability: how often the choice is right among images given about the same probability (15 bins; larger dots "
        "are more images; upright lines, 95 % Wilson intervals). On the dashed diagonal a probability means what it says; "
        "below it, the model is too sure. ECE is the expected calibration error.",
        220,
    ),
}
