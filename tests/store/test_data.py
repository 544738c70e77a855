"""Data sets in the store: once each, by content; and by the words they were asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toile.data.dataset import Dataset, Images
from toile.errors import ToileError
from toile.store import garbage
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec


def dataset(shade: int = 0, name: str = "made", class_names: tuple[str, ...] = ("a", "b")) -> Dataset:
    images = Images(np.full((4, 2, 2, 1), shade, np.uint8), np.array([0, 1, 0, 1]))
    return Dataset(name, images, images[:2], class_names)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def folders(store: Store) -> list[str]:
    return sorted(path.name for path in store.data_folder.iterdir() if path.is_dir())


DIGITS, MINE = DatasetSpec(name="digits"), DatasetSpec(path="/mine.npz")


def test_what_is_kept_comes_back(store: Store) -> None:
    one = dataset()
    store.keep(one, DIGITS)
    for back in (store.kept(DIGITS), store.dataset(one.content)):
        assert (back.name, back.class_names, back.content) == ("made", ("a", "b"), one.content)
        np.testing.assert_array_equal(back.train.images, one.train.images)
        np.testing.assert_array_equal(back.test.labels, one.test.labels)
        assert isinstance(back.train.images, np.memmap)


def test_the_same_images_are_kept_once_under_each_name(store: Store) -> None:
    store.keep(dataset(), DIGITS)
    store.keep(dataset(name="mine", class_names=("x", "y")), MINE)
    assert folders(store) == [dataset().content]
    assert (store.kept(DIGITS).name, store.kept(DIGITS).class_names) == ("made", ("a", "b"))
    assert (store.kept(MINE).name, store.kept(MINE).class_names) == ("mine", ("x", "y"))


def test_names_are_no_part_of_the_content() -> None:
    assert dataset(name="x", class_names=("1", "2")).content == dataset().content
    assert dataset(shade=1).content != dataset().content
    assert replace(dataset(), test=None).content != dataset().content


def test_the_same_words_mean_what_they_meant_last(store: Store) -> None:
    store.keep(dataset(), MINE)
    store.keep(dataset(shade=1), MINE)  # the file has changed
    assert store.kept(MINE).content == dataset(shade=1).content
    assert len(folders(store)) == 2  # older runs were trained on the first


def test_every_word_of_the_question_counts(store: Store) -> None:
    store.keep(dataset(), DIGITS)
    assert store.kept(DatasetSpec(name="digits", class_map=(0, 0))) is None
    assert store.kept(MINE) is None
    assert store.kept(DatasetSpec.model_validate({"name": "digits", "format": None})) is not None


def test_keeping_again_writes_nothing(store: Store) -> None:
    store.keep(dataset(), DIGITS)
    before = {path: path.stat().st_mtime_ns for path in store.data_folder.rglob("*")}
    store.keep(dataset(), DIGITS)
    assert {path: path.stat().st_mtime_ns for path in store.data_folder.rglob("*")} == before


def test_what_was_never_kept(store: Store) -> None:
    assert store.kept(DIGITS) is None
    with pytest.raises(ToileError, match="has no data set 000000000000; `toile run` keeps it there"):
        store.dataset("0" * 64)


def test_what_was_removed_is_not_kept(store: Store) -> None:
    store.keep(dataset(), DIGITS)
    assert garbage.remove(store) == [store.data_folder / dataset().content]  # no run was trained on it
    assert store.kept(DIGITS) is None
    store.keep(dataset(), DIGITS)
    assert store.kept(DIGITS).content == dataset().content


def test_data_lies_in_plain_arrays(store: Store) -> None:
    store.keep(dataset(shade=7), DIGITS)
    path = store.data_folder / dataset(shade=7).content / "train-images.npy"
    assert np.load(path, allow_pickle=False).max() == 7
