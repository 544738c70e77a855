"""How a data set falls into train, validation and test, or into k folds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from warnings import catch_warnings

import numpy as np

from toile.arrays import PositionLabels, Positions
from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.parts.groups import found as groups_of
from toile.data.parts.groups import shared_out
from toile.data.parts.stratified import Rare, stratified

if TYPE_CHECKING:
    from toile.study.data.split import SplitSpec


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
    indices: dict[str, Positions]
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

    @property
    def held_out(self) -> Positions:
        """Where the validation part is among the data set's training images with its own validation images behind them."""
        if self.given and self.dataset.validation is not None:
            return len(self.dataset.train) + np.arange(len(self.dataset.validation))
        return self.indices.get("validation", np.zeros(0, np.int64))

    def counts(self) -> dict[str, int]:
        """Part -> number of images, for the parts there are."""
        counts = {name: len(positions) for name, positions in self.indices.items()}
        if self.given and self.dataset.validation is not None:
            counts = {"train": counts.pop("train"), "validation": len(self.dataset.validation), **counts}
        if "test" not in counts and self.dataset.test is not None:
            counts["test"] = len(self.dataset.test)
        return counts

    def labels(self, name: str) -> PositionLabels:
        """The labels of a part that the split drew."""
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

    With `spec.groups` all images of a group go to one part: see `toile.data.parts.groups.shared_out`, and for folds
    scikit-learn's `StratifiedGroupKFold` and `GroupKFold`.

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
    folds = spec.folds
    if (fold is None) != (folds is None) or not (fold is None or folds is None or 0 <= fold < folds):
        raise ValueError(f"fold is {fold!r}, spec.folds is {folds!r}; expected 0..folds - 1, or None for both")
    if dataset.test is not None and spec.test > 0:
        raise DataError(
            f"data set {dataset.name!r} brings {len(dataset.test):,} test images of its own; "
            f"leave out split.test (it is {spec.test:g})"
        )
    if dataset.test is None and spec.test == 0 and spec.folds is None:
        raise DataError(
            f"data set {dataset.name!r} has no test images; set split.test to the fraction to keep for testing, "
            "such as `split = { test = 0.2 }`, or give test_path"
        )
    given = _is_given(dataset, spec)
    share = 0.0 if spec.validation == "given" else spec.validation
    labels = dataset.train.labels
    everything = np.arange(len(labels))
    drawn = None
    try:
        if spec.groups is not None:
            train, validation, drawn = _whole(dataset, spec, share, fold)
        elif fold is not None and folds is not None:
            kept = everything
            if spec.test > 0:
                kept, drawn = _cut(everything, labels, spec, spec.test)
            train, validation = _fold(kept, labels[kept], spec, fold, folds, dataset)
        elif spec.test > 0:
            train, validation, drawn = _three(everything, labels, spec, share)
        else:
            train, validation = _cut(everything, labels, spec, share)
    except Rare as error:
        raise DataError(error.told(dataset)) from None
    indices = {"train": train if spec.fraction == 1 else _share(train, labels[train], spec.fraction)}
    if folds is not None or share > 0:
        indices["validation"] = validation
    if drawn is not None:
        indices["test"] = drawn
    for name, positions in indices.items():
        if len(positions) == 0:
            said = f"{words(spec)} of {len(labels):,} images leave none for the {name} part"
            raise DataError(f"data set {dataset.name!r}: {said}")
    return Parts(dataset, indices, given)


def _whole(dataset: Dataset, spec: SplitSpec, share: float, fold: int | None) -> tuple[Positions, Positions, Positions | None]:
    """Train, validation, test (None where none is drawn) of whole groups."""
    labels, groups = dataset.train.labels, groups_of(dataset, spec.groups or "")
    count, kept, drawn = len(np.unique(groups)), np.arange(len(labels)), None
    held = [spec.test] * (spec.test > 0) + ([share] if fold is None and share > 0 else [])
    try:
        if held:
            kept, *others = shared_out(labels, groups, [1 - sum(held), *held], spec.seed, spec.method == "stratified")
            drawn = others[0] if spec.test > 0 else None
            if fold is None and share > 0:
                return kept, others[-1], drawn
        if fold is None or spec.folds is None:
            return kept, kept[:0], drawn
        if len(np.unique(groups[kept])) < spec.folds:
            raise ValueError(f"{len(np.unique(groups[kept]))} groups for {spec.folds} folds")
    except ValueError as error:
        raise DataError(f"data set {dataset.name!r}: {error}; expected one group a part at least, and it has {count}") from None
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    kind = StratifiedGroupKFold if spec.method == "stratified" else GroupKFold
    cut = kind(spec.folds, shuffle=spec.shuffle, random_state=spec.seed if spec.shuffle else None)
    with catch_warnings(action="ignore"):  # of a class in fewer groups than folds, which is told as a class that is absent
        train, out = list(cut.split(kept, labels[kept], groups[kept]))[fold]
    return kept[train], kept[out], drawn


