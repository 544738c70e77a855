"""The ledger as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toile.reports.ledger import gradients, pairings
from toile.reports.ledger.claims import CLAIMS, Claim, section
from toile.reports.ledger.ledger import ALONE, DIFFERS, MISSING, REDUCED, REPRODUCED, Row, ten_classes
from toile.reports.ledger.published import of_merged, tables
from toile.reports.ledger.results import Measured
from toile.reports.ledger.verdict import RULE


def render(
    found: Sequence[Row],
    confusions: Sequence[tuple[str, np.ndarray]] = (),
    checked: dict[str, Any] | None = None,
    claims: Sequence[Claim] = (),
) -> str:
    """The ledger as Markdown.

    Args:
        confusions: name and confusion matrix of ten-class models, for what their pairs of classes would come to.
        checked: the recorded gradient check, if there is one.
        claims: of the documents, against their own figures.
    """
    count = {
        kind: sum(row.kind == kind and not row.own for row in found) for kind in (REPRODUCED, DIFFERS, ALONE, REDUCED, MISSING)
    }
    own = sum(row.own for row in found)
    every = [one for row in found for one in row.figures]
    count_of_figures = len(every)
    kinds = {kind: sum(row.kind == kind and row.own for row in found) for kind in (ALONE, REDUCED, MISSING)}
    unpublished = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    lines = [
        "# The ledger",
        "",
        f"Every figure that the five documents publish ({count_of_figures} of them) of how good their models are, in tables,",
        "reports and the last epochs of logs, beside what toile measured with the same architecture and protocol; then what",
        "the same studies measured without a published figure, and studies of our own. Left out are times, which are of other",
        "machines, and running means of a last training epoch where a figure after it is published or a page cuts them off.",
        "Made by `toile ledger` from `results/`; never edited by hand.",
        "",
        f"{sum(one.measured is not None for one in every)} of the {count_of_figures} figures have a measured one beside them.",
        "Those on the training images are of after the training, without dropout, as the documents have them, but for those of",
        "`from-scratch`, whose published ones are running means over the last epoch, two of them with dropout. Runs that were",
        "stored without them get them from their models, by `toile evaluate`.",
        "",
        f"{len(found) - own} published lines: " + ", ".join(f"{number} {kind}" for kind, number in count.items()) + ".",
        *([f"{own} lines that no document publishes anything about: {unpublished}."] if own else []),
        "Of several seeds or folds the mean is given, ± the standard deviation. Losses are in nats. Seconds are those of one",
        "thread on a machine in use.",
        "",
        "## When a figure counts as reproduced",
        "",
        *RULE.splitlines(),
    ]
    asked_for = {row.study for row in found if not row.own}
    for study in sorted(dict.fromkeys(row.study for row in found), key=lambda study: study not in asked_for):
        theirs = [row for row in found if row.study == study and not row.own]
        ours = [row for row in found if row.study == study and row.own]
        lines += ["", f"## {study}"]
        if theirs:
            lines += [
                "",
                "| trial | parameters | of | accuracy published | measured | allowed | loss published | measured | allowed "
                "| n | verdict |",
                "| --- | --: | --- | --: | --: | --: | --: | --: | --: | --: | --- |",
                *map(_beside, theirs),
                "",
                "All that is published of them, part by part:",
                *tables([one for one in every if one.study == study]),
            ]
        if ours:
            lines += [
                "",
                "| of our own | parameters | of | accuracy | loss | seconds to train | n | verdict |",
                "| --- | --: | --- | --: | --: | --: | --: | --- |",
                *map(_alone, ours),
            ]
    merged = of_merged(every)
    sections = (pairings.section(confusions, merged), gradients.section(checked), section(claims, every))
    return "\n".join([*lines, *(line for one in sections for line in one)]) + "\n"


def whole(found: Sequence[Row], known: Sequence[Measured], results: Path) -> str:
    """The ledger of the packaged studies, with all that is said in it beside the rows.

    Args:
        known: all result files.
        results: their folder, which has the recorded gradient check.
    """
    return render(found, ten_classes(known), gradients.read(results), CLAIMS)


def _beside(row: Row) -> str:
    """A line of Markdown with the published figures."""

    def published(metric: str) -> str:
        return f"{row.published[metric]:.4f}" if metric in row.published else "–"

    def may(metric: str) -> str:
        return f"± {row.allowed[metric]:.4f}" if metric in row.allowed else "–"

    return _cells(
        row.line, _count(row), row.split, published("accuracy"), _figure(row, "accuracy"), may("accuracy"), published("loss"),
        _figure(row, "loss"), may("loss"), str(row.n or "–"), row.verdict,
    )  # fmt: skip


def _alone(row: Row) -> str:
    """A line of Markdown of what has no published figures."""
    seconds = "–" if row.seconds is None else f"{row.seconds:,.0f}"
    verdict = row.kind if row.kind == ALONE else row.verdict
    return _cells(
        row.line, _count(row), row.split, _figure(row, "accuracy"), _figure(row, "loss"), seconds, str(row.n or "–"), verdict
    )


def _count(row: Row) -> str:
    return f"{row.parameters:,}" if row.parameters else "–"


def _figure(row: Row, metric: str) -> str:
    spread = f" ± {row.spread[metric]:.4f}" if metric in row.spread else ""
    return f"{row.measured[metric]:.4f}{spread}" if metric in row.measured else "–"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
