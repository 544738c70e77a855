"""Support vector machine on histograms of oriented gradients (Dalal & Triggs 2005), or their principal components."""

from __future__ import annotations

from typing import Any, Literal, cast

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
