"""From a study's [dataset] to the data: names, paths, class names and class maps."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from toile.data.errors import DataError
from toile.data.reading.load import load
from toile.errors import Misuse
from toile.study.data.dataset import DatasetSpec

LABELS = np.array([0, 1, 2, 3, 3])


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "made.npz", x=np.arange(20, dtype=np.uint8).reshape(5, 2, 2), y=LABELS)
    np.savez(tmp_path / "more.npz", x=np.zeros((1, 2, 2), np.uint8), y=LABELS[:1])
    return tmp_path


def test_relative_to_the_study_file(folder, monkeypatch):
    dataset = load(DatasetSpec(path="made.npz", test_path="more.npz"), base=folder)
    assert (dataset.name, dataset.classes, len(dataset.train), len(dataset.test)) == ("made", 4, 5, 1)
    monkeypatch.chdir(folder)
    assert load(DatasetSpec(path="made.npz", format="npz")).class_names == ("0", "1", "2", "3")
    assert load(DatasetSpec(path=str(folder / "made.npz")), base=folder / "elsewhere").classes == 4


def test_class_names(folder):
    assert load(DatasetSpec(path="made.npz", class_names=("a", "b", "c", "d")), base=folder).class_names == tuple("abcd")
    assert load(DatasetSpec(path="made.npz", class_names=tuple("abcde")), base=folder).classes == 5
    with pytest.raises(DataError, match=r"label 3, but 2 class names; expected labels 0\.\.1"):
        load(DatasetSpec(path="made.npz", class_names=("a", "b")), base=folder)
    with pytest.raises(DataError, match="2 class names, data set 'digits' has 10 classes"):
        load(DatasetSpec(name="digits", class_names=("a", "b")))


@pytest.mark.parametrize(
    ("names", "expected"),
    [(None, ("0 / 2", "1 / 3")), (("a", "b", "c", "d"), ("a / c", "b / d")), (("even", "odd"), ("even", "odd"))],
)
@pytest.mark.parametrize("first", [0, 1])
def test_class_map_merges(folder, names, expected, first):
    class_map = tuple(first + label % 2 for label in range(4))
    dataset = load(DatasetSpec(path="made.npz", test_path="more.npz", class_map=class_map, class_names=names), base=folder)
    assert dataset.class_names == expected
    assert dataset.train.labels.tolist() == [0, 1, 0, 1, 1]
    assert dataset.test.labels.tolist() == [0]


def test_class_map_permutes(folder):
    dataset = load(DatasetSpec(path="made.npz", class_map=(3, 2, 1, 0)), base=folder)
    assert dataset.train.labels.tolist() == [3, 2, 1, 0, 0]
    assert dataset.class_names == ("3", "2", "1", "0")
    named = load(DatasetSpec(path="made.npz", class_map=(3, 2, 1, 0), class_names=tuple("abcd")), base=folder)
    assert named.class_names == tuple("abcd")  # the names of the new labels


@pytest.mark.parametrize(
    ("class_map", "says"),
    [
        ((0, 1, 2), "class_map has 3 labels, data set 'made' has 4 classes"),
        ((0, 1, 3, 3), r"uses the labels \[0, 1, 3\]; expected 0, 1, 2 … or 1, 2, 3 … without gaps"),
        ((2, 3, 4, 5), "without gaps"),
        ((-1, 0, 1, 2), "without gaps"),
        ((), "without gaps"),
    ],
)
def test_impossible_class_map(folder, class_map, says):
    with pytest.raises(DataError, match=says):
        load(DatasetSpec(path="made.npz", class_map=class_map), base=folder)


def test_wrong_names(folder):
    with pytest.raises(DataError, match=r"mad\.npz: no such file or folder \(did you mean 'made\.npz'\?\)"):
        load(DatasetSpec(path="mad.npz"), base=folder)
    with pytest.raises(DataError, match="no such file"):
        load(DatasetSpec(path="made.npz", test_path="nowhere/test.npz"), base=folder)
    with pytest.raises(Misuse, match=r"unknown format 'cvs' \(did you mean 'csv'\?\)"):
        load(DatasetSpec(path="made.npz", format="cvs"), base=folder)
    with pytest.raises(Misuse, match=r"unknown data set 'fashion_mnist' \(did you mean 'fashion-mnist'\?\); allowed: digits"):
        load(DatasetSpec(name="fashion_mnist"))


def test_a_path_with_backslashes_says_so(folder):
    with pytest.raises(DataError, match=r"\\ separates no folders on this system, and / does on all: a/b"):
        load(DatasetSpec(path="a\\b"), base=folder)


def test_no_two_classes_of_one_name(folder):
    with pytest.raises(DataError, match="several classes are called 'a'; expected a name of its own for each, or one class"):
        load(DatasetSpec(path="made.npz", class_names=("a", "b", "a", "c")), base=folder)
    said = DatasetSpec(path="made.npz", class_names=("a", "a", "b", "c"), class_map=(0, 0, 1, 2))
    assert load(said, base=folder).classes == 3


@pytest.mark.parametrize("first", [0, 1])
def test_a_class_map_says_by_what_numbers_classes_are_known(folder, first):
    class_map = tuple(first + label % 2 for label in range(4))
    assert load(DatasetSpec(path="made.npz", class_map=class_map), base=folder).first == first


def test_pooled_images_keep_the_columns_of_their_list(tmp_path):
    rows = ["filename,label,split,patient"]
    for number in range(8):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{number % 2},{'test' if number > 5 else 'train'},p{number // 2}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    dataset = load(DatasetSpec(path="list.csv", pool=True), base=tmp_path)
    assert dataset.train.columns["patient"].tolist() == [f"p{number // 2}" for number in range(8)]


def test_no_class_of_a_registered_data_set_is_called_as_another_one_is():
    digits = [str(digit) for digit in range(10)]
    with pytest.raises(DataError, match=r"data set 'digits': class_names would call the class '0' '1'"):
        load(DatasetSpec(name="digits", class_names=("1", "0", *digits[2:])))
    assert load(DatasetSpec(name="digits", class_names=("zero", *digits[1:]))).class_names[:2] == ("zero", "1")
