"""What a comparison of a report says, and all of them together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any, Literal

from toile.evaluation.multiplicity import not_told_apart
from toile.evaluation.predictions import Predictions
from toile.evaluation.repeated import PairedT
from toile.evaluation.significance import LEVEL, McNemar

# What a claim is about: a line of models or committees, or a single one of several; by its name.
Ref = tuple[Literal["model", "committee"], str]
Key = tuple[int, int | None] | None
Test = McNemar | PairedT


@dataclass(frozen=True)
class Contender:
    """A line of models or committees, with all its trainings.

    Args:
        ref: what it is, and its name in the study file.
        series: its place in the order of all, from 0: gives it the same colour in every picture.
        part: the split that its figures are of: `validation`, the held-out folds, in a cross-validation; else `test`.
        split: how its images were split, to know folds by.
        accuracies: by seed and fold.
        single: what it says of the test images, where it is one training or committee alone.
        held_out: images held out by a fold, divided by those trained on; None without folds.
    """

    ref: Ref
    series: int
    part: str
    split: Any
    accuracies: dict[Key, float]
    single: Predictions | None = None
    held_out: float | None = None

    @property
    def accuracy(self) -> float:
        """The mean over its trainings."""
        return fmean(self.accuracies.values())


@dataclass(frozen=True)
class Claim:
    """One comparison; `a` is at least as accurate as `b`.

    Args:
        test: McNemar's of two trainings, or a paired t-test over several; of a - b.
        over: what the test goes over.
        p_value: of "no difference", after Holm's correction over all tests of the report.
        equivalence: of "they differ by the margin or more", corrected likewise; None without a margin.
    """

    a: Ref
    b: Ref
    test: Test
    over: Literal["images", "seeds", "folds"]
    p_value: float
    equivalence: float | None = None

    @property
    def differ(self) -> bool:
        return self.p_value < LEVEL

    @property
    def equivalent(self) -> bool:
        return self.equivalence is not None and self.equivalence < LEVEL


@dataclass(frozen=True)
class Claims:
    """All claims of a report.

    Args:
        margin: of equivalence, as the study gives it.
        contenders: what is compared all with all; none where there are too many.
        pairs: the claims, by the two that they are about, in either order.
        beside: the claims about each line of committees and the best of their members, by the line's name.
    """

    margin: float | None
    contenders: tuple[Contender, ...] = ()
    pairs: dict[frozenset[Ref], Claim] = field(default_factory=dict)
    beside: dict[str, tuple[Claim, ...]] = field(default_factory=dict)

    @cached_property
    def tests(self) -> int:
        """How many p-values were corrected together."""
        return len(self.pairs) * (1 if self.margin is None else 2)

    def of(self, a: Ref, b: Ref) -> Claim | None:
        return self.pairs.get(frozenset((a, b)))

    def ranked(self, part: str) -> list[Contender]:
        """Those of a part that were compared with all others of it, the most accurate first."""
        here = [one for one in self.contenders if one.part == part]
        whole = [one for one in here if all(one is other or self.of(one.ref, other.ref) for other in here)]
        return sorted(whole, key=lambda one: -one.accuracy)

    def groups(self, ranked: Sequence[Contender]) -> list[list[int]]:
        """The largest groups of which no two were shown to differ, as places in `ranked`."""
        pairs = itertools.combinations(range(len(ranked)), 2)
        claimed = ((i, j, self.of(ranked[i].ref, ranked[j].ref)) for i, j in pairs)
        return not_told_apart(len(ranked), [(i, j) for i, j, claim in claimed if claim is not None and claim.differ])
