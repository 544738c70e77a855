"""What a committee gains from each further member."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from toile.committee.rules import RULES
from toile.reports.page.palette import MARKERS, MUTED, series
from toile.reports.plots.svg import panel
from toile.reports.results.study import CommitteeResult, StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of so many members all subsets are combined, 63 at most; of more, the first two, three, … members.
MOST = 6


def committee_sizes(results: StudyResults) -> list[dict[str, Any]]:
    """Accuracy of committees of one, two, … of a committee's members; of those with three members or more.

    Returns:
        For each: `title`, `description`, `series`, `sizes` (1, 2, …) and, for each size, `mean`, `low` and `high`: over all
        subsets of that size.
    """
    if results.test is None:
        return []
    first = len({trial.line or trial.name for trial in results.trials})
    panels = []
    for index, committee in enumerate(results.committees):
        # Weights and a calibration are of all members together, and say nothing of fewer.
        if len(committee.members) > 2 and committee.weights is None and committee.calibration is None:
            shares = _accuracies(committee, results)
            mean = [float(np.mean(of_size)) for of_size in shares]
            values_text = ", ".join(f"{share:.4f} of {size}" for size, share in enumerate(mean, start=1))
            panels.append({
                "title": committee.name,
                "description": f"Mean accuracy over the number of members of {committee.name}: {values_text}",
                "series": first + index,
                "sizes": list(range(1, len(mean) + 1)),
                "mean": mean,
                "low": [min(of_size) for of_size in shares],
                "high": [max(of_size) for of_size in shares],
            })  # fmt: skip
    return panels


def _accuracies(committee: CommitteeResult, results: StudyResults) -> list[list[float]]:
    """For each size, the accuracies on the test images of the committees of so many of its members."""
    members = np.stack([member.probabilities for member in committee.joined])
    labels, count = results.test_images.labels, len(members)

    def accuracy(chosen: tuple[int, ...]) -> float:
        combined = RULES[committee.rule](members[list(chosen)], None)
        return float((combined.argmax(axis=1) == labels).mean())

    sizes = range(1, count + 1)
    subsets = [combinations(range(count), size) if count <= MOST else [tuple(range(size))] for size in sizes]
    return [[accuracy(chosen) for chosen in of_size] for of_size in subsets]


def draw_committee_size(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, axes = panel(340, 250, left=52, right=14, bottom=40)
    axes.vlines(data["sizes"], data["low"], data["high"], color=MUTED, linewidth=1.2)
    marker, colour = MARKERS[data["series"] % len(MARKERS)], series(data["series"])
    axes.plot(data["sizes"], data["mean"], color=colour, linewidth=1.6, marker=marker, markersize=5.5)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.margins(0.08)
    axes.grid(axis="y")
    axes.set_xlabel("members")
    axes.set_ylabel("accuracy")
    axes.set_title(data["title"])
    return figure
