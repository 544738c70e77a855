"""Splits: exactly Keras's and scikit-learn's, and always a partition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from tests.training.fixture import elsewhere
from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.parts.splits import split
from toile.study.data.split import SplitSpec

METHODS = ("tail", "random", "stratified")


def made(n: int, classes: int = 3, test: int = 0) -> Dataset:
    """Every image holds its own number, so that parts can be told from one another."""

    def images(count: int, start: int) -> Images:
        numbers = np.arange(start, start + count)
        return Images(np.stack([numbers // 256, numbers % 256], 1).astype(np.uint8)[..., None, None], numbers % classes)

    names = tuple(str(label) for label in range(classes))
    return Dataset("made", images(n, 0), images(test, 20_000) if test else None, names)


def numbers(part: Images) -> list[int]:
    return (part.images[:, 0, 0, 0].astype(int) * 256 + part.images[:, 1, 0, 0]).tolist()


@given(
    n=st.integers(40, 200),
    method=st.sampled_from(METHODS),
    validation=st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 1 / 3]),
    test=st.sampled_from([0.1, 0.2, 0.3]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_three_parts_are_a_partition(n, method, validation, test, seed):
    spec = SplitSpec(method=method, validation=validation, test=test, seed=seed)
    parts = split(made(n), spec)
    drawn = [parts.train, parts.test] + ([parts.validation] if validation else [])
    assert (parts.validation is None) == (validation == 0)
    assert sorted(number for part in drawn for number in numbers(part)) == list(range(n))
    assert abs(len(parts.test) - n * test) <= 1.5
    # Each cut is rounded by less than one image, and the second is a share of what the first has left.
    assert abs(len(drawn[-1]) - n * (validation or test)) < 2
    for name, positions in parts.indices.items():
        assert numbers(getattr(parts, name)) == positions.tolist()
    again = split(made(n), spec)
    assert {name: numbers(getattr(again, name)) for name in again.indices} == {
        name: positions.tolist() for name, positions in parts.indices.items()
    }


@given(
    n=st.integers(40, 150),
    method=st.sampled_from(METHODS),
    folds=st.integers(2, 6),
    test=st.sampled_from([0.0, 0.2]),
    shuffle=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_folds_partition_what_is_not_test(n, method, folds, test, shuffle):
    spec = SplitSpec(method=method, folds=folds, test=test, shuffle=shuffle, seed=3)
    cut = [split(made(n), spec, fold) for fold in range(folds)]
    tests = {tuple(numbers(parts.test)) if parts.test else () for parts in cut}
    assert len(tests) == 1
    held = [number for parts in cut for number in numbers(parts.validation)]
    assert sorted(held + list(tests.pop())) == list(range(n))
    for parts in cut:
        assert set(numbers(parts.train)) == set(held) - set(numbers(parts.validation))


def validation_split_of_keras(n: int, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    from keras.src.trainers.data_adapters import array_slicing

    (train,), (validation,) = array_slicing.train_validation_split((np.arange(n),), fraction)
    return np.asarray(train), np.asarray(validation)


@pytest.mark.parametrize(("n", "fraction"), [(60_000, 0.2), (60_000, 0.1), (11, 0.3), (10, 0.25), (1437, 0.2)])
def test_tail_is_keras_validation_split(n, fraction):
    train, validation = elsewhere(validation_split_of_keras, n, fraction)
    parts = split(made(n, test=5), SplitSpec(method="tail", validation=fraction))
    assert parts.indices["train"].tolist() == train.tolist()
    assert parts.indices["validation"].tolist() == validation.tolist()
    assert numbers(parts.test) == list(range(20_000, 20_005))
    assert parts.counts() == {"train": len(train), "validation": len(validation), "test": 5}


def test_tail_copies_no_image():
    dataset = made(50, test=5)
    parts = split(dataset, SplitSpec(method="tail"))
    assert np.shares_memory(parts.train.images, dataset.train.images)
    assert parts.test is dataset.test


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("fraction", [0.2, 0.33])
def test_random_is_train_test_split(stratified, fraction):
    dataset = made(101, test=5)
    train, validation = train_test_split(
        np.arange(101), test_size=fraction, random_state=7, stratify=dataset.train.labels if stratified else None
    )
    spec = SplitSpec(method="stratified" if stratified else "random", validation=fraction, seed=7)
    parts = split(dataset, spec)
    assert parts.indices["train"].tolist() == train.tolist()
    assert parts.indices["validation"].tolist() == validation.tolist()


def test_second_document():
    """Its cells: train_test_split(0.2, random_state=0), then the held-out fifth halved: the first half is the test set."""
    x = np.arange(600)
    train, held = train_test_split(x, test_size=0.2, random_state=0)
    test, validation = train_test_split(held, test_size=0.5, random_state=0)
    parts = split(made(600), SplitSpec(method="random", validation=0.1, test=0.1, seed=0))
    assert numbers(parts.train) == train.tolist()
    assert numbers(parts.test) == test.tolist()
    assert numbers(parts.validation) == validation.tolist()


def test_fractions_do_not_gain_an_image_from_rounding():
    parts = split(made(30), SplitSpec(method="random", validation=0.2, test=0.1))
    assert parts.counts() == {"train": 21, "validation": 6, "test": 3}
    tail = split(made(10), SplitSpec(method="tail", validation=0.1, test=0.2))
    assert (numbers(tail.train), numbers(tail.validation), numbers(tail.test)) == ([*range(7)], [7], [8, 9])


@pytest.mark.parametrize(
    ("method", "oracle"),
    [
        ("tail", KFold(4)),
        ("random", KFold(4, shuffle=True, random_state=5)),
        ("stratified", StratifiedKFold(4, shuffle=True, random_state=5)),
    ],
)
def test_folds_are_scikit_learns(method, oracle):
    dataset = made(41, test=2)
    for fold, (train, held) in enumerate(oracle.split(np.arange(41), dataset.train.labels)):
        parts = split(dataset, SplitSpec(method=method, folds=4, seed=5), fold)
        assert parts.indices["train"].tolist() == train.tolist()
        assert parts.indices["validation"].tolist() == held.tolist()


def test_other_seeds_are_other_splits():
    first, second = (split(made(60, test=1), SplitSpec(method="random", seed=seed)) for seed in (0, 1))
    assert numbers(first.validation) != numbers(second.validation)


@pytest.mark.parametrize(
    ("dataset", "spec", "says"),
    [
        (made(20), SplitSpec(), "no test images; set split.test"),
        (made(20, test=3), SplitSpec(test=0.1), "brings 3 test images of its own"),
        (made(3, test=3), SplitSpec(method="tail", validation=0.9), "leave none for the train part"),
        (made(5, classes=4, test=3), SplitSpec(method="stratified"), "cannot be split stratified"),
    ],
)
def test_impossible(dataset, spec, says):
    with pytest.raises(DataError, match=says):
        split(dataset, spec)


def test_too_many_folds():
    with pytest.raises(DataError, match=r"class '2' has 6 images; expected at least one a fold: at most 6 folds"):
        split(made(20, test=1), SplitSpec(method="stratified", folds=7), 0)
    with pytest.raises(DataError, match="21 folds, but 20 images"):
        split(made(20, test=1), SplitSpec(method="tail", folds=21), 0)


@pytest.mark.parametrize(("folds", "fold"), [(None, 0), (3, None), (3, 3), (3, -1)])
def test_fold_must_go_with_folds(folds, fold):
    with pytest.raises(ValueError, match="fold is"):
        split(made(20, test=1), SplitSpec(folds=folds), fold)
