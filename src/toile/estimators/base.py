"""What both estimators have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from toile.arrays import Probabilities
from toile.errors import Misuse


class InvalidParameter(Misuse, ValueError):
    """A parameter, or images, that nothing can be fitted with. scikit-learn wants such an error to be a ValueError."""


class ProbabilisticClassifier(ClassifierMixin, BaseEstimator):
    """What is known by its probabilities."""

    classes_: NDArray[Any]
    predict_proba: Callable[[Any], Probabilities]

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label of each image, `(n,)`."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
