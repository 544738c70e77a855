"""Histogram gradient boosting: one tree a class and iteration, on pixels or principal components."""

from __future__ import annotations

from math import prod
from typing import Any

from toile.models.classical.pipeline import pipeline
from toile.models.option_types import AtLeastTwo, Count, Positive, Size, Strength

REVISION = 1
LEARNER = "classical"


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    iterations: Count = 100,
    learning_rate: Positive = 0.1,
    max_leaves: AtLeastTwo = 31,
    min_leaf: Count = 20,
    l2: Strength = 0.0,
    components: Size = 0,
    whiten: bool = False,
) -> Any:
    """The untrained scikit-learn estimator.

    Args:
        iterations: how many; nothing stops early.
        learning_rate: factor on each tree.
        max_leaves: of a tree.
        min_leaf: training images that a leaf has at least.
        l2: strength of the penalty on leaf values.
        components: principal components of the training images in the place of pixels; 0 for none.
        whiten: whether each component is brought to variance 1.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    boosting = HistGradientBoostingClassifier(
        max_iter=iterations,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaves,
        min_samples_leaf=min_leaf,
        l2_regularization=l2,
        early_stopping=False,  # pyright: ignore[reportArgumentType]: scikit-learn documents it, and has no types
    )
    return pipeline(boosting, components, whiten)


def seconds(images: int, judged: int, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> float:
    """About how long it takes on one core; measured with up to 48,000 images of 784 pixels, raw and as components."""
    width = options["components"] or prod(image_shape)
    return 4.1e-9 * images * width**1.18 * options["iterations"] * classes
