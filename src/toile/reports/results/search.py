"""A search as a report shows it: all proposals by their validation figures, and the test figure of the one that was picked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from toile.reports.results.cost import milliseconds
from toile.runner.plans.planned import Plan
from toile.search.importance import importance
from toile.search.outcome import Entry, outcome
from toile.search.pruning import FAILED
from toile.search.searched import COMMITTEE, Searched

COSTS = ("parameters", "milliseconds", "seconds")


@dataclass(frozen=True)
class SearchResult:
    """What a search came to.

    Args:
        metric: what was searched for, of the validation images.
        rows: one a proposal, the best first: `name`, `values` (by parameter), `epochs` of `whole`, `figure`, `apart` (whether
            it can be told from the first), the `fingerprints` of its runs, the costs `parameters`, `milliseconds` an image
            and `seconds` of one core, and `front`: the costs for which nothing is as good and cheaper.
        pick: names of the trainings that were picked.
        elsewhere: figure of a pick on images that it was not picked on; see `toile.search.outcome.Outcome.elsewhere`.
        test: the same figure of the pick on the test images, if there are any.
        course: core seconds so far and the best figure so far.
        importance: see `toile.search.importance.importance`.
        trainings, seconds: how many were made for it, and core seconds of all.
        ended: whether its budget of trials or core seconds is spent.
        failed: how many proposals count as the worst, as their loss became no number or their values do not go together.
        shipped: the name of what is best to export: the committee, or the pick.
        alone: why there is no committee, where one could be asked for.
    """

    metric: str
    rows: tuple[dict[str, Any], ...]
    pick: tuple[str, ...]
    elsewhere: float
    test: float | None
    course: tuple[tuple[float, float], ...]
    importance: dict[str, dict[str, float]]
    trainings: int
    seconds: float
    ended: bool
    failed: int
    shipped: str
    alone: str

    @property
    def figure(self) -> float:
        """The validation figure of the pick: by which it was picked, and so too good."""
        return self.rows[0]["figure"]


def search_result(plan: Plan) -> SearchResult | None:
    """What the search of a plan came to; None where it has none, or nothing is stored."""
    if not isinstance(plan, Searched) or (found := outcome(plan)) is None:
        return None
    rows = [_row(one, apart) for one, apart in zip(found.entries, found.apart, strict=True)]
    sign = 1 if found.metric == "accuracy" else -1
    for cost in COSTS:
        for row in front(rows, cost, sign):
            row["front"].append(cost)
    pick = found.pick
    test = [run.metrics["test"][found.metric] for run in pick.runs if "test" in run.metrics]
    known = [one for one in plan.walk.outcomes if one]
    committee = any(one.name == COMMITTEE for one in plan.study.committee)
    # Of a trial that the study itself has too, the name is that one.
    names = {one.fingerprint: one.name for one in reversed(plan.trials)}
    picked = tuple(names[one.fingerprint] for one in pick.trainings)
    return SearchResult(
        metric=found.metric,
        rows=tuple(rows),
        pick=picked,
        elsewhere=found.elsewhere,
        test=fmean(test) if test else None,
        course=found.course,
        importance=importance(plan.walk),
        trainings=len({of.fingerprint for i, one in enumerate(plan.walk.outcomes) if one for of in plan.walk.trials(i)}),
        seconds=sum(one.seconds for one in known),
        ended=plan.walk.ended,
        failed=len({plan.walk.steps[i].proposal for i, one in enumerate(plan.walk.outcomes) if one and one.value == FAILED}),
        shipped=COMMITTEE if committee else picked[0],
        alone=plan.alone,
    )


def front(rows: Sequence[dict[str, Any]], cost: str, sign: int = 1) -> list[dict[str, Any]]:
    """Those rows to which no other is as good and cheaper, or better and as cheap; the cheapest first.

    Args:
        sign: 1 where more of the figure is better, else -1.
    """
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda one: (one[cost], -sign * one["figure"])):
        if math.isfinite(row[cost]) and (not found or sign * row["figure"] > sign * found[-1]["figure"]):
            found.append(row)
    return found


def _row(one: Entry, apart: bool) -> dict[str, Any]:
    facts = [run.provenance for run in one.runs]
    return {
        "name": one.name,
        "values": {".".join(path): value for path, value in one.proposal.values.items()},
        "epochs": one.epochs,
        "whole": one.whole,
        "figure": one.figure,
        "apart": apart,
        "fingerprints": [run.fingerprint for run in one.runs],
        "parameters": fmean(math.inf if fact.get("parameters") is None else fact["parameters"] for fact in facts),
        "milliseconds": fmean(milliseconds(fact) for fact in facts),
        "seconds": one.seconds,
        "front": [],
    }
