"""Which trial comes next: a new proposal, or one that is gone on with.

A **rung** is a number of epochs. A proposal is trained at one rung, and perhaps at the next, where it goes on from its own
checkpoint. What is decided depends on the steps before and on what is known of them, and on nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from toile.study.search.search import SearchSpec

NEW = -1
# Worse than every figure: a training whose loss was no number.
FAILED = -math.inf


@dataclass(frozen=True)
class Step:
    """A proposal, from 0, trained at a rung, from 0 for the fewest epochs. The proposal `NEW` has still to be made."""

    proposal: int
    rung: int


Decision = Step | Literal["wait", "end"]
# A figure of which more is better; None where it is not known, or not to be known yet.
Values = Sequence[float | None]


def rungs(epochs: int, spec: SearchSpec) -> tuple[int, ...]:
    """Numbers of epochs of a trial that has so many in all, the fewest first."""
    found = [epochs]
    while spec.pruning and (fewer := round(epochs / spec.factor ** len(found))) >= spec.first_epochs and fewer < found[-1]:
        found.append(fewer)
    return tuple(reversed(found))


def decide(spec: SearchSpec, levels: int, steps: Sequence[Step], values: Values, *, exhausted: bool = False) -> Decision:
    """What comes after `steps`.

    Args:
        levels: how many rungs there are.
        values: what is known of each step.
        exhausted: all of the space is proposed, and the budget is not of trials. With "asha" what is left of it is spent on the
            best of those that did not go on.

    Returns:
        `"wait"`: more has to be known of the steps before. `"end"`: nothing, all is done that was asked for.
    """
    proposed = 1 + max((step.proposal for step in steps), default=-1)
    left = 0 if exhausted else (spec.trials or math.inf) - proposed
    if spec.pruning is None or levels == 1:
        return Step(NEW, levels - 1) if left > 0 else "end"
    if spec.pruning == "asha":
        return _asynchronous(spec, levels, steps, values, left > 0, exhausted)
    return _in_brackets(spec, levels, steps, values)


def _asynchronous(
    spec: SearchSpec, levels: int, steps: Sequence[Step], values: Values, more: bool, exhausted: bool
) -> Decision:
    """ASHA: who is among the best of a rung goes on at once, of the highest rung first; else there is a new proposal.

    Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020, algorithm 2. At the end of the proposals
    the best of a rung goes on where nobody has, so that one comes to the last. Where the space has no more proposals, all go on
    in their turn: those of the highest rung first, and of these the best.
    """
    reached = {(step.proposal, step.rung) for step in steps}
    for one_in in (spec.factor, 1) if exhausted else (spec.factor,):  # one in 1: all
        for rung in reversed(range(levels - 1)):
            ranked = _ranked(steps, values, lambda step, rung=rung: step.rung == rung)
            for step in ranked[: len(ranked) // one_in]:
                if (step.proposal, rung + 1) not in reached and _value(steps, values, step) != FAILED:
                    return Step(step.proposal, rung + 1)
    if more:
        return Step(NEW, 0)
    if None in values:
        return "wait"
    for rung in range(levels - 1):
        ranked = _ranked(steps, values, lambda step, rung=rung: step.rung == rung)
        gone_on = any(step.rung == rung + 1 and (step.proposal, rung) in reached for step in steps)
        if ranked and not gone_on and _value(steps, values, ranked[0]) != FAILED:
            return Step(ranked[0].proposal, rung + 1)
    return "end"


def _in_brackets(spec: SearchSpec, levels: int, steps: Sequence[Step], values: Values) -> Decision:
    """Successive halving (Jamieson & Talwalkar, AISTATS 2016) again and again; as Hyperband (Li et al., JMLR 18, 2018) with
    more or fewer proposals, which begin at a lower or higher rung."""
    at, proposed = 0, 0
    for size, first in _brackets(spec, levels):
        size = min(size, (spec.trials or math.inf) - proposed)
        if size == 0:
            return "end"
        group = range(at, min(at + int(size), len(steps)))
        if len(group) < size:
            return Step(NEW, first)
        at, proposed = at + len(group), proposed + len(group)
        for rung in range(first, levels - 1):
            if any(values[i] is None for i in group):
                return "wait"
            good = [i for i in group if steps[i].rung == rung and values[i] != FAILED]
            good.sort(key=lambda i: -_known(values[i]))
            good = good[: max(1, len(group) // spec.factor)]
            group = range(at, min(at + len(good), len(steps)))
            if len(group) < len(good):
                return Step(steps[good[len(group)]].proposal, rung + 1)
            at += len(group)
    raise AssertionError("there is always another bracket")


def _brackets(spec: SearchSpec, levels: int) -> Iterator[tuple[int, int]]:
    """How many proposals each has, and at which rung they begin."""
    for number in count():
        first = number % levels if spec.pruning == "hyperband" else 0
        after = levels - 1 - first
        size = spec.factor**after
        yield (math.ceil(levels / (after + 1) * size) if spec.pruning == "hyperband" else size), first


def _ranked(steps: Sequence[Step], values: Values, which: Callable[[Step], bool]) -> list[Step]:
    """Those of which something is known, the best first, of equals the earlier."""
    known = [(value, i) for i, value in enumerate(values) if value is not None and which(steps[i])]
    return [steps[i] for _, i in sorted(known, key=lambda one: (-one[0], one[1]))]


def _value(steps: Sequence[Step], values: Values, step: Step) -> float | None:
    return values[list(steps).index(step)]


def _known(value: float | None) -> float:
    assert value is not None
    return value
