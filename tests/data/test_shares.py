"""Parts of a data set: pooled, drawn from, and the share of the training part that is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.parts.splits import split
from toile.data.reading.load import load
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec

TRAIN, TEST = 40, 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every image holds its own number; the test images go on where the training images end."""
    folder = tmp_path_factory.mktemp("data")
    for name, numbers in (("train", np.arange(TRAIN)), ("test", np.arange(TRAIN, TRAIN + TEST))):
        np.savez(folder / f"{name}.npz", x=np.repeat(numbers.astype(np.uint8), 4).reshape(-1, 2, 2), y=numbers % 3)
    return folder


def loaded(folder, **more) -> Dataset:
    return load(DatasetSpec(path="train.npz", test_path="test.npz", **more), base=folder)


def numbers(part: Images) -> list[int]:
    return part.images[:, 0, 0, 0].tolist()


def test_pool_joins_training_and_test_images_in_this_order(folder):
    plain, pooled = loaded(folder), loaded(folder, pool=True)
    assert pooled.test is None and plain.test is not None
    assert numbers(pooled.train) == numbers(plain.train) + numbers(plain.test) == list(range(TRAIN + TEST))
    assert pooled.train.labels.tolist() == [n % 3 for n in range(TRAIN + TEST)]
    assert (pooled.classes, pooled.image_shape, pooled.name) == (plain.classes, plain.image_shape, plain.name)
    assert pooled.content != plain.content
    parts = split(pooled, SplitSpec(method="random", validation=0.1, test=0.5))
    assert sorted(numbers(parts.train) + numbers(parts.validation) + numbers(parts.test)) == list(range(TRAIN + TEST))


def test_pool_of_a_set_without_test_images(folder):
    with pytest.raises(DataError, match="data set 'train' has no test images to pool; leave out `pool`"):
        load(DatasetSpec(path="train.npz", pool=True), base=folder)


@given(count=st.integers(1, TRAIN), seed=st.integers(0, 2**32 - 1), pool=st.booleans())
@settings(max_examples=30, deadline=None)
def test_draw_takes_so_many_without_replacement(folder, count, seed, pool):
    whole, drawn = loaded(folder, pool=pool), loaded(folder, pool=pool, draw=count, draw_seed=seed)
    found = numbers(drawn.train)
    assert len(found) == len(set(found)) == count and set(found) <= set(numbers(whole.train))
    assert drawn.train.labels.tolist() == [n % 3 for n in found]  # each kept its label
    assert drawn.class_names == whole.class_names
    if pool:
        assert drawn.test is None
    else:  # test images are never drawn from
        assert numbers(drawn.test) == numbers(whole.test)
    again = loaded(folder, pool=pool, draw=count, draw_seed=seed)
    assert again.content == drawn.content
    # A larger draw of the same seed goes on from the smaller one.
    larger = loaded(folder, pool=pool, draw=min(count + 5, TRAIN), draw_seed=seed)
    assert numbers(larger.train)[:count] == found


def test_draw_of_all_is_another_order_and_seeds_differ(folder):
    draws = [numbers(loaded(folder, draw=TRAIN, draw_seed=seed).train) for seed in range(3)]
    assert all(sorted(draw) == list(range(TRAIN)) for draw in draws)
    assert len({tuple(draw) for draw in draws} | {tuple(range(TRAIN))}) == 4
    assert numbers(loaded(folder, draw=TRAIN).train) == draws[0]


@pytest.mark.parametrize(("pool", "there"), [(False, 40), (True, 50)])
def test_draw_of_more_than_there_are(folder, pool, there):
    with pytest.raises(DataError, match=rf"draw = 1,000, data set 'train' has {there} images to draw from"):
        loaded(folder, pool=pool, draw=1000)


# Share of the training part


@given(
    labels=st.lists(st.integers(0, 3), min_size=40, max_size=120),
    fraction=st.floats(0.01, 1.0),
    method=st.sampled_from(["tail", "random"]),
    test=st.sampled_from([0.0, 0.2]),
    folds=st.sampled_from([None, 3]),
)
@settings(max_examples=80, deadline=None)
def test_fraction_keeps_a_share_of_each_class_of_the_training_part(labels, fraction, method, test, folds):
    labels = np.array(labels)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    own = Images(images[:5], labels[:5]) if not test else None
    dataset = Dataset("made", Images(images, labels), own, tuple("abcd"))
    fold = 1 if folds else None
    whole = split(dataset, SplitSpec(method=method, test=test, folds=folds), fold)
    part = split(dataset, SplitSpec(method=method, test=test, folds=folds, fraction=fraction), fold)
    # Nothing but the training part is cut.
    for name in ("validation", "test"):
        ours, theirs = getattr(part, name), getattr(whole, name)
        assert np.array_equal(ours.images, theirs.images) and np.array_equal(ours.labels, theirs.labels)
    # What is kept is in its order: the first of each class, at least one, within half an image of the share.
    kept, order = part.indices["train"].tolist(), whole.indices["train"].tolist()
    assert kept == [position for position in order if position in set(kept)]
    for label in np.unique(whole.train.labels):
        of_class = [position for position in order if labels[position] == label]
        of_kept = [position for position in kept if labels[position] == label]
        assert of_kept == of_class[: len(of_kept)]
        assert len(of_kept) == max(1, round(len(of_class) * fraction))
    assert part.train.labels.tolist() == labels[kept].tolist()


@given(small=st.floats(0.01, 1.0), large=st.floats(0.01, 1.0))
@settings(max_examples=30, deadline=None)
def test_smaller_fraction_is_part_of_the_larger(small, large):
    small, large = sorted((small, large))
    labels = np.arange(90) % 4
    images = Images(np.zeros((90, 1, 1, 1), np.uint8), labels)
    dataset = Dataset("made", images, images[:1], tuple("abcd"))
    ours, theirs = (
        set(split(dataset, SplitSpec(method="stratified", fraction=fraction)).indices["train"].tolist())
        for fraction in (small, large)
    )
    assert ours <= theirs


def test_whole_fraction_is_the_split_itself():
    labels = np.arange(30) % 3
    images = Images(np.zeros((30, 1, 1, 1), np.uint8), labels)
    dataset = Dataset("made", images, images[:1], tuple("abc"))
    plain, whole = split(dataset, SplitSpec(method="tail")), split(dataset, SplitSpec(method="tail", fraction=1.0))
    assert plain.indices["train"].tolist() == whole.indices["train"].tolist() == list(range(24))
    assert np.shares_memory(whole.train.images, dataset.train.images)
