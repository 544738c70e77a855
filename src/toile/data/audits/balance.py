"""Whether a data set has as many images of one class as of another."""

from __future__ import annotations

from collections.abc import Iterable

UNEVEN = 3  # largest class over smallest, above which accuracy says more of the large classes than of the model


def uneven(counts: Iterable[int]) -> bool:
    """Whether classes differ more than three to one.

    Args:
        counts: images of each class; a class without any does not count.
    """
    there = [count for count in counts if count]
    return len(there) > 1 and max(there) > UNEVEN * min(there)
