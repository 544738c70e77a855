"""Stratified parts are scikit-learn's to the last position, and a class that some part lacks is told before anything trains."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.parts.absent import absent
from toile.data.parts.splits import split
from toile.data.parts.stratified import Rare, stratified
from toile.study.data.split import SplitSpec


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    size=st.floats(0.01, 0.95) | st.integers(1, 100),
    seed=st.integers(0, 2**32 - 1),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=300, deadline=None)
def test_it_is_train_test_split(counts, size, seed, order):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    order.shuffle(labels)
    labels, positions = np.array(labels, np.int64), np.arange(len(labels)) * 3 + 1
    if isinstance(size, int) and size >= len(labels):
        return
    try:
        kept, held = train_test_split(positions, test_size=size, random_state=seed, stratify=labels)
    except ValueError:
        if math.ceil(size if isinstance(size, int) else size * len(labels)) < len(labels):
            with pytest.raises(Rare):
                stratified(positions, labels, size, seed)
        return
    found = stratified(positions, labels, size, seed)
    assert (found[0].tolist(), found[1].tolist()) == (kept.tolist(), held.tolist())


def dataset(*counts: int, test: bool = False) -> Dataset:
    """In the order of the classes, as a folder's images are."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = Images(np.zeros((len(labels), 1, 1, 1), np.uint8), labels)
    return Dataset("made", images, images if test else None, tuple("abcdefghijkl"[: len(counts)]))


@pytest.mark.parametrize(
    ("counts", "spec", "says"),
    [
        # The last class is held back whole.
        ((40, 40, 40), {"method": "tail"}, r"the validation part has no image of 'a', 'b': `tail` takes the last .* sorted by"),
        ((40, 40, 40), {"method": "tail", "validation": 0.4}, r"the train part has no image of 'c'.* write method = \"strat"),
        ((40, 40), {"method": "tail", "folds": 2}, r"the train \(fold 1\) part has no image of 'a'"),
        ((60, 1), {"method": "random"}, r"part has no image of 'b': there is 1 image of the commonest of these, and chance"),
        (
            (300, 2),
            {"validation": 0.1},
            r"validation part has no image of 'b': there are 2 images of the commonest .* add some",
        ),
        ((40,), {}, r"all training images are of one class, 'a'; expected two at least"),
    ],
)
def test_a_class_that_a_part_lacks(counts, spec, says):
    made, spec = dataset(*counts, test=True), SplitSpec.model_validate(spec)
    assert len(split(made, spec, None if spec.folds is None else 0).train)  # what is stored already can still be shown
    found = absent(made, spec)
    assert found is not None
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(found)


@pytest.mark.parametrize(
    ("counts", "spec"),
    [((40, 40, 40), {}), ((9, 30), {"validation": 0.2, "test": 0.2}), ((6, 6), {"folds": 3}), ((5, 5), {"validation": 0})],
)
def test_classes_that_all_parts_have(counts, spec):
    spec = SplitSpec.model_validate(spec)
    assert absent(dataset(*counts, test=not spec.test), spec) is None


@pytest.mark.parametrize(
    ("counts", "spec", "says"),
    [
        (
            (30, 1),
            {"test": 0.2},
            r"class 'b' has 1 image, and with 0\.\d+ held out not every part gets one; expected 2 at least",
        ),
        (
            (64, 6),
            {"validation": 0.1, "test": 0.1},
            r"class 'b' has 6 images, and with 0\.2 held out .* a share of 0\.25 or more",
        ),
        (
            (4, 4, 4, 4),
            {"test": 0.1, "validation": 0},
            r"0\.125 of 16 images are fewer than its 4 classes, .* expected 0\.25 or",
        ),
        (
            (4, 4, 4, 4),
            {"test": 0.9, "validation": 0},
            r"0\.0625 of 16 images are fewer than its 4 classes, .* expected 0\.25 or",
        ),
        (
            (2, 2, 2),
            {"test": 0.9, "validation": 0},
            r"0 of 6 images are fewer than its 3 classes",
        ),
        (
            (20, 4),
            {"folds": 5},
            r"5 stratified folds, but class 'b' has 4 images; expected at least one a fold: at most 4 folds",
        ),
    ],
)
def test_too_few_images_are_told_in_words(counts, spec, says):
    with pytest.raises(DataError, match=says):
        split(dataset(*counts), SplitSpec.model_validate(spec), 0 if "folds" in spec else None)


def test_what_the_words_say_is_the_way_out():
    split(dataset(64, 6), SplitSpec(validation=0.125, test=0.125))
    split(dataset(4, 4, 4, 4), SplitSpec(test=0.25, validation=0))
    split(dataset(20, 4), SplitSpec(folds=4), 0)


def test_nothing_is_cut_where_nothing_is_asked():
    """So that what was trained before the default changed keeps its fingerprint."""
    assert SplitSpec(validation=0).method == "tail"
    assert SplitSpec(validation=0, method="random").method == "random"
    assert SplitSpec(validation=0, test=0.2).method == SplitSpec(folds=3, validation=0).method == "stratified"
