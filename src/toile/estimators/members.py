"""What a committee asks of a member, each in a process of its own if need be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, assert_all_finite

from toile.arrays import Positions, Probabilities
from toile.estimators.base import InvalidParameter
from toile.text import listed


def classes_of(y: Any, known: Sequence[Any]) -> NDArray[Any]:
    """All classes that the labels `y` or a member know, sorted.

    Raises:
        InvalidParameter: a frozen member knows labels of another kind, as numbers where these are texts.
    """
    for classes in known:
        if _text(classes) is not _text(y):
            ours, its = (listed(map(repr, np.unique(of).tolist())) for of in (y, classes))
            raise InvalidParameter(f"a member knows classes of another kind than the labels have: {its}; the labels are {ours}")
    return np.unique(np.concatenate([y, *known]))


def placed(probabilities: Any, known: Any, classes: Any) -> Probabilities:
    """Probabilities `(n, known)` as `(n, classes)`: of a class that is not known, 0."""
    if np.array_equal(known, classes):
        return np.asarray(probabilities)
    found = np.zeros((len(probabilities), len(classes)), np.float32)
    found[:, np.searchsorted(classes, known)] = probabilities
    return found


def all_finite(X: Any) -> bool:
    """Whether no number of `X` is missing or infinite, as far as this can be told of what `X` is."""
    try:
        assert_all_finite(X)
    except (TypeError, ValueError):
        return False
    return True


def fitted_to(member: Any, X: Any, y: Any, taken: dict[str, Any]) -> Any:
    """The member itself; `taken` is the metadata that its `fit` takes."""
    return member.fit(X, y, **taken)


def said_of(member: Any, X: Any, y: Any, taken: dict[str, Any], train: Positions, held: Positions) -> tuple[Any, Any]:
    """The labels that a member knows when it is fitted to `train`, and its probabilities of `held`."""
    learned = {key: values[train] for key, values in taken.items()}
    member.fit(_safe_indexing(X, train), y[train], **learned)
    return member.classes_, member.predict_proba(_safe_indexing(X, held))


def _text(labels: NDArray[Any]) -> bool:
    return labels.dtype.kind in "US" or (labels.dtype.kind == "O" and all(isinstance(one, str) for one in labels))