def _is_given(dataset: Dataset, spec: SplitSpec) -> bool:
    """Whether the data set's own validation images are used.

    Raises:
        DataError: it has some, and others are to be cut; or it has none.
    """
    own = dataset.validation
    if spec.folds is None and spec.validation == "given":
        if own is None:
            way = "set split.validation to a fraction, such as 0.2"
            raise DataError(f"data set {dataset.name!r} has no validation images; {way}")
        return True
    if own is not None and (spec.folds is not None or spec.validation != 0):
        what = f"{spec.folds} folds hold out others" if spec.folds else f"split.validation = {spec.validation} cuts others"
        raise DataError(
            f"data set {dataset.name!r} brings {len(own):,} validation images of its own, and {what}; leave that out "
            'to use them, or join them with the training images: `pool = "validation"` in the study\'s data set'
        )
    return False


def words(spec: SplitSpec) -> str:
    """A split as a study file says it."""
    said = [f'method = "{spec.method}"']
    said += [f"{spec.folds} folds"] if spec.folds else [f"validation = {spec.validation}"]
    said += [f"test = {spec.test:g}"] if spec.test else []
    return ", ".join(said)


def _cut(positions: Positions, labels: PositionLabels, spec: SplitSpec, fraction: float) -> tuple[Positions, Positions]:
    """What is kept, and what is held out."""
    if fraction == 0:
        return positions, positions[:0]
    if spec.method == "tail":
        at = math.floor(len(positions) * (1.0 - fraction))
        return positions[:at], positions[at:]
    return _drawn(positions, labels, spec, fraction)


def _three(
    positions: Positions, labels: PositionLabels, spec: SplitSpec, share: float
) -> tuple[Positions, Positions, Positions]:
    """Train, validation (a `share` of all), test."""
    # 0.1 + 0.2 is a little more than 0.3, and scikit-learn rounds up: without this, one image too many.
    held = round(share + spec.test, 12)
    train, out = _cut(positions, labels, spec, held)
    if share == 0:
        return train, out[:0], out
    if spec.method == "tail":
        at = math.floor(len(positions) * (1.0 - spec.test))
        return train, positions[len(train) : at], positions[at:]
    count = math.ceil(round(len(out) * share / held, 6))
    try:
        test, validation = _drawn(out, labels[out], spec, count)
    except Rare as error:
        # Told of all images, of which the user knows, and not of those that were held out already.
        of_class = len(labels) if error.label is None else int(np.sum(labels == error.label))
        raise Rare(error.label, of_class, held, 2) from None
    return train, validation, test


def _drawn(positions: Positions, labels: PositionLabels, spec: SplitSpec, size: float | int) -> tuple[Positions, Positions]:
    if spec.method == "random":
        # What train_test_split comes to without classes; importing scikit-learn takes longer than all else that a plan does.
        held = size if isinstance(size, int) else math.ceil(size * len(positions))
        order = np.random.RandomState(spec.seed).permutation(len(positions))
        return positions[order[held:]], positions[order[:held]]
    return stratified(positions, labels, size, spec.seed)


def _fold(
    positions: Positions, labels: PositionLabels, spec: SplitSpec, fold: int, folds: int, dataset: Dataset
) -> tuple[Positions, Positions]:
    said = f"data set {dataset.name!r}: {folds}"
    if spec.method == "stratified":
        present, counts = np.unique(labels, return_counts=True)
        if (least := counts.min()) < folds:
            rare = dataset.class_names[present[counts.argmin()]]
            way = f"expected at least one a fold: at most {least} folds, or more images of it"
            raise DataError(f"{said} stratified folds, but class {rare!r} has {least} images; {way}")
    elif len(positions) < folds:
        raise DataError(f"{said} folds, but {len(positions)} images; expected one a fold or more")
    shuffle = spec.shuffle and spec.method != "tail"
    if spec.method != "stratified" and not shuffle:  # KFold's blocks, without importing scikit-learn
        held = np.array_split(np.arange(len(positions)), folds)[fold]
        return np.delete(positions, held), positions[held]
    from sklearn.model_selection import KFold, StratifiedKFold

    cut = (StratifiedKFold if spec.method == "stratified" else KFold)(
        folds, shuffle=shuffle, random_state=spec.seed if shuffle else None
    )
    train, held = list(cut.split(positions, labels))[fold]
    return positions[train], positions[held]


def _share(positions: Positions, labels: PositionLabels, fraction: float) -> Positions:
    """The first `fraction` of each class, at least one image, in the order of `positions`."""
    rank = np.zeros(len(positions), np.int64)
    sizes = np.zeros(len(positions))
    for label in np.unique(labels):
        where = np.flatnonzero(labels == label)
        rank[where], sizes[where] = np.arange(len(where)), len(where)
    return positions[rank < np.maximum(np.round(sizes * fraction), 1)]


def _slice(positions: Positions) -> Positions | slice:
    """A run of neighbours as a slice, so that `tail` copies nothing (memory-mapped images stay on disk)."""
    if len(positions) and positions[-1] - positions[0] == len(positions) - 1 and np.all(np.diff(positions) == 1):
        return slice(int(positions[0]), int(positions[-1]) + 1)
    return positions
