"""Checks of what is asked for, stored or not."""

from __future__ import annotations

from toile.models import architectures
from toile.reports.results.study import StudyResults
from toile.study.file.harmless import harmless
from toile.study.file.mistakes import spell
from toile.study.recipe.recipe import RecipeSpec
from toile.text import listed

SHOWN = 5  # lines that are named


def without_effect(results: StudyResults) -> list[str]:
    """Early stopping and schedules that never act, because there are too few epochs; and what no training has a use for."""
    lines: dict[str, dict[str, None]] = {}
    for trial in results.trials:
        if trial.trial["learner"] != "classical":
            recipe = RecipeSpec.model_validate(trial.trial["recipe"])
            for what in recipe.unreached():
                epochs = f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}"
                lines.setdefault(f"{what} in {epochs}", {})[trial.line] = None
    classical = [name for name in architectures.names() if architectures.learner(name) == "classical"]
    return [
        *(f"{what} ({listed(of, SHOWN)})." for what, of in lines.items()),
        *(f"{spell(place)} {what}." for place, what in harmless(results.study, classical)),
    ]
