"""Images with their labels, and with the names by which their owner finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toile.arrays import FileNames, ImageArray, ImageWeights, Index, Labels


@dataclass(frozen=True)
class Images:
    """Images with their labels.

    Args:
        images: uint8 `(n, height, width, channels)`, 0..255.
        labels: int64 `(n,)`, 0..classes - 1.
        names: `(n,)` strings, by which their owner finds the pictures: paths of files within the data set, with /; None where
            they have none.
        columns: what else a list of pictures says of each, `(n,)` strings by the name of the column.
        weights: float32 `(n,)`, above 0: what each counts in the loss of a training; None where all count 1.
    """

    images: ImageArray
    labels: Labels
    names: FileNames | None = None
    columns: Mapping[str, FileNames] | None = None
    weights: ImageWeights | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Index | slice) -> Images:
        columns = None if self.columns is None else {name: column[index] for name, column in self.columns.items()}
        names = None if self.names is None else self.names[index]
        weights = None if self.weights is None else self.weights[index]
        return Images(self.images[index], self.labels[index], names, columns, weights)


@dataclass(frozen=True)
class LeftOut:
    """A file that could not be read, and why, in one line."""

    name: str
    why: str


def as_names(names: Sequence[str]) -> FileNames:
    """Strings of any length as `(n,)`, for `Images`."""
    made = np.empty(len(names), object)
    made[:] = names
    return made
