"""Checks of what is asked for, stored or not."""

from __future__ import annotations

from toile.reports.results.study import StudyResults
from toile.study.recipe.recipe import RecipeSpec
from toile.text import listed

SHOWN = 5  # lines that are named


def without_effect(results: StudyResults) -> list[str]:
    """Early stopping and schedules that never act, because there are too few epochs."""
    lines: dict[str, dict[str, None]] = {}
    for trial in results.trials:
        if trial.trial["learner"] != "classical":
            recipe = RecipeSpec.model_validate(trial.trial["recipe"])
            for what in recipe.unreached():
                epochs = f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}"
                lines.setdefault(f"{what} in {epochs}", {})[trial.line] = None
    return [f"{what} ({listed(of, SHOWN)})." for what, of in lines.items()]
