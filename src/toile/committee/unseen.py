"""What a member says of images that it was not trained on, in the order of the data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toile.arrays import PositionLabels, Positions, Probabilities
from toile.data.dataset import Dataset
from toile.data.parts.splits import Parts
from toile.evaluation.predictions import Predictions


def places(data: Dataset, parts: Sequence[Parts]) -> tuple[Positions, PositionLabels]:
    """Where the images held out are in the data set, as `toile.data.parts.splits.Parts.held_out` has it, in the order of the
    trainings; and their labels in the order of the data set.

    Args:
        parts: of a training; or of the trainings of all folds of a line.
    """
    found = np.concatenate([one.held_out for one in parts])
    own = data.validation
    labels = data.train.labels if own is None else np.concatenate([data.train.labels, own.labels])
    return found, labels[np.sort(found)]


def unseen(data: Dataset, parts: Sequence[Parts], said: Sequence[Probabilities]) -> Predictions:
    """The validation part; of folds, every image by the training that held it out.

    Args:
        said: probabilities on each one's validation part.
    """
    found, labels = places(data, parts)
    return Predictions("validation" if len(parts) == 1 else "out-of-fold", np.concatenate(said)[found.argsort()], labels)
