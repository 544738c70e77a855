"""Many comparisons at once: p-values that stay honest, and who cannot be told from whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from toile.arrays import Numbers
from toile.errors import Misuse

MOST_GROUPS = 1000


def holm(p_values: Sequence[float], exclusive: Sequence[int] | None = None) -> Numbers:
    """p-values corrected for how many there are: each may be compared with the level as if it were the only one.

    The step-down method of Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics
    6, 1979. The chance that any true hypothesis is rejected stays below the level, however the tests depend on each other.

    Args:
        p_values: one a comparison, 0..1, all that are made.
        exclusive: one number a comparison: of those with the same, at most one hypothesis can be true. Then fewer can be true
            than are left, which is what counts: Shaffer, "Modified Sequentially Rejective Multiple Test Procedures", JASA 81,
            1986. Left out: all can be true.

    Returns:
        `(comparisons,)` float64, in the same order; none is below what was given, or above 1.

    Raises:
        Misuse: a number that is no p-value.
    """
    given = np.asarray(p_values, np.float64)
    if not ((given >= 0) & (given <= 1)).all():  # of nan too
        raise Misuse(f"p-values are {given.tolist()}; allowed are numbers from 0 to 1")
    order = np.argsort(given, kind="stable")
    group = np.arange(len(given)) if exclusive is None else np.asarray(exclusive)
    # How many can still be true at each step: the different groups from there on.
    left = np.array([len(np.unique(group[order[step:]])) for step in range(len(given))], np.float64)
    corrected = np.empty(len(given))
    corrected[order] = np.minimum(np.maximum.accumulate(given[order] * left), 1)
    return corrected


def not_told_apart(count: int, differ: Iterable[tuple[int, int]]) -> list[list[int]]:
    """All largest groups of which no two differ; of one alone too, who differs from all others.

    The letters that statisticians put behind means, by inserting and absorbing: Piepho, "An Algorithm for a Letter-Based
    Representation of All-Pairwise Comparisons", Journal of Computational and Graphical Statistics 13, 2004. One may be in
    several groups: A and C may differ where B can be told from neither.

    Args:
        count: of those that were compared, 0..count - 1.
        differ: the pairs that were shown to differ.

    Returns:
        Groups, each rising; in the order of their first, then second, … member. None where there come to be more than 1,000:
        nobody reads so many, and where pairs differ that have nothing to do with each other their number doubles with each.
    """
    groups = [frozenset(range(count))] if count else []
    for a, b in differ:
        split = [group - {other} for group in groups if {a, b} <= group for other in (a, b)]
        groups = list(dict.fromkeys([*(group for group in groups if not {a, b} <= group), *split]))
        groups = [group for group in groups if not any(group < other for other in groups)]
        if len(groups) > MOST_GROUPS:
            return []
    return sorted(sorted(group) for group in groups)
