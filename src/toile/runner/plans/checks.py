"""What no trial may ask for: combinations of architecture, recipe, split and images that cannot be trained."""

from __future__ import annotations

from collections.abc import Callable

from toile.data.dataset import Dataset
from toile.errors import Misuse
from toile.models import architectures
from toile.study.expand import Variant
from toile.study.recipe.optimizers import complete
from toile.study.recipe.recipe import RecipeSpec


def check(line: Variant, dataset: Dataset, images: Callable[[], int]) -> None:
    """Whether a line of a study can be trained on a data set.

    Args:
        images: gives how many train it.

    Raises:
        Misuse: it cannot.
    """
    options = architectures.complete(line.architecture.name, line.architecture.options)
    architectures.check(line.architecture.name, dataset.image_shape, dataset.classes, options, images)
    learner = architectures.learner(line.architecture.name)
    if dataset.train.weights is not None and not _weighs(line, dataset):
        raise Misuse(f"trial {line.name!r}: {line.architecture.name} cannot weigh images; leave the sample weights out")
    if learner == "classical":
        _check_classical(line)
        return
    if line.recipe.early_stopping and line.split.validation == 0 and line.split.folds is None:
        raise Misuse(f"trial {line.name!r} stops early on the validation split, and it has none (split.validation = 0)")
    if line.recipe.schedule.name == "reduce-on-plateau" and line.split.validation == 0 and line.split.folds is None:
        raise Misuse(
            f"trial {line.name!r} reduces its learning rate by the validation split, and it has none (split.validation = 0)"
        )
    if line.recipe.scaling != "pixels" and "preprocessing" in options:
        raise Misuse(f"trial {line.name!r}: a backbone has its own preprocessing, and no place for {line.recipe.scaling!r}")
    if learner == "scratch":
        _check_scratch(line)


def _weighs(line: Variant, dataset: Dataset) -> bool:
    """Whether some images can count more than others in the training."""
    name = line.architecture.name
    if (learner := architectures.learner(name)) != "classical":
        return learner != "scratch"
    from sklearn.utils.validation import has_fit_parameter

    options = architectures.complete(name, line.architecture.options)
    return has_fit_parameter(architectures.build(name, dataset.image_shape, dataset.classes, options)["model"], "sample_weight")


def _check_scratch(line: Variant) -> None:
    """The NumPy network is what its document describes; the rest of a recipe is not in it."""
    allowed = {"learning_rate", "momentum"}
    defaults = complete("sgd", {})
    unsupported = {
        key for key, value in line.recipe.optimizer.options.items() if key not in allowed and value != defaults.get(key)
    }
    if line.recipe.optimizer.name != "sgd" or unsupported:
        raise Misuse(f"trial {line.name!r}: {line.architecture.name} learns by sgd with learning_rate and momentum only")
    default = RecipeSpec()
    for key in (
        "augmentation",
        "class_weight",
        "flip_average",
        "label_smoothing",
        "precision",
        "sampling",
        "scaling",
        "teacher",
    ):
        if getattr(line.recipe, key) != getattr(default, key):
            raise Misuse(f"trial {line.name!r}: {line.architecture.name} knows no {key}")
    if line.warm_start:
        raise Misuse(f"trial {line.name!r}: {line.architecture.name} begins with weights of its own")


def _check_classical(line: Variant) -> None:
    """scikit-learn's models are given by their options and class weights; the rest of the study's recipe is for the others."""
    if other := line.own_recipe - {"class_weight"}:
        keys = ", ".join(sorted(other))
        raise Misuse(
            f"trial {line.name!r}: {line.architecture.name} has options and no recipe but class_weight, got recipe.{keys}"
        )
    if line.warm_start:
        raise Misuse(f"trial {line.name!r}: {line.architecture.name} cannot begin with the weights of another trial")
