"""Two models, committees, or lines of several trainings, side by side: everything that can be said, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from toile.errors import Misuse
from toile.evaluation.metrics import METRICS
from toile.evaluation.predictions import Predictions
from toile.evaluation.repeated import PairedT, across_folds, across_seeds
from toile.evaluation.significance import LEVEL, McNemar, bootstrap_difference, mcnemar, paired, rounded
from toile.text import counted_images


def compare(a: Predictions, b: Predictions, names: tuple[str, str] = ("A", "B"), margin: float | None = None) -> dict[str, Any]:
    """Two sets of predictions of the same images. It speaks of two trainings, and nothing of their architectures.

    Args:
        margin: of accuracy, between 0 and 1: whether the two are equivalent within so much, or one at least not worse by it.

    Returns:
        `names`, `split`, `over` ("images"), `trainings` (1), `images`; `accuracies` and `losses` (of a, of b); `difference` of
        accuracy (a - b, -1..1) with `interval` ([low, high], 95 %, the score interval); `loss_difference` with `loss_interval`
        (bootstrap); `both_right`, `only_a`, `only_b`, `both_wrong` (images); `p_value` (McNemar, exact); `differ` (p_value <
        0.05); with a margin `equivalence` (`margin`, `p_value`, `equivalent`; of a than b, and of b than a, `not_worse` and
        `not_worse_p_values`, of which `p_value` is the larger); `verdict`.

    Raises:
        Misuse: `a` and `b` are not of the same images.
    """
    test, of_loss = mcnemar(a, b), bootstrap_difference(a, b, "loss")
    accuracy, loss = METRICS["accuracy"].function, METRICS["loss"].function
    return {
        "names": list(names),
        "split": a.split,
        "over": "images",
        "trainings": 1,
        "images": len(a),
        "accuracies": [accuracy(a.probabilities, a.labels), accuracy(b.probabilities, b.labels)],
        "difference": test.difference,
        "interval": list(test.interval()),
        "losses": [loss(a.probabilities, a.labels), loss(b.probabilities, b.labels)],
        "loss_difference": of_loss.value,
        "loss_interval": [of_loss.low, of_loss.high],
        "both_right": test.both_right,
        "only_a": test.only_a,
        "only_b": test.only_b,
        "both_wrong": test.both_wrong,
        **_judged(test, names, margin),
    }


def compare_lines(
    a: Sequence[Predictions],
    b: Sequence[Predictions],
    names: tuple[str, str] = ("A", "B"),
    margin: float | None = None,
    held_out: float | None = None,
    folds: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Two lines of several trainings each, pairs with the same seed or fold. It speaks of architectures and recipes.

    Args:
        a, b: predictions, pair by pair of the same images.
        margin: as `compare` takes it.
        held_out: of folds, the images held out divided by those trained on; None where the pairs are of different seeds.
        folds: which fold each pair is of, where some have several seeds; see `across_folds`.

    Returns:
        As `compare`, with `over` ("seeds" or "folds"), `trainings` (pairs), `images` (of the first pair), means over the
        trainings in `accuracies` and `losses`, the pairs' own accuracies in `each`; nothing of single images. `p_value` is that
        of a paired t-test, over folds of the corrected one. Ends of intervals are None where all pairs differ by the same.

    Raises:
        Misuse: fewer than two pairs, or predictions that are no pairs.
    """
    if len(a) != len(b):
        raise Misuse(f"got {len(a)} and {len(b)} trainings; a paired test wants equally many of both")
    for one, other in zip(a, b, strict=True):
        paired(one, other)
    tests: dict[str, PairedT] = {}
    means: dict[str, list[float]] = {}
    each: dict[str, list[list[float]]] = {}
    for name in ("accuracy", "loss"):
        function = METRICS[name].function
        ours, its = ([function(one.probabilities, one.labels) for one in line] for line in (a, b))
        tests[name] = across_seeds(ours, its) if held_out is None else across_folds(ours, its, held_out, folds)
        means[name], each[name] = [fmean(ours), fmean(its)], [list(pair) for pair in zip(ours, its, strict=True)]
    return {
        "names": list(names),
        "split": a[0].split,
        "over": "seeds" if held_out is None else "folds",
        "trainings": len(a),
        "images": len(a[0]),
        "accuracies": means["accuracy"],
        "each": each["accuracy"],
        "difference": tests["accuracy"].difference,
        "interval": _known(tests["accuracy"]),
        "losses": means["loss"],
        "loss_difference": tests["loss"].difference,
        "loss_interval": _known(tests["loss"]),
        **_judged(tests["accuracy"], names, margin),
    }


def _known(test: PairedT) -> list[float | None]:
    """The interval, ready for JSON."""
    return [end if isfinite(end) else None for end in test.interval()]


def _judged(test: McNemar | PairedT, names: tuple[str, str], margin: float | None) -> dict[str, Any]:
    """What the tests say. "No difference", "a is worse by the margin or more" and "b is": at most one is true, so that at most
    one can be rejected wrongly, and nothing has to be corrected for their number."""
    found: dict[str, Any] = {"p_value": test.p_value, "differ": test.p_value < LEVEL}
    verdict = _verdict(test, names)
    if margin is not None:
        each, p = (test.not_worse(margin), test.turned().not_worse(margin)), test.equivalence(margin)
        found["equivalence"] = {
            "margin": margin, "p_value": p, "equivalent": p < LEVEL,
            "not_worse": [one < LEVEL for one in each], "not_worse_p_values": list(each),
        }  # fmt: skip
        verdict += f"; {_within(names, margin, each)}"
    return {**found, "verdict": verdict}


def _within(names: tuple[str, str], margin: float, each: tuple[float, float]) -> str:
    """One of three findings; `each` are the p-values that a and b are not worse."""
    p, least = max(each), min(each)
    if p < LEVEL:
        return f"shown to be equivalent within {margin:g} ({said(p)})"
    missed = f"not shown to be equivalent within {margin:g} ({said(p)})"
    if least >= LEVEL:
        return f"{missed}, and neither to be not worse than the other by {margin:g} or more ({said(least)})"
    one, other = names if each[0] == least else names[::-1]
    return f"{missed}, but {one} is shown to be not worse than {other} by {margin:g} or more ({said(least)})"


def _verdict(test: McNemar | PairedT, names: tuple[str, str]) -> str:
    a, b = names
    over = ""
    if isinstance(test, PairedT):
        over = f" over {test.trainings} {'folds' if test.over == 'folds' else 'pairs of trainings'}"
        if not test.testable:
            better, more = a if test.difference > 0 else b, abs(test.difference)
            return f"{better} is right on {more:.4f} more each time{over}: without any spread that cannot be tested"
    if test.p_value >= LEVEL:
        return f"no difference shown between {a} and {b}{over} ({said(test.p_value)})"
    better, worse = (a, b) if test.difference > 0 else (b, a)
    if isinstance(test, McNemar):
        more, fewer = max(test.only_a, test.only_b), min(test.only_a, test.only_b)
        return (
            f"{a} and {b} differ ({said(test.p_value)}): {better} alone is right on {counted_images(more)}, {worse} alone on "
            f"{fewer}"
        )
    return f"{a} and {b} differ{over} ({said(test.p_value)}): {better} is right on {abs(test.difference):.4f} more"


def said(p_value: float) -> str:
    """A p-value in words: "p = 0.03"."""
    return "p < 0.0001" if p_value < 0.0001 else f"p = {rounded(p_value)}"
