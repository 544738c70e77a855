"""Whether a stored run contradicts itself: its metrics are computed again from its probabilities."""

from __future__ import annotations

import math
from typing import Any

from toile.data.parts.splits import split
from toile.errors import ToileError
from toile.evaluation.metrics import evaluate
from toile.store.checked import Damaged
from toile.store.run import Run
from toile.store.store import Store
from toile.study.fields.strict import is_array, is_table

# Another version of NumPy may sum in another order.
_TOLERANCE = 1e-6


def contradictions(run: Run, store: Store) -> tuple[list[Damaged], str]:
    """Look at a run that has no manifest.

    Returns:
        What is wrong; and what could not be computed again, and why, or nothing.

    Raises:
        Damaged: a file cannot be read at all.
    """
    trial = run.intent()
    try:
        parts = split(store.dataset(trial.dataset.content), trial.split, trial.fold)
    except ToileError as error:
        return [], f"its metrics were not computed again: {error}"
    found: list[Damaged] = []
    for name, stored in run.metrics.items():
        if name not in run.splits():  # as the training images, of which only figures are kept
            continue
        part = getattr(parts, name, None)
        try:
            again = evaluate(run.probabilities(name), part.labels) if part is not None else {}
        except ValueError as error:
            found.append(Damaged(run.folder / "probabilities.npz", str(error)))
            continue
        for metric, value in stored.items():
            if metric in again and not _same(value, again[metric]):
                what = f"{name}.{metric} is not what the probabilities say"
                found.append(Damaged(run.folder / "metrics.json", what))
    return found, ""


def _same(a: Any, b: Any) -> bool:
    """Whether two values of metrics are equal, to rounding."""
    if is_table(a) and is_table(b):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if is_array(a) and is_array(b):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return a == b
