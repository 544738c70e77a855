"""What a committee asks of a member, each in a process of its own if need be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]: SciPy has none
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


def check_finite(X: Any) -> None:
    """Pass where no number of `X` is missing or infinite.

    Raises:
        ValueError: one is.
    """
    # Of what else there is, such as a table with columns of text, only a member knows what it looks at.
    if sparse.issparse(X):
        X = X.tocoo()  # one kind has its numbers in no array
    elif not isinstance(X, np.ndarray | list | tuple):
        return
    assert_all_finite(X, input_name="X")


def finite(X: Any) -> bool:
    """Whether no number of `X` is missing or infinite."""
    try:
        check_finite(X)
    except (TypeError, ValueError):
        return False
    return True


def fitted_to(member: Any, X: Any, y: Any, taken: dict[str, Any]) -> Any:
    """The member itself; `taken` is the metadata that its `fit` takes."""
    return member.fit(X, y, **taken)


def said_of(
    member: Any, X: Any, y: Any, taken: dict[str, Any], train: Positions, held: Positions, ask: bool
) -> tuple[Any, Any, bool]:
    """The labels that a member knows when it is fitted to `train`, its probabilities of `held`, and with `ask` whether it
    refuses missing numbers."""
    learned = {key: values[train] for key, values in taken.items()}
    member.fit(_safe_indexing(X, train), y[train], **learned)
    said = member.predict_proba(_safe_indexing(X, held))
    return member.classes_, said, ask and _refuses_missing(member, _safe_indexing(X, held[:1]))


def _refuses_missing(member: Any, one: Any) -> bool:
    """Whether a fitted member refuses an image like `one` of which all numbers are missing. Its tags do not say: a search and a
    pipeline may take such numbers without knowing it."""
    if sparse.issparse(one):
        missing: Any = type(one)(np.full(one.shape, np.nan))
    elif isinstance(one, np.ndarray | list | tuple) and np.asarray(one).dtype.kind in "fiub":
        missing = np.full(np.shape(one), np.nan)
    else:
        return False
    try:
        with np.errstate(all="ignore"):
            member.predict_proba(missing)
    except Exception:  # of whatever kind: strangers' code, and the answer to a question of ours
        return True
    return False


def _text(labels: NDArray[Any]) -> bool:
    return labels.dtype.kind in "US" or (labels.dtype.kind == "O" and all(isinstance(one, str) for one in labels))
