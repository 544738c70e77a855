"""Trials that begin with the weights of others or learn from them: in which order, and whether they can begin so."""

from __future__ import annotations

from collections.abc import Callable, Collection
from graphlib import CycleError, TopologicalSorter

from toile.errors import Misuse
from toile.runner.plans.planned import PlannedTrial
from toile.study.expand import Variant
from toile.study.trial import TrialArchitecture
from toile.text import listed

# Options that change no weight's shape: a warm start may change them.
_SHAPELESS = {
    "activation", "backbone_learning_rate_multiplier", "dense_dropout", "dense_initializer", "dense_l2", "dropout",
    "initializer", "l2", "unfreeze",
}  # fmt: skip


def parents_first(lines: list[Variant], before: Callable[[Variant, Collection[str]], set[str]]) -> list[Variant]:
    """A line after those that have to be there before it.

    Args:
        before: gives their names, of a line and the names of all.

    Raises:
        Misuse: they are not there, or wait for each other.
    """
    by_name = {line.name: line for line in lines}
    sorter = TopologicalSorter({line.name: sorted(before(line, by_name)) for line in lines})
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        circle = listed(map(repr, error.args[1]))
        raise Misuse(
            f"trials begin with each other or learn from each other, in a circle: {circle}"
            "; of lines that have their teacher from [recipe], those that are to learn from none say `teacher = false`"
        ) from None
    if missing := [name for name in order if name not in by_name]:
        raise Misuse(f"trials begin with or learn from others that are not there: {listed(map(repr, missing))}")
    return [by_name[name] for name in order]


def parent_of(
    line: Variant,
    architecture: TrialArchitecture,
    seed: int,
    fold: int | None,
    of_parent: dict[tuple[int, int | None], PlannedTrial],
) -> PlannedTrial | None:
    """The trial with whose weights a line's trial begins: of the same seed, or of the parent's first."""
    if line.warm_start is None:
        return None
    found = of_parent.get((seed, fold)) or next((one for key, one in of_parent.items() if key[1] == fold), None)
    if found is None:
        raise Misuse(f"trial {line.name!r} begins with {line.warm_start!r}, which is split otherwise: it has no such fold")
    # Or the parent may have learned from the child's validation or test images.
    ours, its = (split.model_copy(update={"fraction": 1.0}) for split in (line.split, found.trial.split))
    if ours != its:
        raise Misuse(f"trial {line.name!r} begins with {line.warm_start!r}, which is split otherwise; their splits must agree")
    theirs = found.trial.architecture
    differing = {
        key for key in {*architecture.options, *theirs.options} - _SHAPELESS
        if architecture.options.get(key) != theirs.options.get(key)
    }  # fmt: skip
    if architecture.name != theirs.name or differing:
        what = f"differs in {', '.join(sorted(differing))}" if differing else f"is {theirs.name!r}"
        raise Misuse(
            f"trial {line.name!r} cannot begin with the weights of {line.warm_start!r}: that architecture {what}; "
            f"only {', '.join(sorted(_SHAPELESS))} may differ"
        )
    return found
