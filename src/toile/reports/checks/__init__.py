"""Checks with a code, as linters have them: what in a study's figures, or in its plan, should make its reader suspicious.

A check finds nothing out that would choose: it only says. `docs/checks.md` says of each what it means and what to do. A study
silences one with a reason, `[silence]`, which the report shows in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toile.reports.checks import recipes, studies, trainings
from toile.reports.results.study import StudyResults
from toile.text import cut

MOST = 6  # findings of one check that are said; of more, how many


@dataclass(frozen=True)
class Check:
    """A check: `find` gives a sentence for each thing that it finds. `name` is what docs call it."""

    name: str
    find: Callable[[StudyResults], list[str]]


@dataclass(frozen=True)
class Found:
    """What a check found, in a text; `silenced` is the study's reason, or empty."""

    code: str
    name: str
    text: str
    silenced: str


def checks(results: StudyResults) -> list[Found]:
    """What the checks find in a study, those that are silenced last."""
    found = []
    for code, check in CHECKS.items():
        if texts := check.find(results):
            more = f" And {len(texts) - MOST} more." if len(texts) > MOST else ""
            text = cut(" ".join(texts[:MOST]), 2000) + more
            found.append(Found(code, check.name, text, results.study.silence.get(code, "")))
    return sorted(found, key=lambda one: bool(one.silenced))


CHECKS = {
    "T001": Check("no better than a baseline", studies.below_baseline),
    "T002": Check("overfit", trainings.overfit),
    "T003": Check("underfit", trainings.underfit),
    "T004": Check("still improving at the last epoch", trainings.still_improving),
    "T005": Check("best at the edge of a grid", studies.at_the_edge),
    "T006": Check("accuracy under imbalance", studies.imbalanced),
    "T007": Check("validation and test disagree", trainings.parts_disagree),
    "T008": Check("parts share pictures", studies.shared_pictures),
    "T009": Check("seeds differ more than the models", studies.within_seeds),
    "T010": Check("an option that never acts", recipes.without_effect),
}
