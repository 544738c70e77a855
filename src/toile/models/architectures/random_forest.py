"""Random forest: trees grown on bootstrap samples (Breiman 2001), on pixels or principal components."""

from __future__ import annotations

from math import log2, prod, sqrt
from typing import Any, Literal

from toile.models.classical.pipeline import pipeline
from toile.models.option_types import Count, Size

REVISION = 1
LEARNER = "classical"


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    trees: Count = 200,
    max_depth: Size = 0,
    min_leaf: Count = 1,
    max_features: Literal["sqrt", "log2", "all"] = "sqrt",
    components: Size = 0,
    whiten: bool = False,
) -> Any:
    """The untrained scikit-learn estimator.

    Args:
        trees: how many.
        max_depth: 0 for no limit.
        min_leaf: training images that a leaf has at least.
        max_features: how many are looked at for each division.
        components: principal components of the training images in the place of pixels; 0 for none.
        whiten: whether each component is brought to variance 1.
    """
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        trees,
        max_depth=max_depth or None,
        min_samples_leaf=min_leaf,
        max_features=None if max_features == "all" else max_features,  # pyright: ignore[reportArgumentType]: scikit-learn documents it, and has no types
        n_jobs=1,
    )
    return pipeline(forest, components, whiten)


def seconds(images: int, judged: int, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> float:
    """About how long it takes on one core; measured with up to 48,000 images of 784 pixels, raw and as components."""
    width = options["components"] or prod(image_shape)
    looked_at = {"sqrt": sqrt(width), "log2": log2(width + 1), "all": width}[options["max_features"]]
    return 6e-8 * images * log2(images + 1) * options["trees"] * looked_at
