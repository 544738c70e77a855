"""The estimator of a classical model: features of uint8 images, principal components if asked for, and the model on them.

An architecture with `LEARNER = "classical"` is a file beside the Keras ones, whose `build` ends with a call of `pipeline`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from toile.models.classical import features
from toile.study.fields.needs import Needs

# What the options of every classical architecture need; see `toile.models.architectures`.
NEEDS = {"whiten": Needs(("components",), bool, "`components`")}


def pipeline(model: Any, components: int, whiten: bool, seen: Any = None) -> Any:
    """An untrained scikit-learn `Pipeline` with the steps "features", "components" (where there are any) and "model".

    It takes uint8 images `(n, height, width, channels)`. Everything is fitted to the training images, the components too.

    Args:
        model: a scikit-learn classifier.
        components: how many; 0 for none.
        whiten: whether each component is brought to variance 1.
        seen: a transformer of images; all pixels in a row where left out.
    """
    from sklearn.decomposition import PCA
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    reduced = [("components", PCA(components, whiten=whiten))] if components else []
    return Pipeline([("features", seen or FunctionTransformer(features.pixels)), *reduced, ("model", model)])


def hog(orientations: int, cell: int, block: int) -> Any:
    """The transformer to histograms of oriented gradients; see `toile.models.classical.features.hog`."""
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(features.hog, kw_args={"orientations": orientations, "cell": cell, "block": block})


def check(options: dict[str, Any], image_shape: tuple[int, int, int], images: Callable[[], int]) -> None:
    """Whether there can be so many components or neighbours, before anything is fitted.

    Args:
        options: of the architecture, complete.
        images: gives the number of training images; asked only where there are components or neighbours.

    Raises:
        ValueError: HOG features that do not fit into the images, more components than features or training images, or more
            neighbours than training images.
    """
    if "cell" in options:
        given = (options[key] for key in ("orientations", "cell", "block"))
        width = features.hog_length(image_shape, *given)
    else:
        width = prod(image_shape)
    if options["components"] and options["components"] > (most := min(width, count := images())):
        raise ValueError(
            f"components = {options['components']}, and {count:,} training images of {width:,} features have at most {most:,}"
        )
    if (neighbours := options.get("neighbours", 0)) and neighbours > (count := images()):
        raise ValueError(f"neighbours = {neighbours:,}, and there are {count:,} training images")
