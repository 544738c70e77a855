"""What a stored run or committee gets wrong, picture by picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import numpy as np

from toile.api.runs import find_run
from toile.api.shipping import calibrated_of, committee_of
from toile.api.where import Where
from toile.data.parts.splits import split
from toile.errors import Misuse
from toile.store.store import Store


@dataclass(frozen=True)
class Mistake:
    """A test image that is taken for another class.

    Args:
        image: its place among the test images, from 0.
        file: its name in the data set; empty where images have none.
        truth, said: the class that it is labelled with, and the one that it is taken for.
        probability: of the class that it is taken for.
        of_truth: of the class that it is labelled with.
    """

    image: int
    file: str
    truth: str
    said: str
    probability: float
    of_truth: float


def mistakes(reference: str, **where: Unpack[Where]) -> list[Mistake]:
    """The test images that a run or a committee gets wrong, the surest mistake first; after its calibration, as `predict`.

    Args:
        reference: a fingerprint's first digits, STUDY/TRIAL, STUDY/COMMITTEE, or a STUDY that has one committee.

    Raises:
        Misuse: there are no test images.
        ToileError: what was asked for is not stored.
    """
    if (found := committee_of(reference, **where)) is not None:
        made, result = found
        dataset, probabilities = made.dataset, result.probabilities
        test = result.elsewhere or made.parts(made.trials[0]).test
    else:
        run = find_run(reference, **where)
        trial = run.intent()
        dataset = Store.at(where.get("store")).dataset(trial.dataset.content)
        test = split(dataset, trial.split, trial.fold).test
        if test is None:
            raise Misuse(f"{reference} has no test images: it is a fold of a data set that brings none")
        after = calibrated_of(reference, **where)
        probabilities = run.probabilities("test", len(test)) if after is None else after.probabilities
    assert test is not None  # committees are judged on some
    said = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(said != test.labels)
    surest = wrong[np.argsort(-probabilities[wrong, said[wrong]], kind="stable")]
    names = dataset.class_names
    return [
        Mistake(
            int(at),
            "" if test.names is None else str(test.names[at]),
            names[test.labels[at]],
            names[said[at]],
            float(probabilities[at, said[at]]),
            float(probabilities[at, test.labels[at]]),
        )
        for at in surest
    ]
