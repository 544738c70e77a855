"""Labels as people write them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toile.data.errors import DataError
from toile.data.reading.labels import numbered


@given(st.lists(st.integers(0, 300), min_size=1, max_size=50), st.lists(st.integers(0, 300), max_size=20))
def test_every_label_keeps_its_name_and_no_class_is_without_images(train, test):
    found = numbered([np.array(train), np.array(test, np.int64)], "made")
    for given_, labels in zip((train, test), found.labels, strict=True):
        assert [found.class_names[label] for label in labels] == [str(label) for label in given_]
    assert found.class_names == tuple(str(label) for label in sorted({*train, *test}))
    assert found.first == min(*train, *test, 300)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50), st.sampled_from([np.uint8, np.int64, np.float32, bool]))
def test_one_hot_rows_are_their_class_and_keep_classes_without_images(labels, dtype):
    found = numbered([np.eye(6, dtype=dtype)[labels]], "made")
    assert found.labels[0].tolist() == labels and found.class_names == tuple("012345")


def test_words_are_sorted_or_in_the_order_of_the_names():
    words = np.array(["shoe", "coat", " shoe", "bag"])
    assert numbered([words], "made").class_names == ("bag", "coat", "shoe")
    assert numbered([words.astype("S")], "made").labels[0].tolist() == [2, 1, 2, 0]
    assert numbered([words], "made", ("shoe", "hat", "bag", "coat")).labels[0].tolist() == [0, 3, 0, 2]
    assert numbered([words], "made", ("Tasche", "Mantel", "Schuh")).class_names == ("Tasche", "Mantel", "Schuh")
    numbers = numbered([np.array(["10", "9", "10"])], "made")
    assert (numbers.class_names, numbers.labels[0].tolist(), numbers.first) == (("9", "10"), [1, 0, 1], 9)


@pytest.mark.parametrize(
    ("labels", "names", "expected", "first"),
    [
        ([1, 2, 3], ("a", "b", "c"), [0, 1, 2], 1),  # counted from 1: names say how many there are
        ([1, 2, 0], ("a", "b", "c"), [1, 2, 0], 0),
        ([1, 2], ("a", "b", "c"), [1, 2], 0),  # of the first there is no image
        ([10, 30], ("a", "b"), [0, 1], 10),
    ],
)
def test_class_names_say_from_where_is_counted(labels, names, expected, first):
    for array in (np.array(labels), np.array(labels).astype(str)):  # as arrays have them, and lists
        found = numbered([array], "made", names)
        assert (found.labels[0].tolist(), found.class_names, found.first) == (expected, names, first)


@pytest.mark.parametrize(
    ("arrays", "names", "said"),
    [
        ([np.arange(20_000)], None, "20,000 different labels, 0 to 19999; expected at most 10,000 classes"),
        ([np.array([0, 1]), np.array(["a"])], None, "the labels of one part are text"),
        ([np.array([0, 3])], ("a", "b", "c"), "label 3, but 3 class names"),
        ([np.array(["a", "bag"])], ("bog", "c", "a"), r"label 'bag' is not among the 3 class names \(did you mean 'bog'\?\)"),
        ([np.array([-1, 2])], None, "label -1 of image 0; expected 0 or more"),
        ([np.array([1e300])], None, "label 1e"),
        ([np.zeros((2, 2, 2))], None, r"labels of shape \(2, 2, 2\)"),
        ([np.array([["a", "b"]])], None, "expected numbers, one-hot"),
        ([np.array([1j])], None, "labels are complex128"),
    ],
)
def test_what_are_no_labels(arrays, names, said):
    with pytest.raises(DataError, match=said):
        numbered(arrays, "made", names)


@pytest.mark.parametrize("labels", [["cat", "dog", "cat"], [10, 20, 10]])
def test_no_class_is_called_as_another_one_is(labels):
    words = list(map(str, labels))
    said = rf"would call the class '{words[0]}' '{words[1]}', as another one is called; '{words[0]}' is"
    with pytest.raises(DataError, match=said):
        numbered([np.array(words)], "made", (words[1], "kat"))
    assert numbered([np.array(words)], "made", (words[0], "dgo")).class_names == (words[0], "dgo")


def test_numbers_that_are_called_by_numbers_keep_their_own():
    for labels in (np.array([1, 2, 2]), np.array(["1", "2", "2"])):
        assert numbered([labels], "made", ("1", "2", "3")).labels[0].tolist() == [0, 1, 1]
        assert numbered([labels], "made", ("2", "1")).labels[0].tolist() == [1, 0, 0]
    # A name for all that has no number makes it no number, and no error.
    assert numbered([np.array(["0", "1"])], "made", ("unknown", "0", "1")).labels[0].tolist() == [1, 2]


def test_words_that_are_numbers_are_in_their_order_however_they_are_written():
    words = np.array([f"{number}.0" for number in range(11)])
    found = numbered([words], "made", tuple("abcdefghijk"))
    assert found.labels[0].tolist() == list(range(11))
    assert numbered([words], "made").class_names == tuple(map(str, range(11)))
    assert numbered([np.array(["2.5", "10.5", "-1"])], "made").class_names == ("-1", "2.5", "10.5")


@pytest.mark.parametrize("none", ["nan", "NaN", "<NA>", "None", "N/A"])
def test_what_programs_write_where_there_is_no_label_is_no_class(none):
    with pytest.raises(DataError, match=rf"1 label is '{none}', which programs write where there is no value"):
        numbered([np.array(["0", "10", none, "2"])], "made")
    if none in ("None", "N/A"):  # which may be the names of classes
        assert numbered([np.array(["cat", none])], "made").class_names == (none, "cat")
    else:
        with pytest.raises(DataError, match="which programs write"):
            numbered([np.array(["cat", none])], "made")


def test_one_name_that_is_written_in_two_ways_is_one_class():
    composed, apart = "caf\u00e9", "cafe\u0301"
    found = numbered([np.array([composed, apart, "bar"])], "made", ("bar", apart))
    assert found.labels[0].tolist() == [1, 1, 0]
    assert numbered([np.array([composed, apart, "bar"])], "made").class_names == ("bar", composed)


@pytest.mark.parametrize(
    ("labels", "numbers"), [([0, 1, 3], (0, 1, 3)), (["0", "1", "3"], (0, 1, 3)), ([1, 2, 3], ()), (["x", "y", "z"], ())]
)
def test_numbers_with_gaps_are_known_where_classes_are_called_otherwise(labels, numbers):
    assert numbered([np.array(labels)], "made", ("a", "b", "c")).numbers == numbers
    assert numbered([np.array(labels)], "made").numbers == ()
