"""Labels of a data set that are probably wrong, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from toile.api.runs import find_run
from toile.api.shipping import committee_of
from toile.api.studies import trial_named, within
from toile.api.where import Where
from toile.committee.rules import combine
from toile.committee.unseen import places, unseen
from toile.data.dataset import Dataset
from toile.data.splits import Parts, split
from toile.errors import Misuse, ToileError
from toile.evaluation.label_errors import label_errors as suspected
from toile.evaluation.predictions import Predictions
from toile.runner import committees
from toile.runner.groups import Member
from toile.runner.plan import Plan
from toile.store.store import Store


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


def label_errors(reference: str, **where: Unpack[Where]) -> list[LabelError]:
    """The images whose labels are probably wrong, the surest first, by confident learning (Northcutt et al. 2021).

    It looks at what models say of images that they were not trained on: the validation part, or of folds every image by the
    training that held it out. Of several trainings or members the mean is taken, and of a committee not its rule, which may
    have been fitted to the very labels in question.

    Args:
        reference: a fingerprint's first digits, STUDY/TRIAL, STUDY/LINE of several seeds or folds, STUDY/COMMITTEE, or a
            STUDY that has one committee.

    Raises:
        Misuse: nothing was held out, or members hold out different images.
        ToileError: what was asked for is not stored.
    """
    dataset, found, said = _held_out(reference, **where)
    result, names = suspected(said), dataset.class_names
    own = dataset.validation
    made = []
    for at in result.images:
        place, row = int(found[at]), said.probabilities[at]
        inside = own is None or place < len(dataset.train)
        images = dataset.train if inside or own is None else own
        place = place if inside else place - len(dataset.train)
        label, other = int(said.labels[at]), int(row.argmax())
        file = "" if images.names is None else str(images.names[place])
        part = "train" if inside else "validation"
        figures = float(row[label]), float(row[other]), float(result.margins[at])
        made.append(LabelError(part, place, file, names[label], names[other], *figures))
    return made


def _held_out(reference: str, **where: Unpack[Where]) -> tuple[Dataset, np.ndarray, Predictions]:
    """The data set, the places of the images held out in it, in order, and what is said of them."""
    if (committee := committee_of(reference, **where)) is not None:
        made, result = committee
        (group,) = [one for one in committees.groups(made) if one.name == result.name]
        return _of_members(made, group.members)
    if "/" in reference:
        made, name = within(reference, **where)
        return _of_members(made, _members(made, name))
    run = find_run(reference, **where)
    trial = run.intent()
    dataset = Store.at(where.get("store")).dataset(trial.dataset.content)
    parts = split(dataset, trial.split, trial.fold)
    _check(reference, [parts])
    said = run.probabilities("validation", len(parts.held_out))
    return dataset, np.sort(places(dataset, [parts])[0]), unseen(dataset, [parts], [said])


def _members(made: Plan, name: str) -> list[Member]:
    """A training by its name; or all of a line, the folds of each seed together."""
    by_seed: dict[int, list] = {}
    for one in made.trials:
        if one.line == name:
            by_seed.setdefault(one.trial.seed, []).append(one)
    if name in {one.name for one in made.trials} or not by_seed:
        one = trial_named(made, name)
        return [Member(one.name, (one,))]
    return [Member(f"{name} (seed {seed})", tuple(trainings)) for seed, trainings in by_seed.items()]


def _of_members(made: Plan, members: Sequence[Member]) -> tuple[Dataset, np.ndarray, Predictions]:
    found: list[np.ndarray] = []
    for member in members:
        if missing := [one.name for one in member.trainings if made.run_of(one) is None]:
            raise ToileError(f"{missing[0]} is not stored; `toile run {made.reference}` trains what is missing")
        _check(member.name, [made.parts(one) for one in member.trainings])
        found.append(np.sort(committees.unseen_places(made, member)[0]))
        if not np.array_equal(found[0], found[-1]):
            raise Misuse(f"{members[0].name!r} and {member.name!r} hold out different images; members have to be split alike")
    said = [committees.unseen_of(made, member) for member in members]
    return made.dataset, found[0], said[0] if len(said) == 1 else combine(said, "mean")


def _check(name: str, parts: Sequence[Parts]) -> None:
    if not all(len(one.held_out) for one in parts):
        raise Misuse(
            f"{name} has no images held out, and of its training images a model has learnt the labels; give split.validation, "
            "such as 0.2, or split.folds"
        )
