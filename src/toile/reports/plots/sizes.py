"""What a committee gains from each further member."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isnan
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toile.committee.rules import RULES
from toile.evaluation.repeated import across_folds, across_seeds
from toile.reports.page.palette import MARKERS, MUTED, series
from toile.reports.plots.accuracy import wilson_interval
from toile.reports.plots.svg import panel
from toile.reports.results.claims import committee_lines, held_out_by
from toile.reports.results.result import CommitteeResult
from toile.reports.results.study import StudyResults
from toile.reports.table import TEXT, Column, Table
from toile.reports.text import count, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of so many members all subsets are combined, 63 at most; of more, the first two, three, … members.
MOST = 6


def committee_sizes(results: StudyResults) -> list[dict[str, Any]]:
    """Accuracy and cost of committees of one, two, … of a committee's members; of those with three members or more.

    Returns:
        For each line of committees: `title`, `description`, `series`, `sizes` (1, 2, …), `over` (what the interval goes over)
        and, for each size, over all subsets of that size: `mean`, `low` and `high`, the lowest and highest; `interval`, 95 % of
        the mean: over the seeds or folds, a t interval, or of one committee over the test images; and the mean `parameters` and
        `milliseconds` of all members together.
    """
    if results.test is None:
        return []
    panels = []
    series = len({trial.line or trial.name for trial in results.trials})
    for line, committees in committee_lines(results).items():
        # Weights and a calibration are of all members together, and say nothing of fewer.
        alike = len({len(one.joined) for one in committees}) == 1
        plain = all(one.weights is None and one.calibration is None for one in committees)
        if alike and plain and len(committees[0].joined) > 2:
            panels.append(_panel(results, line, committees, series))
        series += len(committees)
    return panels


def _panel(results: StudyResults, line: str, committees: Sequence[CommitteeResult], series: int) -> dict[str, Any]:
    sizes = range(1, len(committees[0].joined) + 1)
    measured = [_accuracies(committee, results) for committee in committees]
    means = np.array([[float(np.mean(of_size.mean(axis=1))) for of_size in of] for of in measured])
    single = [accuracy for of in measured for accuracy in of]
    if len(committees) > 1:
        spreads = [_over_trainings(committees, column.tolist()) for column in means.T]
    else:
        spreads = [_over_images(of_size) for of_size in measured[0]]
    mean = means.mean(axis=0).tolist()
    told = ", ".join(f"{share:.4f} of {size}" for size, share in zip(sizes, mean, strict=True))
    costs = [[_costs(committee, size) for committee in committees] for size in sizes]
    by_size = [[one for number, one in enumerate(single) if number % len(sizes) == size - 1] for size in sizes]
    return {
        "title": line,
        "description": f"Mean accuracy over the number of members of {line}: {told}",
        "series": series,
        "sizes": list(sizes),
        "over": _over(committees),
        "mean": mean,
        "low": [min(float(one.mean(axis=1).min()) for one in of) for of in by_size],
        "high": [max(float(one.mean(axis=1).max()) for one in of) for of in by_size],
        "interval": spreads,
        **{key: [fmean(one[key] for one in of) for of in costs] for key in ("parameters", "milliseconds")},
    }


def size_table(results: StudyResults) -> Table:
    """What each further member brings and costs."""
    rows = []
    for curve in committee_sizes(results):
        for number, size in enumerate(curve["sizes"]):
            low, high = curve["interval"][number]
            rows.append([
                curve["title"] if number == 0 else "", str(size), figure(curve["mean"][number]),
                f"{figure(low)} to {figure(high)} over {curve['over']}", count(curve["parameters"][number]),
                figure(curve["milliseconds"][number], 3),
            ])  # fmt: skip
    columns = [
        Column("committee", TEXT), Column("members"), Column("accuracy"), Column("95 % interval", TEXT), Column("parameters"),
        Column("milliseconds an image"),
    ]  # fmt: skip
    note = "Means of all committees of so many members. Milliseconds as the runs were evaluated, in batches." if rows else ""
    return Table("How many members, and what they cost", columns, rows, note=note)


def _accuracies(committee: CommitteeResult, results: StudyResults) -> list[NDArray[np.bool]]:
    """For each size, `(subsets, images)`: whether the committees of so many of its members are right on each test image."""
    members = np.stack([member.probabilities for member in committee.joined])
    labels, number = (committee.elsewhere or results.test_images).labels, len(members)
    sizes = range(1, number + 1)
    subsets = [combinations(range(number), size) if number <= MOST else [tuple(range(size))] for size in sizes]

    def right(chosen: tuple[int, ...]) -> NDArray[np.bool]:
        combined = RULES[committee.rule](members[list(chosen)], None)
        return combined.argmax(axis=1) == labels

    return [np.stack([right(chosen) for chosen in of_size]) for of_size in subsets]


def _over_images(right: NDArray[np.bool]) -> tuple[float, float]:
    """A 95 % interval of the mean accuracy of `(subsets, images)`: images are drawn, subsets are not.

    Of one committee it is Wilson's. The mean of several varies less, as that of one over more images.
    """
    of_image = right.mean(axis=0)
    share, variance = float(of_image.mean()), float(of_image.var())
    images = len(of_image) * (share * (1 - share) / variance if variance > 0 else 1)
    return wilson_interval(share * images, images)


def _over_trainings(committees: Sequence[CommitteeResult], accuracies: list[float]) -> tuple[float, float]:
    """A 95 % interval of their mean: over seeds, or corrected over folds, which share images."""
    folds, nothing = _folds(committees), [0.0] * len(accuracies)
    if len(set(folds)) > 1:
        test = across_folds(accuracies, nothing, held_out_by(committees[0]), folds)
    else:
        test = across_seeds(accuracies, nothing)
    low, high = test.interval()
    return (low, high) if isnan(low) else (max(low, 0.0), min(high, 1.0))


def _over(committees: Sequence[CommitteeResult]) -> str:
    """What an interval goes over. Several seeds of one fold are no further folds."""
    if len(committees) == 1:
        return "images"
    folds = len(set(_folds(committees)))
    return f"{folds} folds" if folds > 1 else f"{len(committees)} seeds"


def _folds(committees: Sequence[CommitteeResult]) -> list[int]:
    """Which fold each is of; none where they are of seeds alone."""
    return [one.key[1] for one in committees if one.key is not None and one.key[1] is not None]


def _costs(committee: CommitteeResult, size: int) -> dict[str, float]:
    """What so many members cost together: of all subsets the mean; of many members, the first so many."""
    whole = len(committee.joined) <= MOST
    members = committee.joined if whole else committee.joined[:size]
    return {key: sum(member.costs[key] for member in members) * (size / len(members)) for key in ("parameters", "milliseconds")}


def draw_committee_size(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    drawing, axes = panel(340, 250, left=52, right=14, bottom=40)
    marker, colour = MARKERS[data["series"] % len(MARKERS)], series(data["series"])
    axes.vlines(data["sizes"], data["low"], data["high"], color=MUTED, linewidth=1.2)
    low, high = zip(*data["interval"], strict=True)
    axes.vlines(data["sizes"], low, high, color=colour, linewidth=4, alpha=0.35)
    axes.plot(data["sizes"], data["mean"], color=colour, linewidth=1.6, marker=marker, markersize=5.5)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.margins(0.08)
    axes.grid(axis="y")
    axes.set_xlabel("members")
    axes.set_ylabel("accuracy")
    axes.set_title(data["title"])
    return drawing
