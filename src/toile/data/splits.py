"""How a data set falls into train, validation and test, or into k folds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.stratified import Rare, stratified

if TYPE_CHECKING:
    from toile.study.spec import SplitSpec


@dataclass(frozen=True)
class Parts:
    """The parts of a data set.

    Args:
        dataset: what was cut.
        indices: part -> int64 positions in the data set's training images, in the order of the part. `test` is in it
            only where the split drew it, and so is `validation`: the data set's own images are used whole and in their order.
        given: whether the data set's own validation images are the validation part.
    """

    dataset: Dataset
    indices: dict[str, np.ndarray]
    given: bool = False

    # Images are copied when they are asked for: who only counts them, or wants the labels of one part, copies none.

    @cached_property
    def train(self) -> Images:
        """What a model learns from."""
        return self._part("train")

    @cached_property
    def validation(self) -> Images | None:
        """What may pick (early stopping, selection, weights), or the fold held out; None for none."""
        if self.given:
            return self.dataset.validation
        return self._part("validation") if "validation" in self.indices else None

    @cached_property
    def test(self) -> Images | None:
        """What picks nothing; None only in cross-validation of a data set without test images."""
        return self._part("test") if "test" in self.indices else self.dataset.test

    def counts(self) -> dict[str, int]:
        """Part -> number of images, for the parts there are."""
        counts = {name: len(positions) for name, positions in self.indices.items()}
        if self.given:
            counts = {"train": counts.pop("train"), "validation": len(self.dataset.validation), **counts}
        if "test" not in counts and self.dataset.test is not None:
            counts["test"] = len(self.dataset.test)
        return counts

    def labels(self, name: str) -> np.ndarray:
        """The labels of a part that the split drew, `(n,)`."""
        return self.dataset.train.labels[self.indices[name]]

    def _part(self, name: str) -> Images:
        return self.dataset.train[_slice(self.indices[name])]


def resolved(spec: SplitSpec, dataset: Dataset) -> SplitSpec:
    """What a study says of its split, for a data set: one that brings validation images uses them, if nothing else is said."""
    if dataset.validation is None or spec.folds is not None or "validation" in spec.model_fields_set:
        return spec
    return spec.model_copy(update={"validation": "given"})


def split(dataset: Dataset, spec: SplitSpec, fold: int | None = None) -> Parts:
    """Cuts a data set as a study says.

    Without `spec.test`, `tail` is Keras's `validation_split` (the last images, unshuffled; `floor(n (1 - fraction))`
    are left to train on), `random` is scikit-learn's `train_test_split(test_size=validation, random_state=seed)` and
    `stratified` the same with `stratify=labels`. With it, `validation` too is a fraction of all images: `random` and
    `stratified` first hold out both with one `train_test_split`, then cut that with a second one of the same seed, whose
    first part is the test set; `tail` is train, validation, test in this order.

    With folds, what is not test is cut by scikit-learn's `KFold` (`StratifiedKFold` where `stratified`), seeded where
    `spec.shuffle` is set, never shuffled for `tail`; the held-out fold is the validation part.

    Validation images that the data set brings are taken whole where `spec.validation` is "given"; then only `test` is cut.

    `spec.fraction` then keeps a share of each class of the training part, in its order, and nothing else is cut by it.

    Args:
        dataset: what to cut.
        spec: how.
        fold: which fold is held out, 0..spec.folds - 1; None without folds.

    Raises:
        DataError: no test images and no `test`, or both, and the same of validation images; too few images, or images of a
            class, for the parts or folds asked for.
        ValueError: `fold` does not go with `spec.folds`.
    """
    if (fold is None) != (spec.folds is None) or (fold is not None and not 0 <= fold < spec.folds):
        raise ValueError(f"fold is {fold!r}, spec.folds is {spec.folds!r}; expected 0..folds - 1, or None for both")
    if dataset.test is not None and spec.test > 0:
        raise DataError(
            f"data set {dataset.name!r} brings {len(dataset.test):,} test images of its own; "
            f"leave out split.test (it is {spec.test:g})"
        )
    if dataset.test is None and spec.test == 0 and spec.folds is None:
        raise DataError(
            f"data set {dataset.name!r} has no test images; set split.test to the fraction to keep for testing, "
            f"such as test = 0.2, or give test_path"
        )
    given = _is_given(dataset, spec)
    labels = dataset.train.labels
    everything = np.arange(len(labels))
    drawn, validation = None, None
    try:
        if spec.folds is not None:
            kept = everything
            if spec.test > 0:
                kept, drawn = _cut(everything, labels, spec, spec.test)
            train, validation = _fold(kept, labels[kept], spec, fold, dataset)
        elif spec.test > 0 and given:
            train, drawn = _cut(everything, labels, spec, spec.test)
        elif spec.test > 0:
            train, validation, drawn = _three(everything, labels, spec)
        else:
            train, validation = _cut(everything, labels, spec, 0 if given else spec.validation)
    except Rare as error:
        raise DataError(error.told(dataset)) from None
    indices = {"train": train if spec.fraction == 1 else _share(train, labels[train], spec.fraction)}
    if spec.folds is not None or (not given and spec.validation > 0):
        indices["validation"] = validation
    if drawn is not None:
        indices["test"] = drawn
    for name, positions in indices.items():
        if len(positions) == 0:
            raise DataError(
                f"data set {dataset.name!r}: {_words(spec)} of {len(labels):,} images leave none for the {name} part"
            )
    return Parts(dataset, indices, given)


def absent(dataset: Dataset, spec: SplitSpec) -> str | None:
    """What is wrong with a split by which some part has no image of a class that there are images of; None where all have.

    A model that never saw a class, or is never asked about one, has figures that mean nothing. Of parts that the data set
    brings itself the audit tells.
    """
    present = np.unique(dataset.train.labels)
    if len(present) < 2:
        name = dataset.class_names[present[0]]
        return f"data set {dataset.name!r}: all training images are of one class, {name!r}; expected two at least"
    for fold in range(spec.folds) if spec.folds is not None else [None]:
        parts = split(dataset, spec, fold)
        for part in parts.indices:
            if len(none := np.setdiff1d(present, parts.labels(part))):
                return _absent(dataset, spec, part if fold is None else f"{part} (fold {fold + 1})", none)
    return None


def _absent(dataset: Dataset, spec: SplitSpec, part: str, none: np.ndarray) -> str:
    names = ", ".join(repr(dataset.class_names[label]) for label in none[:10]) + (" …" if len(none) > 10 else "")
    count = int(np.bincount(dataset.train.labels)[none].max())
    if spec.method == "tail":
        way = "`tail` takes the last images, and these seem to be sorted by class"
    elif spec.method == "random":
        way = f"of the commonest of them there are {count:,} images, and chance left it out"
    else:
        way = f"of the commonest of them there are {count:,} images: add some, leave the class out, or join it by `class_map`"
    hint = "" if spec.method == "stratified" else '; write method = "stratified" in the study\'s split'
    return f"data set {dataset.name!r}, {_words(spec)}: the {part} part has no image of {names}: {way}{hint}"


def _is_given(dataset: Dataset, spec: SplitSpec) -> bool:
    """Whether the data set's own validation images are used.

    Raises:
        DataError: it has some, and others are to be cut; or it has none.
    """
    if spec.folds is None and spec.validation == "given":
        if dataset.validation is None:
            raise DataError(
                f"data set {dataset.name!r} has no validation images; set split.validation to a fraction, such as 0.2"
            )
        return True
    if dataset.validation is not None and (spec.folds is not None or spec.validation > 0):
        what = f"{spec.folds} folds hold out others" if spec.folds else f"split.validation = {spec.validation:g} cuts others"
        raise DataError(
            f"data set {dataset.name!r} brings {len(dataset.validation):,} validation images of its own, and {what}; "
            'leave that out to use them, or join them with the training images: `pool = "validation"` in the study\'s data set'
        )
    return False


def _words(spec: SplitSpec) -> str:
    """A split as a study file says it."""
    said = [f'method = "{spec.method}"']
    said += [f"{spec.folds} folds"] if spec.folds else [f"validation = {spec.validation}"]
    said += [f"test = {spec.test:g}"] if spec.test else []
    return ", ".join(said)


def _cut(positions: np.ndarray, labels: np.ndarray, spec: SplitSpec, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """What is kept, and what is held out."""
    if fraction == 0:
        return positions, positions[:0]
    if spec.method == "tail":
        at = math.floor(len(positions) * (1.0 - fraction))
        return positions[:at], positions[at:]
    return _drawn(positions, labels, spec, fraction)


def _three(positions: np.ndarray, labels: np.ndarray, spec: SplitSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train, validation, test."""
    # 0.1 + 0.2 is a little more than 0.3, and scikit-learn rounds up: without this, one image too many.
    held = round(spec.validation + spec.test, 12)
    train, out = _cut(positions, labels, spec, held)
    if spec.validation == 0:
        return train, out[:0], out
    if spec.method == "tail":
        at = math.floor(len(positions) * (1.0 - spec.test))
        return train, positions[len(train) : at], positions[at:]
    count = math.ceil(round(len(out) * spec.validation / held, 6))
    try:
        test, validation = _drawn(out, labels[out], spec, count)
    except Rare as error:
        # Told of all images, of which the user knows, and not of those that were held out already.
        raise Rare(error.label, int(np.sum(labels == error.label)), held, 2) from None
    return train, validation, test


