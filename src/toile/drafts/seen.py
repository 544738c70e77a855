"""What a first look at somebody's pictures shows, and how they are to be read so that all can be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toile.data import formats
from toile.data.audits.audit import audit
from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.reading.load import load
from toile.errors import Misuse
from toile.pictures.files import pictures
from toile.pictures.many import sizes
from toile.study.data.dataset import MAX_PIXELS, READING, DatasetSpec

Size = tuple[int, int]

_LARGE = 64  # pixels of the longer side, up to which pictures of one size are taken as they are
_FEW = 1000  # pictures, up to which larger ones cost little
_LARGE_OF_FEW = 96


@dataclass(frozen=True)
class Seen:
    """What is seen of a data set.

    Args:
        spec: how it is read, as a study says it; its path as it was given.
        dataset: what that came to.
        sizes: how many pictures there are of each (height, width), before any is resized; empty where it has none.
        audit: what `toile.data.audits.audit.audit` finds in it.
    """

    spec: DatasetSpec
    dataset: Dataset
    sizes: Counter[Size]
    audit: dict[str, Any]

    @property
    def images(self) -> int:
        """In all parts."""
        return sum(len(part) for part in self.dataset.parts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Class -> images in all parts."""
        labels = np.concatenate([part.labels for part in self.dataset.parts.values()])
        return dict(zip(self.dataset.class_names, np.bincount(labels, minlength=self.dataset.classes).tolist(), strict=True))


def see(path: Path, *, size: int | Size | None = None, nested: bool = False) -> Seen:
    """Look at pictures: a folder of them, or a file that toile reads.

    Those that cannot be read are left out, and named in the data set's `left_out`.

    Args:
        size: to which pictures of a folder are brought; chosen where left out.
        nested: whether a class may have folders in its folder.

    Raises:
        Misuse: the format cannot be guessed, or no picture can have that size.
        DataError: it cannot be read.
    """
    height, width = (1, 1) if size is None else (size, size) if isinstance(size, int) else size
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        raise Misuse(f"--size is at least 1, and of at most {MAX_PIXELS:,} pixels in all, got {height} x {width}")
    name = formats.guess(path) if path.exists() else None
    listed = getattr(formats.load(name), "pictures", None) if name is not None else None
    found = sizes(listed(path) if listed is not None else pictures(path) if path.is_dir() else [])
    said: dict[str, Any] = {"size": size or _fitting(found), "nested": nested, "on_error": "skip"}
    known = formats.options(name) if name is not None else set(READING)
    said = {key: value for key, value in said.items() if value and (key in known or key != "on_error")}
    spec = DatasetSpec(path=str(path), **said)
    try:
        dataset = load(spec)
    except DataError as error:
        if "`nested = true`" not in str(error):
            raise
        raise DataError(f"{error}; for `toile new`: --nested") from None
    if not dataset.left_out:
        spec = spec.model_copy(update={"on_error": "stop"})
    return Seen(spec, dataset, found, audit(dataset))


def _fitting(found: Counter[Size]) -> int | None:
    """A side for pictures of these sizes; None for small ones of one size, which are taken as they are."""
    if not found or (len(found) == 1 and max(map(max, found)) <= _LARGE):
        return None
    largest = _LARGE_OF_FEW if found.total() <= _FEW else _LARGE
    return min(largest, max(map(max, found)))
