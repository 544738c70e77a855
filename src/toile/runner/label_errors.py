"""Labels of a data set that are probably wrong, by what stored trainings say of images that they did not learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from toile.arrays import Positions
from toile.committee.rules import combine
from toile.data.dataset import Dataset
from toile.data.parts.splits import Parts
from toile.errors import Misuse, ToileError
from toile.evaluation.label_errors import label_errors
from toile.evaluation.predictions import Predictions
from toile.runner.plans import committees
from toile.runner.plans.groups import Member
from toile.runner.plans.names import trial_named
from toile.runner.plans.planned import Plan, PlannedTrial


@dataclass(frozen=True)
class LabelError:
    """An image whose label is probably wrong.

    Args:
        part: of the data set that it is in: `train` (of which splits and folds are cut) or `validation`.
        image: its place there, from 0.
        file: its name; empty where images have none.
        label, suggested: the class that it is labelled with, and the most probable one.
        of_label, probability: of these two.
        margin: their difference, -1..0; the smaller, the surer.
    """

    part: str
    image: int
    file: str
    label: str
    suggested: str
    of_label: float
    probability: float
    margin: float


@dataclass(frozen=True)
class Suspects:
    """Those of a study: `errors`, the surest first, among so many `images` that were held out.

    They are suspected by the trainings called `by`, which are right on the share `accuracy` of these images.
    """

    by: str
    images: int
    accuracy: float
    errors: tuple[LabelError, ...]


def of_study(made: Plan) -> Suspects | None:
    """By the line with the best mean accuracy on its validation images, of those whose trainings are all stored.

    None where no line has held any image out.
    """
    lines: dict[str, list[PlannedTrial]] = {}
    for one in made.trials:
        lines.setdefault(one.line, []).append(one)
    worth = {name: found for name, trainings in lines.items() if (found := _validated(made, trainings)) is not None}
    if not worth:
        return None
    best = max(worth, key=lambda name: worth[name])
    try:
        places, said = of_members(made, members(made, best))
    except Misuse:  # its seeds hold out different images
        best = max(lines[best], key=lambda one: made.stored_run(one).metrics["validation"]["accuracy"]).name
        places, said = of_members(made, members(made, best))
    return suspects(best, made.dataset, places, said)


def _validated(made: Plan, trainings: Sequence[PlannedTrial]) -> float | None:
    """The mean accuracy on their validation images."""
    runs = [made.run_of(one) for one in trainings]
    found = [run.metrics.get("validation", {}).get("accuracy") for run in runs if run is not None]
    known: list[float] = [one for one in found if one is not None]
    return fmean(known) if len(known) == len(trainings) else None


def suspects(by: str, dataset: Dataset, places: Positions, said: Predictions) -> Suspects:
    """Those that confident learning finds.

    Args:
        by: what says so.
        places: where the images of `said` are in the data set, as `toile.data.parts.splits.Parts.held_out` has it, in their
            order.
    """
    result, names, own = label_errors(said), dataset.class_names, dataset.validation
    made = []
    for at in result.images:
        place, row = int(places[at]), said.probabilities[at]
        inside = own is None or place < len(dataset.train)
        images = dataset.train if inside or own is None else own
        place = place if inside else place - len(dataset.train)
        label, other = int(said.labels[at]), int(row.argmax())
        file = "" if images.names is None else str(images.names[place])
        part = "train" if inside else "validation"
        figures = float(row[label]), float(row[other]), float(result.margins[at])
        made.append(LabelError(part, place, file, names[label], names[other], *figures))
    return Suspects(by, len(places), float((said.predicted == said.labels).mean()), tuple(made))


def members(made: Plan, name: str) -> list[Member]:
    """A training by its name; or all of a line, the folds of each seed together.

    Raises:
        Misuse: there is none of that name.
    """
    by_seed: dict[int, list] = {}
    for one in made.trials:
        if one.line == name:
            by_seed.setdefault(one.trial.seed, []).append(one)
    if name in {one.name for one in made.trials} or not by_seed:
        one = trial_named(made, name)
        return [Member(one.name, (one,))]
    return [Member(f"{name} (seed {seed})", tuple(trainings)) for seed, trainings in by_seed.items()]


def of_members(made: Plan, members: Sequence[Member]) -> tuple[Positions, Predictions]:
    """The places of the images held out, in order, and what is said of them: of several members the mean.

    Raises:
        Misuse: nothing was held out, or other images by another member.
        ToileError: a training is not stored.
    """
    found: list[np.ndarray] = []
    for member in members:
        if missing := [one.name for one in member.trainings if made.run_of(one) is None]:
            raise ToileError(f"{missing[0]} is not stored; `toile run {made.called}` trains what is missing")
        check_held_out(member.name, [made.parts(one) for one in member.trainings])
        found.append(np.sort(committees.unseen_places(made, member)[0]))
        if not np.array_equal(found[0], found[-1]):
            raise Misuse(f"{members[0].name!r} and {member.name!r} hold out different images; members have to be split alike")
    said = [committees.unseen_of(made, member) for member in members]
    return found[0], said[0] if len(said) == 1 else combine(said, "mean")


def check_held_out(name: str, parts: Sequence[Parts]) -> None:
    """Refuse trainings that have held nothing out.

    Raises:
        Misuse: they have not.
    """
    if not all(len(one.held_out) for one in parts):
        raise Misuse(
            f"{name} has no images held out, and of its training images a model has learnt the labels; give split.validation, "
            "such as 0.2, or split.folds"
        )