def _drawn(positions: np.ndarray, labels: np.ndarray, spec: SplitSpec, size: float | int) -> tuple[np.ndarray, np.ndarray]:
    if spec.method == "random":
        # What train_test_split comes to without classes; importing scikit-learn takes longer than all else that a plan does.
        held = size if isinstance(size, int) else math.ceil(size * len(positions))
        order = np.random.RandomState(spec.seed).permutation(len(positions))
        return positions[order[held:]], positions[order[:held]]
    return stratified(positions, labels, size, spec.seed)


def _fold(
    positions: np.ndarray, labels: np.ndarray, spec: SplitSpec, fold: int, dataset: Dataset
) -> tuple[np.ndarray, np.ndarray]:
    if spec.method == "stratified":
        present, counts = np.unique(labels, return_counts=True)
        if counts.min() < spec.folds:
            name = dataset.class_names[present[counts.argmin()]]
            raise DataError(
                f"data set {dataset.name!r}: {spec.folds} stratified folds, but class {name!r} has {counts.min()} images; "
                f"expected at least one a fold: at most {counts.min()} folds, or more images of it"
            )
    elif len(positions) < spec.folds:
        raise DataError(
            f"data set {dataset.name!r}: {spec.folds} folds, but {len(positions)} images; expected one a fold or more"
        )
    shuffle = spec.shuffle and spec.method != "tail"
    if spec.method != "stratified" and not shuffle:  # KFold's blocks, without importing scikit-learn
        held = np.array_split(np.arange(len(positions)), spec.folds)[fold]
        return np.delete(positions, held), positions[held]
    from sklearn.model_selection import KFold, StratifiedKFold

    folds = (StratifiedKFold if spec.method == "stratified" else KFold)(
        spec.folds, shuffle=shuffle, random_state=spec.seed if shuffle else None
    )
    train, held = list(folds.split(positions, labels))[fold]
    return positions[train], positions[held]


def _share(positions: np.ndarray, labels: np.ndarray, fraction: float) -> np.ndarray:
    """The first `fraction` of each class, at least one image, in the order of `positions`."""
    rank = np.zeros(len(positions), np.int64)
    sizes = np.zeros(len(positions))
    for label in np.unique(labels):
        where = np.flatnonzero(labels == label)
        rank[where], sizes[where] = np.arange(len(where)), len(where)
    return positions[rank < np.maximum(np.round(sizes * fraction), 1)]


def _slice(positions: np.ndarray) -> np.ndarray | slice:
    """A run of neighbours as a slice, so that `tail` copies nothing (memory-mapped images stay on disk)."""
    if len(positions) and positions[-1] - positions[0] == len(positions) - 1 and np.all(np.diff(positions) == 1):
        return slice(int(positions[0]), int(positions[-1]) + 1)
    return positions
