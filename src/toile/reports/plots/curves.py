"""Learning curves: one panel a metric, one colour and marker a line, train dashed and validation solid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toile.reports.page.palette import MARKERS, SERIES, series
from toile.reports.plots.accuracy import extremes
from toile.reports.plots.svg import logarithmic, panel, spans_magnitudes
from toile.reports.results.lines import Comparison, Line, comparisons, study_lines
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = ("loss", "accuracy", "precision", "recall")
SPLITS = ("train", "validation")
# As many lines as there are colours can be told apart where curves cross.
MOST = SERIES


def learning_curves(results: StudyResults) -> list[dict[str, Any]]:
    """Loss and accuracy after each epoch, for each comparison of the study; precision and recall too where it has none.

    A line of several seeds or folds is the mean of its trainings, as long as all of them go on. Of more than eight
    lines in a comparison, six of the highest and two of the lowest accuracies are shown.

    A line of cross-validation that is no point of a sweep is shown fold by fold too.

    Returns:
        For each comparison and metric that some history has: `title`, `description`, `group` (the comparison's name),
        `lines`, each with `name`, `series` (within the panel), `split` (`train` or `validation`), `epochs` and `values`
        (arrays of equal length).
    """
    found = comparisons(results)
    metrics = METRICS if len(found) == 1 else METRICS[:2]
    panels = [made for one in found for metric in metrics if (made := _panel(one, metric)) is not None]
    folds = [one for line in study_lines(results) if (one := _folds(results, line)) is not None]
    return panels + [made for one in folds for metric in METRICS[:2] if (made := _panel(one, metric)) is not None]


def _folds(results: StudyResults, line: Line) -> Comparison | None:
    """The folds of a line side by side, at most as many as there are colours; None where it has none, or a sweep has it."""
    swept = any(line.name.startswith(f"{sweep.name}: ") for sweep in results.study.sweep)
    if swept or len(line.trials) < 2 or any(trial.trial.get("fold") is None for trial in line.trials):
        return None
    shown = line.trials[:MOST]
    few = f" (the first {MOST} of {len(line.trials)})" if len(shown) < len(line.trials) else ""
    each = tuple((f"fold {trial.trial['fold'] + 1}", replace(line, trials=(trial,))) for trial in shown)
    return Comparison(f"{line.name}, fold by fold{few}", each)


def _panel(comparison: Comparison, metric: str) -> dict[str, Any] | None:
    shown = extremes(list(comparison.lines), MOST, key=lambda entry: entry[1].mean("accuracy") or 0.0)
    few = f", {MOST} of {len(comparison.lines):,}" if len(shown) < len(comparison.lines) else ""
    lines = [
        {"name": label, "series": index, "split": split, "epochs": curve[0], "values": curve[1]}
        for index, (label, line) in enumerate(shown)
        for split in SPLITS
        if (curve := _mean_curve(line, metric if split == "train" else f"validation_{metric}")) is not None
    ]
    if not lines:
        return None
    last = ", ".join(f"{line['name']} {line['values'][-1]:.4f}" for line in lines if line["split"] == "validation")
    description = f"{metric} by epoch" + (f"; at the end, on validation: {last}" if last else "")
    return {"title": metric + few, "description": description, "group": comparison.name, "lines": lines}


def _mean_curve(line: Line, key: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Epochs and means over the line's trainings; None where a training has no such figure."""
    histories = [trial.stored_run.history for trial in line.trials]
    if not all(key in history[0] for history in histories):
        return None
    length = min(map(len, histories))
    epochs = np.array([row["epoch"] for row in histories[0][:length]])
    return epochs, np.mean([[row[key] for row in history[:length]] for history in histories], axis=0)


def accuracy_over_loss(results: StudyResults) -> list[dict[str, Any]]:
    """Accuracy against loss, epoch by epoch, for each comparison of the study: lines as in `learning_curves`.

    Returns:
        For each comparison: `title`, `description`, `group`, `lines`, each with `name`, `series`, `split`, and `losses` and
        `accuracies` (arrays of equal length, an epoch each).
    """
    panels = []
    for one in comparisons(results):
        losses, accuracies = (_panel(one, metric) for metric in METRICS[:2])
        if losses is None or accuracies is None:
            continue
        by_name = {(line["name"], line["split"]): line["values"] for line in losses["lines"]}
        lines = [
            {"name": line["name"], "series": line["series"], "split": line["split"], "losses": by_name[key],
             "accuracies": line["values"]}
            for line in accuracies["lines"]
            if (key := (line["name"], line["split"])) in by_name
        ]  # fmt: skip
        if lines:
            ends = "; ".join(
                f"{line['name']} {line['split']} {line['losses'][-1]:.4f}, {line['accuracies'][-1]:.4f}" for line in lines
            )
            title = accuracies["title"].replace("accuracy", "accuracy over loss", 1)
            panels.append(
                {"title": title, "description": f"at the end, loss and accuracy: {ends}", "group": one.name, "lines": lines}
            )
    return panels


def draw_accuracy_over_loss(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, axes = panel(360, 260, left=44, right=14, bottom=36)
    for line in data["lines"]:
        colour, train = series(line["series"]), line["split"] == "train"
        style = {"color": colour, "linewidth": 1.0 if train else 1.5, "linestyle": (0, (3.5, 2.2)) if train else "solid"}
        axes.plot(line["losses"], line["accuracies"], **style)
        # A mark where it ends.
        face = "none" if train else colour
        marker = MARKERS[line["series"] % len(MARKERS)]
        axes.plot(line["losses"][-1], line["accuracies"][-1], marker=marker, color=colour, markerfacecolor=face, markersize=6)
    if spans_magnitudes(losses := [value for line in data["lines"] for value in line["losses"]]):
        logarithmic(axes, "x", losses)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(True)
    axes.set_xlabel("loss")
    axes.set_title(data["title"])
    return figure


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
            gid=f"data:line:{line['series']}",
        )
    last = max(line["epochs"][-1] for line in data["lines"])
    axes.set_xlim(0.6, last + 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    values = [value for line in data["lines"] for value in line["values"]]
    if log := spans_magnitudes(values):
        logarithmic(axes, "y", values)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")
    axes.set_xlabel("epoch")
    axes.set_title(data["title"] + (" (logarithmic)" if log else ""))
    return figure


def learning_curves_legend(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the panels share: each line, in order, and which split is dashed; see `entries`."""
    lines = [line for data in panels for line in data["lines"]]
    splits = [split for split in reversed(SPLITS) if any(line["split"] == split for line in lines)]
    strokes = [{"label": split, "colour": "currentColor", "marker": "", "dashed": split == "train"} for split in splits]
    return entries({line["name"]: line["series"] for line in lines}) + strokes


def entries(seen: dict[str, int]) -> list[dict[str, Any]]:
    """Legend entries of named series: `label`, `colour` (CSS), `marker` (as Matplotlib names it) and `dashed`."""
    return [
        {
            "label": name,
            "colour": f"var(--series-{index % SERIES + 1})",
            "marker": MARKERS[index % len(MARKERS)],
            "dashed": False,
            "pick": index,
        }
        for name, index in seen.items()
    ]
