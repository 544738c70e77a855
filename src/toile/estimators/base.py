"""What both estimators have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from toile.errors import Misuse


class InvalidParameter(Misuse, ValueError):
    """A parameter, or images, that nothing can be fitted with. scikit-learn wants such an error to be a ValueError."""


class ProbabilisticClassifier(ClassifierMixin, BaseEstimator):
    """What is known by its probabilities."""

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each image, `(n,)`."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
