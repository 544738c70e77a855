"""A study made smaller for a first look: fewer images, fewer epochs. Its trials are other trials, and say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toile.errors import Misuse
from toile.study.recipe.recipe import RecipeSpec

if TYPE_CHECKING:
    from toile.study.expand import Variant


@dataclass(frozen=True)
class Reduction:
    """What is left of a study.

    Args:
        fraction: share of the training images, above 0, at most 1.
        epochs_scale: factor on the epochs of each trial, above 0, at most 1; one epoch always stays.

    Raises:
        Misuse: a share that is none.
    """

    fraction: float = 1.0
    epochs_scale: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("fraction", self.fraction), ("epochs-scale", self.epochs_scale)):
            if not 0 < value <= 1:
                raise Misuse(f"--{name} is above 0 and at most 1, got {value:g}")

    def __bool__(self) -> bool:
        return self != Reduction()

    def __str__(self) -> str:
        said = [f"{self.fraction:.3g} of the training images"] if self.fraction < 1 else []
        said += [f"{self.epochs_scale:.3g} of the epochs"] if self.epochs_scale < 1 else []
        return f"reduced to {' and '.join(said)}" if said else ""

    def of(self, line: Variant) -> Variant:
        """The line as it is after the reduction."""
        length = line.recipe.schedule_epochs
        scaled = {"epochs": self.epochs(line.recipe.epochs)}
        if length is not None:
            scaled["schedule_epochs"] = self.epochs(length)
        return replace(
            line,
            recipe=RecipeSpec.model_validate({**line.recipe.model_dump(), **scaled}),
            split=line.split.model_copy(update={"fraction": line.split.fraction * self.fraction}),
        )

    def epochs(self, epochs: int) -> int:
        """How many are left of so many."""
        return max(1, round(epochs * self.epochs_scale))
