"""Support vector machine on histograms of oriented gradients (Dalal & Triggs 2005), or their principal components."""

from __future__ import annotations

from math import prod
from typing import Any, Literal, cast

from toile.models.classical.features import hog_length
from toile.models.classical.pipeline import hog, pipeline
from toile.models.option_types import Count, Positive, Size
from toile.study.fields.needs import Needs

REVISION = 1
LEARNER = "classical"
NEEDS = {"gamma": Needs(("kernel",), lambda kernel: kernel == "rbf", '`kernel = "rbf"`')}


def build(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    kernel: Literal["linear", "rbf"] = "linear",
    c: Positive = 1.0,
    gamma: Literal["scale", "auto"] | Positive = "scale",
    orientations: Count = 9,
    cell: Count = 4,
    block: Count = 2,
    components: Size = 0,
    whiten: bool = False,
) -> Any:
    """The untrained scikit-learn estimator.

    Args:
        kernel: linear, one class against the rest, or RBF, one against one.
        c: inverse strength of the penalty.
        gamma: of the RBF kernel, as `svm` has it.
        orientations: bins of the half circle.
        cell: pixels a side of the square that makes a histogram.
        block: cells a side of the square that is normalised together; blocks overlap.
        components: principal components of the training images in the place of the histograms; 0 for none.
        whiten: whether each component is brought to variance 1.
    """
    from sklearn.svm import SVC, LinearSVC

    linear = kernel == "linear"
    dual, width = cast("Any", False), cast("Any", gamma)  # scikit-learn documents both, and has no types
    model = LinearSVC(C=c, dual=dual) if linear else SVC(C=c, gamma=width, decision_function_shape="ovo", cache_size=500)
    return pipeline(model, components, whiten, hog(orientations, cell, block))


def seconds(images: int, judged: int, image_shape: tuple[int, int, int], classes: int, options: dict[str, Any]) -> float:
    """About how long it takes on one core; measured with up to 48,000 images of 784 pixels, raw and as components."""
    features = hog_length(image_shape, *(options[key] for key in ("orientations", "cell", "block")))
    components, seen = options["components"], 2.1e-7 * prod(image_shape[:2]) * (images + judged)
    if options["kernel"] == "rbf":
        width = components or features
        return seen + 1.05e-10 * images**2 * (width + 60) + 1.6e-10 * images * judged * (width + 30)
    return seen + images * (4e-4 if components else 1.35e-6 * features)
