"""toile for users of scikit-learn: a classifier of images that toile trains, and a committee of any classifiers.

Both keep scikit-learn's contract: `fit`, `predict`, `predict_proba`, `score`, `get_params`; they work in `Pipeline`,
`cross_val_score` and `GridSearchCV`. Keras trains in another process, so that this one never loads it. See
docs/scikit-learn.md.
"""

from __future__ import annotations

from toile.estimators.committee import CommitteeClassifier
from toile.estimators.image import ImageClassifier

__all__ = ["CommitteeClassifier", "ImageClassifier"]
