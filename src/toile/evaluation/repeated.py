"""Comparisons over several trainings: what is said is of architectures and recipes, and not of two trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from statistics import fmean
from typing import Literal

import numpy as np

from toile.errors import Misuse


@dataclass(frozen=True)
class PairedT:
    """A paired t-test: the same seeds, or the same folds, of both.

    Args:
        difference: the mean of metric(a) - metric(b).
        spread: the standard error of that mean, as the test has it; 0 if all differences are the same.
        trainings: pairs, at least 2; of folds, one each, the mean of its seeds.
        over: what the pairs are of.
    """

    difference: float
    spread: float
    trainings: int
    over: Literal["seeds", "folds"] = "seeds"

    @property
    def testable(self) -> bool:
        """Whether anything can be said of other trainings: not where the same difference was found each time."""
        return self.spread > 0 or self.difference == 0

    def turned(self) -> PairedT:
        """The same test of b - a."""
        return replace(self, difference=-self.difference)

    @property
    def p_value(self) -> float:
        """Two-sided, of "no difference". Where all differences are the same, nothing is known of their spread: it is 1."""
        if self.spread == 0:
            return 1.0
        return 2 * self._tail(abs(self.difference) / self.spread)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Of the difference, at a level between 0 and 1. Where all differences are the same, its ends are not known: NaN."""
        from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]: SciPy has none

        if self.spread == 0:
            return nan, nan
        half = float(stdtrit(self.trainings - 1, (1 + level) / 2)) * self.spread
        return self.difference - half, self.difference + half

    def not_worse(self, margin: float) -> float:
        """The p-value of "a is worse than b by `margin` or more", one-sided. Where it is small, a is not inferior.

        Args:
            margin: of the metric, between 0 and 1.
        """
        a_margin(margin)
        return 1.0 if self.spread == 0 else self._tail((margin + self.difference) / self.spread)

    def equivalence(self, margin: float) -> float:
        """The p-value of "they differ by `margin` or more", by two one-sided tests: neither is worse.

        Schuirmann, "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for Assessing the Equivalence of
        Average Bioavailability", Journal of Pharmacokinetics and Biopharmaceutics 15, 1987.
        """
        return max(self.not_worse(margin), self.turned().not_worse(margin))

    def _tail(self, t: float) -> float:
        from scipy.special import stdtr  # pyright: ignore[reportMissingTypeStubs]: as above

        return float(stdtr(self.trainings - 1, -t))


def across_seeds(a: Sequence[float], b: Sequence[float]) -> PairedT:
    """A metric of two lines, trained with the same seeds and judged on the same images: the paired t-test.

    It speaks of other seeds, and of these test images.

    Raises:
        Misuse: not equally many values, or fewer than two.
    """
    return _paired(a, b, 0.0)


def across_folds(a: Sequence[float], b: Sequence[float], held_out: float, folds: Sequence[int] | None = None) -> PairedT:
    """A metric of two lines on the images that each fold held out: the corrected resampled t-test.

    The trainings of k folds share most of their images, so that a plain t-test calls far too much a difference. The variance is
    corrected by the share that is held out: Nadeau & Bengio, "Inference for the Generalization Error", Machine Learning 52,
    2003. Trainings of one fold with several seeds are judged on the same images, and are no further folds: their mean counts.

    Args:
        held_out: images held out, divided by images trained on; 1 / (k - 1) of k folds.
        folds: which fold each pair is of; each of its own where left out.

    Raises:
        Misuse: not equally many values, or of fewer than two folds; `held_out` is not above 0.
    """
    if not held_out > 0:
        raise Misuse(f"held_out is {held_out}; images held out, divided by images trained on, is above 0")
    if folds is None or len(a) != len(b):
        return _paired(a, b, held_out)
    if len(set(folds)) < 2:
        raise Misuse(f"the pairs are all of one fold, {len(folds)} times; a paired test wants two folds at least")
    of_fold = [[i for i, fold in enumerate(folds) if fold == one] for one in dict.fromkeys(folds)]
    ours, its = ([fmean(line[i] for i in places) for places in of_fold] for line in (a, b))
    return _paired(ours, its, held_out)


def a_margin(margin: float) -> None:
    """Pass where a margin is one.

    Raises:
        Misuse: it is not between 0 and 1.
    """
    if not 0 < margin < 1:
        raise Misuse(f"a margin is above 0 and below 1, as 0.002, which is a fifth of a percentage point; got {margin}")


def _paired(a: Sequence[float], b: Sequence[float], more: float) -> PairedT:
    if len(a) != len(b) or len(a) < 2:
        raise Misuse(f"got {len(a)} and {len(b)} trainings; a paired test wants equally many of both, two at least")
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    # Rounding makes a spread of 1e-17 where there is none, and a difference of no spread would be infinitely sure.
    variance = 0.0 if np.ptp(differences) < 1e-12 else float(differences.var(ddof=1))
    error = float(np.sqrt(variance * (1 / len(differences) + more)))
    return PairedT(float(differences.mean()), error, len(differences), "folds" if more else "seeds")
