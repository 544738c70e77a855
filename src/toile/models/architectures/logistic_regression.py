"""Logistic regression: softmax regression by L-BFGS, on pixels or principal components."""

from __future__ import annotations

from math import prod
from typing import Any

from toile.models.classical.pipeline import pipeline
from toile.models.option_types import Count, Positive, Size

REVISION = 1
LEARNER = "classical"


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    c: Positive = 1.0,
    max_iterations: Count = 1000,
    components: Size = 0,
    whiten: bool = False,
) -> Any:
    """The untrained scikit-learn estimator.

    Args:
        c: inverse strength of the L2 penalty, which is 1 / (2 c) times the squared weights.
        max_iterations: of L-BFGS. It starts from 0, so the seed decides nothing.
        components: principal components of the training images in the place of pixels; 0 for none.
        whiten: whether each component is brought to variance 1.
    """
    from sklearn.linear_model import LogisticRegression

    return pipeline(LogisticRegression(C=c, max_iter=max_iterations), components, whiten)


def seconds(images: int, judged: int, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> float:
    """About how long it takes on one core; measured with up to 48,000 images of 784 pixels, raw and as components."""
    components = options["components"]
    return images * (1e-4 + 8e-7 * components if components else 3.6e-6 * prod(image_shape))
