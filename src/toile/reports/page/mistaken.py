"""Pictures that a model got wrong, behind the cells of a confusion matrix; and those whose labels seem to be wrong."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import numpy as np

from toile.reports.page.galleries import SAMPLES, png, row_of_images
from toile.reports.results.compared import close_up
from toile.reports.results.study import StudyResults

SUSPECTS = 24  # pictures whose labels are probably wrong
CELLS = 12  # the most frequent mistakes of a model


@dataclass(frozen=True)
class Mistaken:
    """Pictures of one cell, as one PNG: `cell` as ROW-COLUMN, `words` which class was taken for which, `count` how many are."""

    cell: str
    words: str
    count: int
    shown: int
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Suspect:
    """A picture whose label is probably wrong: what it is called, the label, what it probably is, and both probabilities."""

    called: str
    label: str
    suggested: str
    of_label: float
    probability: float
    uri: str


def suspected(results: StudyResults) -> list[Suspect]:
    """The surest of the study's suspected label errors, the surest first."""
    if results.suspects is None:
        return []
    made, parts = [], results.dataset.parts
    for one in results.suspects.errors[:SUSPECTS]:
        called = one.file or f"{one.part} image {one.image}"
        uri = png(parts[one.part].images[one.image])
        made.append(Suspect(called, one.label, one.suggested, one.of_label, one.probability, uri))
    return made


def listing(results: StudyResults) -> str:
    """The command that lists all of them; with the options, if any, by which this is the study and the store."""
    study, *options = shlex.split(results.called or shlex.quote(results.reference))
    return "" if results.suspects is None else shlex.join(["toile", "label-errors", f"{study}/{results.suspects.by}", *options])


def mistaken(results: StudyResults) -> list[tuple[str, str, list[Mistaken]]]:
    """For each confusion matrix of the report, its `data-picture`, its name and its cells, the most frequent mistakes first."""
    found = []
    for number, item in enumerate(close_up(results), start=1):
        said, test, names = item.probabilities, results.test_images, results.dataset.class_names
        choices, sure = said.argmax(axis=1), said.max(axis=1)
        counts = np.array(item.metrics["confusion_matrix"]) * ~np.eye(len(names), dtype=bool)
        cells = []
        for place in np.argsort(-counts, axis=None, kind="stable")[:CELLS]:
            row, column = divmod(int(place), len(names))
            if not counts[row, column]:
                break
            there = np.flatnonzero((test.labels == row) & (choices == column))
            there = there[np.argsort(-sure[there], kind="stable")[:SAMPLES]]
            strip = row_of_images(test.images[there], SAMPLES)
            words = f"{names[row]} taken for {names[column]}"
            count = int(counts[row, column])
            cells.append(Mistaken(f"{row}-{column}", words, count, len(there), png(strip), strip.shape[1], strip.shape[0]))
        found.append((f"confusion-matrices-{number}", item.name, cells))
    return found
