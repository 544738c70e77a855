"""Support vector machine with an RBF kernel, one against one, on pixels or principal components."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from toile.models.classical.pipeline import pipeline
from toile.models.option_types import Positive, Size

REVISION = 1
LEARNER = "classical"


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    c: Positive = 10.0,
    gamma: Literal["scale", "auto"] | Positive = "scale",
    components: Size = 0,
    whiten: bool = False,
) -> Any:
    """The untrained scikit-learn estimator.

    Args:
        c: inverse strength of the penalty. The seed decides nothing.
        gamma: of the kernel exp(-gamma d^2); "scale" is 1 / (features x variance), "auto" is 1 / features.
        components: principal components of the training images in the place of pixels; 0 for none.
        whiten: whether each component is brought to variance 1.
    """
    from sklearn.svm import SVC

    width: Any = gamma  # scikit-learn documents numbers too, and has no types
    return pipeline(SVC(C=c, gamma=width, decision_function_shape="ovo", cache_size=500), components, whiten)


def seconds(images: int, judged: int, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> float:
    """About how long it takes on one core; measured with up to 48,000 images of 784 pixels, raw and as components."""
    width = options["components"] or prod(image_shape)
    return 1.05e-10 * images**2 * (width + 60) + 1.6e-10 * images * judged * (width + 30)
