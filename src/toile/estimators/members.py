"""What a committee asks of a member, each in a process of its own if need be."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from toile.arrays import Positions, Probabilities


def placed(probabilities: Any, known: Any, classes: Any) -> Probabilities:
    """Probabilities `(n, known)` as `(n, classes)`: of a class that is not known, 0."""
    if len(known) == len(classes):
        return np.asarray(probabilities)
    found = np.zeros((len(probabilities), len(classes)), np.float32)
    found[:, np.searchsorted(classes, known)] = probabilities
    return found


def fitted_to(member: Any, X: Any, y: Any, taken: dict[str, Any]) -> Any:
    """The member itself; `taken` is the metadata that its `fit` takes."""
    return member.fit(X, y, **taken)


def said_of(member: Any, X: Any, y: Any, taken: dict[str, Any], train: Positions, held: Positions) -> tuple[Any, Any]:
    """The labels that a member knows when it is fitted to `train`, and its probabilities of `held`."""
    learned = {key: values[train] for key, values in taken.items()}
    member.fit(_safe_indexing(X, train), y[train], **learned)
    return member.classes_, member.predict_proba(_safe_indexing(X, held))
