"""What a student learns from: what its teacher, a committee of stored runs, says of the images that it trains on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from toile.arrays import ImageArray, Positions, Probabilities
from toile.committee.assemble import Settled, settle
from toile.committee.rules import combine
from toile.committee.unseen import places, unseen
from toile.data.dataset import Dataset
from toile.data.parts.splits import Parts, split
from toile.errors import ToileError
from toile.evaluation.predictions import Predictions
from toile.evaluation.scores import logarithms, softmax
from toile.store.run import Run
from toile.store.store import Store
from toile.study.committee import FITTED_RULES
from toile.study.trial import Trial, TrialTeacher
from toile.training.engines import Taught

# A stored model as a function from uint8 images to probabilities; see `toile.inference.infer.load`.
Load = Callable[[Path], Callable[[ImageArray], Probabilities]]


def asked_of_none(path: Path) -> Callable[[ImageArray], Probabilities]:
    """Where no stored model can be asked."""
    raise ToileError(f"{path} is of the committee that the trial learns from, and nothing was given to ask it with")


def taught(trial: Trial, store: Store, load: Load) -> Taught | None:
    """What a trial learns from beside its labels; None where it has no teacher.

    Members that are the folds of a line say of each image what the training says that held it out. Others were trained on the
    images themselves, and are asked for them.

    Raises:
        ToileError: a member is not in the store, or was not trained on the same images.
    """
    if (teacher := trial.teacher) is None:
        return None
    data = store.dataset(trial.dataset.content)
    members = [[_run(store, fingerprint) for fingerprint in one] for one in teacher.members]
    said = probabilities(teacher, data, split(data, trial.split, trial.fold), members, load)
    soft = softmax(logarithms(said) / teacher.temperature)[0].astype(np.float32)
    return Taught(soft, teacher.temperature, teacher.hard_labels)


def probabilities(
    teacher: TrialTeacher, data: Dataset, parts: Parts, members: Sequence[Sequence[Run]], load: Load
) -> Probabilities:
    """`(images, classes)` float32: what the committee says of the training part, as its rule and calibration have it."""
    fitted = teacher.rule in FITTED_RULES or teacher.weights == "fit" or teacher.calibration is not None
    folded = len(members[0]) > 1
    held_out = [_unseen(data, runs) for runs in members] if fitted or folded else []
    if fitted:
        settled = settle(teacher.rule, teacher.weights, teacher.calibration, held_out)
    else:
        weights = None if isinstance(teacher.weights, str) else teacher.weights
        settled = Settled(tuple(range(len(members))), weights)
    joined = [members[i] for i in settled.members]
    if folded:
        rows = [_rows(data, runs, parts) for runs in joined]
        said = [
            Predictions("out-of-fold", held_out[i].probabilities[of_train], parts.train.labels)
            for i, of_train in zip(settled.members, rows, strict=True)
        ]
    else:
        said = [Predictions("train", load(run.model)(parts.train.images), parts.train.labels) for (run,) in joined]
    together = combine(said, teacher.rule, settled.weights).probabilities
    return together if settled.calibration is None else settled.calibration(together)


def _unseen(data: Dataset, runs: Sequence[Run]) -> Predictions:
    parts = [split(data, one.split, one.fold) for one in (run.intent() for run in runs)]
    said = [run.probabilities("validation", len(one.held_out)) for run, one in zip(runs, parts, strict=True)]
    return unseen(data, parts, said)


def _rows(data: Dataset, runs: Sequence[Run], parts: Parts) -> Positions:
    """Which rows of what a member says out of fold are of the images of a training part."""
    trials = [run.intent() for run in runs]
    known = np.sort(places(data, [split(data, one.split, one.fold) for one in trials])[0])
    wanted = parts.indices["train"]
    rows = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    if not np.array_equal(known[rows], wanted):
        raise ToileError("the folds of the committee that the trial learns from have not held out all of its training images")
    return rows


def _run(store: Store, fingerprint: str) -> Run:
    if (run := store.get(fingerprint)) is None:
        raise ToileError(
            f"the run {fingerprint[:12]}, a member of the committee that the trial learns from, is not in the store"
        )
    return run
