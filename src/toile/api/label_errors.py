"""Labels of a data set that are probably wrong, picture by picture."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from toile.api.runs import find_run
from toile.api.shipping import committee_of
from toile.api.studies import within
from toile.api.where import Where
from toile.committee.unseen import places, unseen
from toile.data.dataset import Dataset
from toile.data.parts.splits import split
from toile.evaluation.predictions import Predictions
from toile.runner.label_errors import Suspects, check_held_out, members, of_members, suspects
from toile.runner.plans import committees
from toile.store.store import Store


def label_errors(reference: str, **where: Unpack[Where]) -> Suspects:
    """The images whose labels are probably wrong, the surest first, by confident learning (Northcutt et al. 2021): `.errors`.

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
    return suspects(reference, *_held_out(reference, **where))


def _held_out(reference: str, **where: Unpack[Where]) -> tuple[Dataset, np.ndarray, Predictions]:
    """The data set, the places of the images held out in it, in order, and what is said of them."""
    if (committee := committee_of(reference, **where)) is not None:
        made, result = committee
        (group,) = [one for one in committees.groups(made) if one.name == result.name]
        return made.dataset, *of_members(made, group.members)
    if "/" in reference:
        made, name = within(reference, **where)
        return made.dataset, *of_members(made, members(made, name))
    run = find_run(reference, **where)
    trial = run.intent()
    dataset = Store.at(where.get("store")).dataset(trial.dataset.content)
    parts = split(dataset, trial.split, trial.fold)
    check_held_out(reference, [parts])
    said = run.probabilities("validation", len(parts.held_out))
    return dataset, np.sort(places(dataset, [parts])[0]), unseen(dataset, [parts], [said])
