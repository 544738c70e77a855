"""What a run or a committee says of the test images: the cells of its confusion matrix, its mistakes, and the pictures."""

from __future__ import annotations

import io
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from toile.arrays import Probabilities
from toile.data.dataset import Dataset, Images
from toile.data.parts.splits import split
from toile.errors import Misuse, ToileError
from toile.evaluation.predictions import Predictions
from toile.store.run import Run
from toile.store.store import Store
from toile.study.trial import Trial

T = TypeVar("T")

MOST = 60  # pictures of one answer
KEPT = 16  # sets of labels, and of probabilities, that stay in memory


@dataclass(frozen=True)
class Subject:
    """Something with probabilities on test images: `name`, the images `test`, the classes' names, what it says, and the content
    of the data set that the images are of."""

    name: str
    test: Images
    classes: tuple[str, ...]
    probabilities: Probabilities
    content: str

    def pair(self, other: Subject) -> tuple[Predictions, Predictions]:
        """What both say, if it is of the same images of a data set. Other data sets may have the same images in another form.

        Raises:
            Misuse: their splits drew different ones; of pictures by class the labels are alike all the same.
        """
        if self.content == other.content and not np.array_equal(self.test.images, other.test.images):
            raise Misuse(f"{self.name!r} and {other.name!r} are of different images: their splits draw different ones")
        return self.predictions, other.predictions

    @property
    def predictions(self) -> Predictions:
        return Predictions("test", self.probabilities, self.test.labels)

    def matrix(self) -> list[list[int]]:
        """Images by true class (row) and chosen class (column)."""
        size = len(self.classes)
        pairs = self.test.labels * size + self.probabilities.argmax(axis=1)
        return np.bincount(pairs, minlength=size * size).reshape(size, size).tolist()

    def cell(self, true: int, chosen: int) -> dict[str, Any]:
        """The images of one cell, those it is surest of first.

        Raises:
            Misuse: there is no such class.
        """
        size = len(self.classes)
        if not (0 <= true < size and 0 <= chosen < size):
            raise Misuse(f"a class is a number from 0 to {size - 1}, got {true} and {chosen}")
        choices = self.probabilities.argmax(axis=1)
        return self._told(np.flatnonzero((self.test.labels == true) & (choices == chosen)))

    def mistakes(self) -> dict[str, Any]:
        """The images that it gets wrong, those it is surest of first."""
        return self._told(np.flatnonzero(self.probabilities.argmax(axis=1) != self.test.labels))

    def _told(self, places: np.ndarray) -> dict[str, Any]:
        """`images` (how many there are) and `shown`, each with `index`, `truth`, `choice`, `probability` and `of_truth`."""
        sure = self.probabilities.max(axis=1)[places]
        shown = places[np.argsort(-sure, kind="stable")[:MOST]]
        return {"images": len(places), "shown": [self._one(int(index)) for index in shown]}

    def _one(self, index: int) -> dict[str, Any]:
        row, truth = self.probabilities[index], int(self.test.labels[index])
        choice = int(row.argmax())
        return {
            "index": index,
            "truth": self.classes[truth],
            "choice": self.classes[choice],
            "probability": float(row[choice]),
            "of_truth": float(row[truth]),
        }


class Subjects:
    """The subjects of a store. Images and probabilities are read when they are asked for, and the latest stay in memory."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._tests: OrderedDict[str, tuple[Images, Dataset]] = OrderedDict()
        self._said: OrderedDict[str, Probabilities] = OrderedDict()

    def of_run(self, run: Run, name: str) -> Subject:
        """What a run says.

        Raises:
            ToileError: it has no test images, or the store has not its data set.
            Damaged: it is not what was written.
        """
        test, dataset = self.test(run.intent())
        said = _remembered(self._said, run.fingerprint, lambda: run.probabilities("test", len(test)))
        return Subject(name, test, dataset.class_names, said, run.intent().dataset.content)

    def test(self, trial: Trial) -> tuple[Images, Dataset]:
        """The test images of a trial, with its data set under the names that it was asked for by.

        Raises:
            ToileError: there are none, or the store has not the data set.
        """

        def cut() -> tuple[Images, Dataset]:
            dataset = self.store.dataset(trial.dataset.content)
            part = dataset.test or split(dataset, trial.split, trial.fold).test
            if part is None:
                raise ToileError("it has no test images: it is a fold of a data set that brings none")
            return part, dataset

        fold = None if trial.split.folds is None else trial.fold
        key = json.dumps([trial.dataset.content, trial.split.model_dump(mode="json"), fold], sort_keys=True)
        return _remembered(self._tests, key, cut)


def _remembered(kept: OrderedDict[str, T], key: str, make: Callable[[], T]) -> T:
    if key not in kept:
        kept[key] = make()
        while len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def png(pixels: np.ndarray) -> bytes:
    """A PNG of an image, uint8 `(height, width, channels)`; of other channels than 1, 3 or 4, the first."""
    from PIL import Image

    if pixels.shape[-1] not in (1, 3, 4):
        pixels = pixels[..., :1]
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(content, "PNG")
    return content.getvalue()
