"""What a comparison of a report says, and all of them together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
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
        not_worse: of "a is worse than b by the margin or more", and of "b is" likewise, corrected with them; None without a
            margin.
    """

    a: Ref
    b: Ref
    test: Test
    over: Literal["images", "seeds", "folds"]
    p_value: float
    not_worse: tuple[float, float] | None = None

    @property
    def differ(self) -> bool:
        return self.p_value < LEVEL

    @property
    def equivalence(self) -> float | None:
        """The p-value of "they differ by the margin or more": both one-sided tests have to be rejected, so it is no further
        test, and the larger of their corrected p-values is its own."""
        return None if self.not_worse is None else max(self.not_worse)

    def not_worse_of(self, ref: Ref) -> float:
        """The p-value that one of the two is not worse, where there is a margin."""
        return nan if self.not_worse is None else self.not_worse[0 if ref == self.a else 1]

    @property
    def equivalent(self) -> bool:
        return self.equivalence is not None and self.equivalence < LEVEL

    @property
    def only_not_worse(self) -> Ref | None:
        """Which of the two is shown to be not worse by the margin or more, where that is not shown of both. Who is shown to be
        better is not worse, which is no further finding."""
        shown = [ref for ref, p in zip((self.a, self.b), self.not_worse or (), strict=False) if p < LEVEL]
        return shown[0] if len(shown) == 1 and not (self.differ and shown[0] == self.a) else None


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
        return len(self.pairs) * (1 if self.margin is None else 3)

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
