"""Checks of single trainings, by their histories and figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

from toile.reports.results.result import TrialResult
from toile.reports.results.study import StudyResults
from toile.reports.text import figure
from toile.study.recipe.recipe import RecipeSpec

# The validation loss may rise by so much above its lowest before that is called overfit.
RISE = 0.1
# Of the epochs, so many at the end are looked at: a training that is still getting better does so there.
LAST = 0.2
FEWEST = 5  # epochs below which a curve says nothing
GAIN = 0.01  # of the loss, over those epochs
LEVEL = 0.01


def overfit(results: StudyResults) -> list[str]:
    """The validation loss was lower before, and the model of then is not the one that is kept."""
    said = []
    for trial, losses in _curves(results):
        stopping = trial.trial["recipe"].get("early_stopping") or {}
        best = min(losses)
        if len(losses) >= FEWEST and losses[-1] > (1 + RISE) * best and not stopping.get("restore_best"):
            said.append(
                f"{trial.name}: the validation loss was {figure(best)} after epoch {losses.index(best) + 1} and is "
                f"{figure(losses[-1])} at the end, after {len(losses)}."
            )
    return said


def underfit(results: StudyResults) -> list[str]:
    """It is right on fewer of its own training images than a logistic regression is on images that it has never seen."""
    said = []
    for trial in results.stored:
        own = trial.stored_run.metrics.get("train", {}).get("accuracy")
        simple = (results.baselines.get(trial.name) or {}).get("logistic", {})
        other = simple.get("validation", simple.get("test"))
        if own is not None and other is not None and own < other:
            said.append(
                f"{trial.name} is right on {figure(own)} of the images that it learned from; a logistic regression is right on "
                f"{figure(other)} of images that it has not seen."
            )
    return said


def still_improving(results: StudyResults) -> list[str]:
    """All epochs were trained, the last is the best, and the last fifth of them still made the validation loss lower, by no
    schedule that ends with the epochs."""
    said = []
    for trial, losses in _curves(results):
        # A cosine or a one-cycle brings the rate down by the last epoch, and the loss with it, however many epochs there are.
        if RecipeSpec.model_validate(trial.trial["recipe"]).schedule.by_epochs:
            continue
        epochs = trial.trial["recipe"]["epochs"]
        last = max(2, math.ceil(LAST * len(losses)))
        if len(losses) == epochs >= FEWEST and losses[-1] == min(losses) and losses[-1] < (1 - GAIN) * min(losses[:-last]):
            said.append(
                f"{trial.name}: the validation loss fell from {figure(min(losses[:-last]))} to {figure(losses[-1])} in the "
                f"last {last} of {epochs} epochs."
            )
    return said


def parts_disagree(results: StudyResults) -> list[str]:
    """The accuracies on the validation and the test images differ by more than the drawing of images explains.

    A test of two proportions at 1 %, divided by the number of trainings that are tested (Bonferroni).
    """
    pairs = [(one, one.validation, one.test) for one in results.stored]
    known = [pair for pair in pairs if all(part.get("images") and "accuracy" in part for part in pair[1:])]
    limit = NormalDist().inv_cdf(1 - LEVEL / (2 * max(1, len(known))))
    said = []
    for trial, validation, test in known:
        first, second = ((part["accuracy"], part["images"]) for part in (validation, test))
        if abs(distance(first, second)) > limit:
            said.append(
                f"{trial.name} is right on {figure(validation['accuracy'])} of {validation['images']:,} validation images and "
                f"on {figure(test['accuracy'])} of {test['images']:,} test images."
            )
    return said


def distance(first: tuple[float, int], second: tuple[float, int]) -> float:
    """By how many standard errors the first of two shares is above the second, if both are of one truth.

    0 where both are all or nothing.

    Args:
        first, second: the share, and of how many images.
    """
    (p, n), (q, m) = first, second
    pooled = (p * n + q * m) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return (p - q) / error if error > 0 else 0.0


def _curves(results: StudyResults) -> Iterator[tuple[TrialResult, list[float]]]:
    """Every training with its validation losses, epoch by epoch."""
    for trial in results.stored:
        history = trial.stored_run.history
        if trial.trial["learner"] != "classical" and all("validation_loss" in row for row in history):
            yield trial, [row["validation_loss"] for row in history]
