"""Options that are written, can change nothing, and mislead nobody: they are of the whole study, and tell no trials apart.

Whoever changes one line of a study and back again (`tail` and `random`, a network and an SVM, pruning and none) need not take
them out and write them again. So they are no mistakes, and a check names them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from toile.study.data.split import SplitSpec
from toile.study.file.lines import Location
from toile.study.file.mistakes import Mistake
from toile.study.recipe.recipe import RecipeSpec
from toile.study.search.search import SearchSpec
from toile.study.search.space import entries
from toile.study.spec import StudySpec


def harmless(study: StudySpec, classical: Collection[str]) -> Iterator[Mistake]:
    """Each with its place, and what is to be told of it.

    Args:
        classical: the architectures that have no recipe.
    """
    if study.dataset.draw_seed and study.dataset.draw is None:
        yield ("dataset", "draw_seed"), without("`draw`")
    yield from seed(study.split, ("split",))
    yield from _without_recipe(study, classical)
    if study.search is not None and study.search.pruning is None:
        for key in ("factor", "first_epochs"):
            if getattr(study.search, key) != SearchSpec.model_fields[key].default:
                yield ("search", key), without("`pruning`")


def seed(split: SplitSpec, place: Location) -> Iterator[Mistake]:
    """The seed of a split that draws nothing."""
    if split.seed and split.method == "tail":
        yield (*place, "seed"), because('`method = "tail"` draws nothing')
    elif split.seed and not split.test and not (split.shuffle if split.folds else split.validation not in (0, "given")):
        said = "folds are cut in order with `shuffle = false`" if split.folds else "no images are drawn for validation or test"
        yield (*place, "seed"), because(said)


def without(said: str) -> str:
    return f"changes nothing without {said}"


def because(said: str) -> str:
    return f"changes nothing, because {said}"


def _without_recipe(study: StudySpec, classical: Collection[str]) -> Iterator[Mistake]:
    """A recipe for nothing but classical models, which have none."""
    names = {line.architecture.name for line in (*study.trial, *study.sweep)}
    if study.search is not None:
        names.update(dict(entries(study.search.space))[("architecture", "name")])
    if not names <= set(classical):
        return
    said = because(f"{', '.join(sorted(names))} take no recipe but class_weight, and there is no other architecture")
    default = RecipeSpec()
    for key in RecipeSpec.model_fields:
        if key != "class_weight" and getattr(study.recipe, key) != getattr(default, key):
            yield ("recipe", key), said
    if study.backend != "tensorflow":
        yield ("backend",), because("scikit-learn trains all architectures of the study")
