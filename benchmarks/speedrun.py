"""The study `speedrun` against model-4 of `five-classes`, the costliest network of the five documents: one thread each.

Not a rival's program but a rival's recipe: how long the whole training of each takes, all of its epochs. A few dozen steps are
timed in core seconds after as many that are not, and multiplied: a step costs the same whatever the weights are and whatever
the images show, so random ones do. Nothing is said of accuracy here; the study's report has it.
"""

from __future__ import annotations

import time

from benchmarks.harness.measure import Case, Side

# The share of model-4's time that each training of the study may take.
SHARES = {"ten epochs": 6.0, "thirty epochs": 1.0}
MODEL_4 = {"study": "five-classes", "trial": "model-4", "images": 48_000}


def cases(quick: bool) -> list[Case]:
    """One for each training of the study, which has all 60,000 training images."""
    steps = 2 if quick else 40
    theirs = Side(training, {**MODEL_4, "steps": steps}, threads=1)
    return [
        Case(
            f"a whole training, {name}",
            {"speedrun": Side(training, {"study": "speedrun", "trial": name, "images": 60_000, "steps": steps}, threads=1),
             "five-classes, model-4": theirs},
            figure="training_core_seconds",
            target=None if quick else share,
            note="Core seconds of all epochs, from the images a core second of a few dozen steps.",
        )
        for name, share in SHARES.items()
    ]  # fmt: skip


def training(study: str, trial: str, images: int, steps: int) -> dict[str, float]:
    """toile's engine, as a worker process has it, over random images."""
    from benchmarks.harness.engines import made
    from toile.training import recipe

    ready = made(study, trial, steps)
    line, learner, count = ready.line, ready.engine, ready.images
    rates = recipe.learning_rates(line.recipe, 0, steps)
    spent = []
    for epoch in range(2):
        begun = time.process_time()
        learner.epoch(recipe.order(0, epoch, count), rates)
        spent.append(time.process_time() - begun)
    per_core_second = count / spent[-1]
    return {
        "images_per_core_second": per_core_second,
        "training_core_seconds": images * line.recipe.epochs / per_core_second,
    }
