"""What the trials of a line have in common: architecture and recipe, with names and paths in no fingerprint."""

from __future__ import annotations

from pathlib import Path

from toile.data.dataset import Dataset
from toile.errors import Misuse, nearest
from toile.models import architectures
from toile.study.expand import Variant
from toile.study.recipe.recipe import RecipeSpec
from toile.study.trial import TrialArchitecture
from toile.text import listed

_NO_RECIPE = RecipeSpec(epochs=1)


def architecture_of(line: Variant) -> tuple[TrialArchitecture, Path | None]:
    """The line's architecture in full. A file of weights is known by its content: the path stands beside it."""
    module = architectures.load(line.architecture.name)
    options = architectures.complete(line.architecture.name, line.architecture.options)
    content, path = None, None
    if hasattr(module, "weights_content") and (content := module.weights_content(options)):
        path, options = Path(options["weights"]), {**options, "weights": "file"}
    name, revision = line.architecture.name, module.REVISION
    return TrialArchitecture(name=name, options=options, revision=revision, weights=content), path


def recipe_of(line: Variant, dataset: Dataset) -> RecipeSpec:
    """The recipe of the trials of a line.

    Raises:
        Misuse: it has weights for classes that the data set has not, or an architecture that cannot weigh its images.
    """
    weights = _weights(line, dataset)
    if architectures.learner(line.architecture.name) != "classical":
        if weights == line.recipe.sampling == "balanced":
            raise Misuse(
                f'trial {line.name!r}: class_weight and sampling are both "balanced", which would make up for the rare classes '
                "twice; say `false` for one of them"
            )
        return line.recipe.current().model_copy(update={"class_weight": weights})
    if weights is not None:
        _check_weighable(line, dataset)
    # Nothing else of a recipe decides anything of a classical model: all is at its default in its fingerprint.
    return _NO_RECIPE.model_copy(update={"class_weight": weights})


def _weights(line: Variant, dataset: Dataset) -> str | tuple[float, ...] | None:
    """Weights in the order of the labels, because names of classes are in no fingerprint; None where all are 1."""
    given, names = line.recipe.class_weight, dataset.class_names
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, dict):
        for name in given:
            if name not in names:
                raise Misuse(
                    f"trial {line.name!r}: class_weight names the class {name!r}{nearest(name, names)}; "
                    f"there are: {listed(names)}"
                )
        given = tuple(given.get(name, 1) for name in names)
    elif len(given) != len(names):
        raise Misuse(f"trial {line.name!r}: class_weight has {len(given)} weights for {len(names)} classes: {listed(names)}")
    found = tuple(map(float, given))
    return None if set(found) == {1.0} else found


def _check_weighable(line: Variant, dataset: Dataset) -> None:
    name = line.architecture.name
    options = architectures.complete(name, line.architecture.options)
    if "model__class_weight" not in architectures.build(name, dataset.image_shape, dataset.classes, options).get_params():
        raise Misuse(
            f"trial {line.name!r}: {name} cannot weigh classes; leave `class_weight` out, or say "
            "`recipe = { class_weight = false }` in this trial"
        )
