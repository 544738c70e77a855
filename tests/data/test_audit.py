"""The audit finds what is wrong, and finds nothing where nothing is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import zoom

from toile.data import sources
from toile.data.audits.audit import audit
from toile.data.audits.suspicions import MNIST_TRAIN_COUNTS
from toile.data.dataset import Dataset, Images
from toile.data.images import as_names
from toile.data.parts.splits import split
from toile.data.sources.fashion_mnist import CLASS_NAMES
from toile.study.data.split import SplitSpec


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
    near = {"images": 0, "label_disagrees": 0, "pairs": []}
    assert found["train_and_test"] == {"images": 2, "label_disagrees": 1, "pairs": [[3, 1], [0, 2]], "near_duplicates": near}
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
        "there is no image at all of class 2, and still a model gets an answer for it; name only classes that there are, in "
        "`class_names`, or join them by `class_map`",
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


# The parts that are trained on


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 12, 12, 1), dtype=np.uint8)


def named(images: np.ndarray, labels, before: str = "") -> Images:
    return Images(images, np.array(labels), as_names([f"{before}{number}.png" for number in range(len(images))]))


def test_parts_that_a_split_draws():
    """Every image is there twice, so that whatever is drawn is trained on too; the data set itself brings no test images."""
    images = np.repeat(pictures(20), 2, axis=0)
    dataset = Dataset("made", named(images, [0, 1] * 20), None, ("a", "b"))
    cut = split(dataset, SplitSpec(method="tail", validation=0.25, test=0.25))
    found = audit(dataset, cut)
    assert [found[name]["images"] for name in ("train", "validation", "test")] == [20, 10, 10]
    assert found["train"]["counts"] == [10, 10] and found["train"]["duplicates"]["images"] == 10
    assert found["train_and_test"]["images"] == 0
    order = np.concatenate([np.arange(0, 40, 2), np.arange(1, 40, 2)])
    shuffled = replace(dataset, train=dataset.train[order])
    found = audit(shuffled, split(shuffled, SplitSpec(method="tail", validation=0.25, test=0.25)))
    assert found["train_and_test"]["images"] == 10 and found["train_and_validation"]["images"] == 10
    assert found["train_and_test"]["names"][0] == ["20.png", "21.png"]
    [said] = [one for one in found["warnings"] if "test images are in the training images too" in one]
    assert "10 of 10" in said and "20.png = 21.png" in said and 'groups = "near-duplicates"' in said


def test_given_validation_images_are_looked_at():
    images = pictures(8)
    dataset = Dataset("made", named(images[:6], [0, 1] * 3), None, ("a", "b"), named(images[4:8], [1, 0, 0, 1], "v"))
    cut = split(dataset, SplitSpec(validation="given", test=0.4, method="stratified"))
    for found in (audit(dataset), audit(dataset, cut)):
        assert found["validation"]["images"] == 4 and found["validation"]["counts"] == [2, 2]
    assert audit(dataset)["train_and_validation"]["names"] == [["4.png", "v0.png"], ["5.png", "v1.png"]]
    [said] = [one for one in audit(dataset)["warnings"] if "validation images are in the training" in one]
    assert (
        said
        == "2 of 4 validation images are in the training images too, 2 under another label (4.png = v0.png; 5.png = v1.png)"
    )


def test_near_duplicates_across_parts_by_name():
    """A darker, a noisy and a resized copy of training pictures among the test pictures."""
    train = zoom(pictures(10, 1), (1, 4, 4, 1), order=1).astype(np.uint8)
    noise = np.random.default_rng(2).normal(0, 3, train[0].shape)
    half = np.asarray(Image.fromarray(train[2][..., 0]).resize((72, 72), Image.Resampling.BICUBIC).resize((48, 48)))[..., None]
    copies = np.stack([(train[0] * 0.6).astype(np.uint8), np.clip(train[1] + noise, 0, 255).astype(np.uint8), half])
    other = zoom(pictures(3, 3), (1, 4, 4, 1), order=1).astype(np.uint8)
    test = np.concatenate([other, copies])
    dataset = Dataset("made", named(train, [0, 1] * 5, "a"), named(test, [1, 0, 1, 0, 1, 0], "b"), ("x", "y"))
    found = audit(dataset)
    near = found["train_and_test"]["near_duplicates"]
    assert near["names"] == [["a0.png", "b3.png"], ["a1.png", "b4.png"], ["a2.png", "b5.png"]]
    assert found["train_and_test"]["images"] == 0 and near["label_disagrees"] == 0
    assert any("3 of 6 test images are near-duplicates of training images (a0.png ~ b3.png" in one for one in found["warnings"])


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (pictures(6) % 2, "the largest value of all pixels is 1 of 255, so the images are nearly black: were these 0..1?"),
        (pictures(6) % 17, "the largest value of all pixels is 16 of 255"),
        (200 + pictures(6) % 2, "the training images are nearly of one colour: their pixels lie within 0.5"),
    ],
)
def test_suspicious_pixels(images, said):
    warnings = audit(Dataset("made", Images(images, np.array([0, 1] * 3)), None, ("a", "b")))["warnings"]
    assert [one for one in warnings if said in one]


def test_many_images_that_are_all_alike_are_no_crash(monkeypatch):
    monkeypatch.setattr("toile.data.audits.near._MOST", 10)
    images = np.repeat(pictures(1), 9, axis=0)
    found = audit(Dataset("made", Images(images, np.array([0, 1, 0] * 3)), None, ("a", "b")))
    assert found["train"]["near_duplicates"] is None and found["train"]["duplicates"]["images"] == 8


def test_classes_that_are_spelt_in_two_ways():
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
    names = ("Cat", "cat ", "T-shirt", "t shirt", "dog", "dogs")
    found = audit(Dataset("made", Images(images, np.arange(8) % 6), None, names))["warnings"]
    assert found[0].startswith("'Cat' and 'cat ', 'T-shirt' and 't shirt' are classes of their own; if they are one")
    names = ("1", "-1", "1.01", "0", "01", "00", "1.1", "10")
    numbers = audit(Dataset("made", Images(images, np.arange(8)), None, names))["warnings"]
    assert numbers[0].startswith("'1' and '01', '0' and '00' are classes of their own; if they are one")


@pytest.mark.parametrize("dark", ["train", "validation", "test"])
@pytest.mark.parametrize(("scaled", "value"), [(lambda x: x // 128, 1), (lambda x: x // 16, 15), (lambda x: x // 4, 63)])
def test_a_part_in_another_range_than_the_others(dark, scaled, value):
    parts = {name: pictures(6, seed) for seed, name in enumerate(("train", "validation", "test"))}
    for images in parts.values():
        images[0, 0, 0] = 255
    parts[dark] = scaled(parts[dark])
    made = {name: named(images, [0, 1] * 3, name) for name, images in parts.items()}
    dataset = Dataset("made", made["train"], made["test"], ("a", "b"), made["validation"])
    found = audit(dataset)
    [said] = [one for one in found["warnings"] if "largest value" in one]
    dark_part, light = {"train": "training"}.get(dark, dark), "validation" if dark == "train" else "training"
    expected = f"the largest value of the {dark_part} images is {value} of 255, and that of the {light} images 255: were these "
    assert said.startswith(expected + f"0..{value}?") and found[dark]["largest_value"] == value


def test_parts_that_are_drawn_from_one_place_are_in_one_range():
    """A few images without the light spot that some have, by chance."""
    images = pictures(30) // 5
    images[:20, 0, 0] = 255
    dataset = Dataset("made", named(images, [0, 1] * 15), named(images[-3:], [0, 1, 0]), ("a", "b"))
    parts = split(dataset, SplitSpec(method="tail", validation=0.2))
    told = [one for one in audit(dataset, parts)["warnings"] if "largest value" in one]
    assert len(told) == 1 and "of the test images" in told[0]


def test_parts_of_much_the_same_range_are_no_matter():
    train, test = pictures(6), pictures(6, 1) // 2
    found = audit(Dataset("made", named(train, [0, 1] * 3), named(test, [0, 1] * 3), ("a", "b")))
    assert not any("largest value" in one for one in found["warnings"])
