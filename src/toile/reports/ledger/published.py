"""Every single figure that the documents publish, of whatever part of the data, with what was measured beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray

from toile.reports.ledger.results import Measured
from toile.study.fields.published import Published

# Part -> what its figures are called in a run's metrics. Figures of folds are means over their validation images.
PARTS = {"train": "train", "validation": "validation", "test": "test", "cross_validation": "validation"}
TITLES = {
    "accuracy": "accuracy", "loss": "loss", "precision": "precision", "recall": "recall", "f1_micro": "F1 (micro)",
    "roc_auc_ovo": "ROC AUC", "f1": "F1", "support": "images", "precision_weighted": "precision (weighted)",
    "recall_weighted": "recall (weighted)", "f1_weighted": "F1 (weighted)", "precision_macro": "precision (macro)",
    "recall_macro": "recall (macro)", "f1_macro": "F1 (macro)",
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One published number.

    Args:
        part: "train", "validation", "test", "cross_validation", or "mean of members" (a committee's).
        metric: as in `toile.evaluation.metrics`.
        published: what the document has.
        measured: mean over the full trainings here, None where none has it. Of a loss that is published with the model's L2
            penalty, it holds the penalty too, if that is known.
        spread: their standard deviation, None for fewer than two.
        class_index: of a figure of one class, from 0; else None.
    """

    study: str
    line: str
    part: str
    metric: str
    published: float
    measured: float | None
    spread: float | None = None
    class_index: int | None = None
    without_penalty: float | None = None


def values(full: Sequence[Measured], published: Published, part: str, metric: str) -> list[float]:
    """The figures of trainings that a published one is to be laid beside; of a part as it is called in a run's metrics.

    A loss that is published with the L2 penalty is taken with it, from the trainings whose penalty is known.
    """
    found = []
    for one in full:
        value = one.metrics.get(part, {}).get(metric)
        if metric == "loss" and published.penalty and value is not None:
            penalty = one.metrics.get("train", {}).get("penalty")
            value = None if penalty is None else value + penalty
        found += [] if value is None else [value]
    return found


def figures(study: str, line: str, published: Published, full: Sequence[Measured]) -> list[Figure]:
    """All figures that are published of a line.

    Args:
        full: result files of its trainings at full protocol.
    """
    found = []
    for part, key in PARTS.items():
        for metric, value in getattr(published, part).items():
            plain = [one.metrics[key][metric] for one in full if metric in one.metrics.get(key, {})]
            without = mean(plain) if published.penalty and metric == "loss" and plain else None
            summed_up = _summed_up(values(full, published, key, metric))
            found.append(Figure(study, line, part, metric, value, *summed_up, without_penalty=without))
    for metric, of_classes in published.per_class.items():
        for index, value in enumerate(of_classes):
            of_class = [one.per_class[metric][index] for one in full if metric in one.per_class]
            found.append(Figure(study, line, "test", metric, value, *_summed_up(of_class), class_index=index))
    return found


def of_members(study: str, line: str, published: Mapping[str, float], measured: Mapping[str, float]) -> list[Figure]:
    """A committee's published means of its members' figures."""
    return [Figure(study, line, "mean of members", metric, value, measured.get(metric)) for metric, value in published.items()]


def of_merged(found: Sequence[Figure], line: str = "model-4", classes: int = 5) -> NDArray[np.float64] | None:
    """`(2, classes)`: the published precision and recall of each merged class of a line; None where it has none."""
    report = [
        [one.published for one in found if (one.line, one.metric) == (line, metric) and one.class_index is not None]
        for metric in ("precision", "recall")
    ]
    return np.array(report) if all(len(one) == classes for one in report) else None


def _summed_up(found: Sequence[float]) -> tuple[float | None, float | None]:
    return (mean(found) if found else None), (stdev(found) if len(found) > 1 else None)


def tables(found: Sequence[Figure]) -> list[str]:
    """Lines of Markdown: the figures of one study, a row a line and part, then a row a class where there are such."""
    plain, of_classes = ([one for one in found if (one.class_index is not None) == which] for which in (False, True))
    lines = []
    for title, some, key in (
        ("of", plain, lambda one: (one.line, one.part.replace("_", "-"))),
        ("class", of_classes, lambda one: (one.line, f"test, class {(one.class_index or 0) + 1}")),
    ):
        if not some:
            continue
        metrics = list(dict.fromkeys(one.metric for one in some))
        rows: dict[tuple[str, str], dict[str, Figure]] = {}
        for one in some:
            rows.setdefault(key(one), {})[one.metric] = one
        heads = [head for metric in metrics for head in (f"{TITLES.get(metric, metric)} published", "measured")]
        lines += ["", "| trial | " + title + " | " + " | ".join(heads) + " |", "| --- | --- |" + " --: |" * len(heads)]
        for (line, part), row in rows.items():
            cells = [cell for metric in metrics for cell in _cells(row.get(metric))]
            lines.append(f"| {line} | {part} | " + " | ".join(cells) + " |")
    return lines


def _cells(one: Figure | None) -> tuple[str, str]:
    if one is None:
        return "", ""
    # As many digits as the document has, and at least as many of ours.
    shown = f"{one.published:,.0f}" if one.metric == "support" else f"{one.published:.4f}".rstrip("0").ljust(4, "0")
    without = "" if one.without_penalty is None else f"{one.without_penalty:.4f} without L2"
    if one.measured is None:
        return shown, without or "–"
    if one.metric == "support":
        return shown, f"{one.measured:,.0f}"
    measured = f"{one.measured:.4f}" + (f" ± {one.spread:.4f}" if one.spread is not None else "")
    return shown, f"{measured} ({without})" if without else measured
