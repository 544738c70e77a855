"""What a step is likely to cost, by what others did; the same whenever it is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from toile.search.pruning import Step


class Likely:
    """Seconds of one core that a step is likely to take.

    A proposal that goes on is compared with what it took on the rung before, by what others took on both: the first epoch after
    a start takes longer than the others, so nine epochs do not take nine times as long as one. One that begins takes as long as
    others on its rung.

    Args:
        took: seconds by proposal and rung; those that cost nothing, as they were proposed before, say nothing.
        epochs: of each rung.
    """

    def __init__(self, took: Mapping[tuple[int, int], float], epochs: Sequence[int]) -> None:
        self.took = {key: seconds for key, seconds in took.items() if seconds}
        self.epochs = epochs
        self.on: dict[int, list[float]] = defaultdict(list)
        self.ratios: dict[int, list[float]] = defaultdict(list)
        for (proposal, rung), seconds in self.took.items():
            self.on[rung].append(seconds)
            if before := self.took.get((proposal, rung - 1)):
                self.ratios[rung].append(seconds / before)

    def __call__(self, step: Step) -> float:
        """0 where nothing is known."""
        if before := self.took.get((step.proposal, step.rung - 1)):
            return before * (median(self.ratios[step.rung]) if self.ratios[step.rung] else self._more(step.rung))
        if here := self.on[step.rung]:
            return fmean(here)
        each = [seconds / self._trained(*key) for key, seconds in self.took.items()]
        return fmean(each) * self.epochs[step.rung] if each else 0.0

    def _more(self, rung: int) -> float:
        """How many times as many epochs a step of a rung has as one of the rung before."""
        first, second, third = (0, *self.epochs)[rung - 1 : rung + 2]
        return (third - second) / (second - first)

    def _trained(self, proposal: int, rung: int) -> int:
        """How many epochs a step trained."""
        return self.epochs[rung] - (self.epochs[rung - 1] if (proposal, rung - 1) in self.took else 0)
