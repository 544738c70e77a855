"""The audit finds what is wrong, and finds nothing where nothing is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toile.data import sources
from toile.data.audit import MNIST_TRAIN_COUNTS, audit
from toile.data.dataset import Dataset, Images
from toile.data.sources.fashion_mnist import CLASS_NAMES


def made(train: list[int], train_labels: list[int], test: list[int] | None = None, test_labels=(), classes: int = 2):
    """Images told apart by one number."""

    def images(numbers, labels) -> Images:
        pixels = np.stack([np.arange(4) + 7 * number for number in numbers]).astype(np.uint8)
        return Images(pixels.reshape(-1, 2, 2, 1), np.array(labels))

    names = tuple(f"class {label}" for label in range(classes))
    return Dataset("made", images(train, train_labels), images(test, test_labels) if test else None, names)


def test_clean():
    found = audit(sources.load("digits"))
    assert found["warnings"] == []
    assert json.loads(json.dumps(found)) == found
    train = sources.load("digits").train
    assert found["train"]["mean"] == pytest.approx(train.images.mean(), abs=1e-9)
    assert found["train"]["std"] == pytest.approx(train.images.std(), abs=1e-9)
    assert found["train"]["counts"] == np.bincount(train.labels).tolist()
    assert (found["image_shape"], found["dtype"], found["classes"]) == ([28, 28, 1], "uint8", 10)


def test_duplicates():
    found = audit(made([1, 2, 1, 3, 1, 2], [0, 1, 0, 1, 1, 1], [9, 3, 1, 9], [0, 0, 0, 0]))
    assert found["train"]["duplicates"] == {"images": 3, "label_disagrees": 1, "pairs": [[0, 2], [0, 4], [1, 5]]}
    assert found["test"]["duplicates"] == {"images": 1, "label_disagrees": 0, "pairs": [[0, 3]]}
    assert found["train_and_test"] == {"images": 2, "label_disagrees": 1, "pairs": [[3, 1], [0, 2]]}
    assert "3 of 6 train images repeat an earlier one, 1 under another label" in found["warnings"]
    assert "1 of 4 test images repeat an earlier one" in found["warnings"]
    assert "2 of 4 test images are in the training images too, 1 under another label" in found["warnings"]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.lists(st.integers(0, 12), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_duplicates_as_counted_by_hand(train, test):
    found = audit(made(train, [0] * len(train), test, [0] * len(test)))
    assert found["train"]["duplicates"]["images"] == len(train) - len(set(train))
    assert found["test"]["duplicates"]["images"] == len(test) - len(set(test))
    assert found["train_and_test"]["images"] == sum(number in train for number in test)
    pairs = found["train_and_test"]["pairs"]
    assert len(pairs) == min(10, found["train_and_test"]["images"])
    assert all(train.index(test[j]) == i for i, j in pairs)
    assert all(train.index(train[j]) == i < j for i, j in found["train"]["duplicates"]["pairs"])


def test_classes_and_constant_images():
    dataset = made([*range(12)], [0] * 11 + [1], classes=3)
    pixels = dataset.train.images.copy()
    pixels[4] = 9
    found = audit(replace(dataset, train=Images(pixels, dataset.train.labels)))
    assert found["warnings"] == [
        "no train image of class 2",
        "train classes are far from balanced: 1 to 11 images",
        "1 train images are of one colour, with nothing on them",
    ]
    assert (found["test"], found["train_and_test"], found["train"]["constant"]) == (None, None, 1)


def test_one_colour_is_not_one_number():
    """A colour picture whose channels differ but whose pixels do not is constant; one that varies in blue is not."""
    pixels = np.zeros((2, 2, 2, 3), np.uint8)
    pixels[0] = [1, 2, 3]
    pixels[1, 0, 0, 2] = 1
    dataset = Dataset("made", Images(pixels, np.array([0, 1])), None, ("a", "b"))
    assert audit(dataset)["train"]["constant"] == 1


def mnist_like(counts=None, mean: int = 33) -> Dataset:
    labels = np.repeat(np.arange(10), counts if counts is not None else [3] * 10)
    shape = (28, 28, 1) if counts is None else (1, 2, 1)
    images = np.random.default_rng(0).integers(0, 2 * mean + 1, (len(labels), *shape), dtype=np.uint8)
    return Dataset("fashion-mnist", Images(images, labels), None, CLASS_NAMES)


def test_mnist_taken_for_fashion_mnist():
    assert "these are MNIST's digits, not Fashion-MNIST" in audit(mnist_like(MNIST_TRAIN_COUNTS))["warnings"][0]
    assert "these may be MNIST's digits" in audit(mnist_like())["warnings"][0]
    assert "these may be MNIST's digits" in audit(replace(mnist_like(), name="my clothes"))["warnings"][0]
    assert audit(mnist_like(mean=73))["warnings"] == []
    assert audit(replace(mnist_like(), name="mnist", class_names=tuple("0123456789")))["warnings"] == []
