"""Trials that begin with the weights of others: in which order, and whether they can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toile.errors import Misuse
from toile.study.expand import Variant
from toile.study.trial import TrialArchitecture
from toile.text import listed

if TYPE_CHECKING:
    from toile.runner.plan import PlannedTrial

# Options that change no weight's shape: a warm start may change them.
_SHAPELESS = {"activation", "dense_dropout", "dense_initializer", "dense_l2", "dropout", "initializer", "l2"}


def parents_first(lines: list[Variant]) -> list[Variant]:
    """A line after the one it begins with."""
    after: dict[str | None, list[Variant]] = {}
    for line in lines:
        after.setdefault(line.warm_start, []).append(line)
    ready = after.pop(None, [])
    for line in ready:  # which grows on the way
        ready += after.pop(line.name, [])
    if after:
        left = listed(repr(line.name) for lines in after.values() for line in lines)
        raise Misuse(f"warm starts from trials that are not there, or in a circle: {left}")
    return ready


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
