"""Augmentation: what each option does to images, elastic distortion against SciPy, and trainings that go on bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from tests.training.fixture import (
    OTHER_BACKENDS,
    assert_same_result,
    make_store,
    make_trial,
    some_images,
    train_and_die,
    train_elsewhere,
    weights,
    work,
)
from toile.study.recipe.augmentation import Augmentation, Elastic, Erasing
from toile.training import recipe

SHAPE = (28, 28, 1)
EACH = {
    "rotation": {"rotation": 20.0},
    "zoom": {"zoom": 0.2},
    "shear": {"shear": 10.0},
    "steep shear": {"shear": 60.0},
    "down": {"shift": (0.2, 0.0)},
    "across": {"shift": (0.0, 0.2)},
    "horizontal": {"flip": "horizontal"},
    "vertical": {"flip": "vertical"},
    "both": {"flip": "both"},
    "elastic": {"elastic": Elastic()},
}
# What brings black into an image.
BLACK = {"crop": {"crop": 3}, "erasing": {"erasing": Erasing()}}
ALL = {"rotation": 10.0, "zoom": 0.1, "shear": 5.0, "shift": (0.1, 0.1), "flip": "both", "elastic": Elastic()}
SOME = {"shift": [0.1, 0.1], "crop": 1, "flip": "horizontal", "elastic": {}, "erasing": {}}


def augmenter(spec: Augmentation | None, shape: tuple[int, int, int] = SHAPE) -> Any:
    """The layers as a model of their own."""
    import keras

    from toile.training.augment import augmenting

    x = images = keras.Input(shape, dtype="uint8")
    for layer in augmenting(spec):
        x = layer(x)
    return keras.Model(images, x)


def augmented(model: Any, images: np.ndarray, seed: int = 0, epoch: int = 0) -> np.ndarray:
    recipe.reseed(model, seed, epoch)
    return np.asarray(model(images, training=True))


@pytest.mark.parametrize("options", [*EACH.values(), *BLACK.values(), ALL], ids=[*EACH, *BLACK, "all"])
def test_each_option_changes_images_while_training_and_only_then(options):
    images, model = some_images(SHAPE, 12), augmenter(Augmentation(**options))
    assert model.count_params() == 0
    changed = augmented(model, images)
    assert changed.dtype == np.uint8 and changed.shape == images.shape
    differ = (changed != images).any(axis=(1, 2, 3))
    # A mirror leaves each image alone half of the time; the others draw from a range.
    assert 0 < differ.sum() < 12 if options.keys() == {"flip"} and options["flip"] != "both" else differ.any()
    assert len(np.unique((changed.astype(int) - images).reshape(12, -1), axis=0)) > 1  # not all images in the same way
    np.testing.assert_array_equal(np.asarray(model(images, training=False)), images)
    np.testing.assert_array_equal(augmented(model, images), changed)
    assert (augmented(model, images, epoch=1) != changed).any()
    assert (augmented(model, images, seed=1) != changed).any()
    smaller = augmented(model, images[:5])  # as the last batch of an epoch
    assert smaller.shape == (5, *SHAPE)


def test_nothing_asked_for_changes_nothing():
    from toile.training.augment import augmenting

    images = some_images(SHAPE, 4)
    assert augmenting(None) == []
    model = augmenter(Augmentation())
    assert recipe.generators(model) == []
    np.testing.assert_array_equal(augmented(model, images), images)


def test_colour_images_are_moved_whole():
    grey = some_images((16, 20, 1), 6)
    model = augmenter(Augmentation(**ALL), (16, 20, 3))
    changed = augmented(model, np.repeat(grey, 3, axis=3))
    assert (changed != grey).any() and np.ptp(changed, axis=3).max() == 0


def test_outside_repeats_the_edge():
    """A shift at most mixes the edge in; nothing black comes in from outside."""
    images = np.full((20, *SHAPE), 200, np.uint8)
    for options in (ALL, *EACH.values()):
        assert (augmented(augmenter(Augmentation(**options)), images) == 200).all()


@pytest.mark.parametrize(("axis", "shift"), [(1, (0.25, 0.0)), (2, (0.0, 0.25))])
def test_shift_is_vertical_first_and_at_most_as_far_as_it_says(axis, shift):
    images = np.zeros((40, *SHAPE), np.uint8)
    images[:, 14, 14] = 255
    mass = augmented(augmenter(Augmentation(shift=shift)), images).astype(float).sum(axis=3)
    places = np.arange(28)
    moved = {along: (mass.sum(axis=3 - along) * places).sum(axis=1) / mass.sum(axis=(1, 2)) - 14 for along in (1, 2)}
    assert np.abs(moved[axis]).max() <= 0.25 * 28 + 0.01
    assert moved[axis].min() < -2 and moved[axis].max() > 2
    assert np.abs(moved[3 - axis]).max() < 0.01


@pytest.mark.parametrize(("flip", "axes"), [("horizontal", [(2,)]), ("vertical", [(1,)]), ("both", [(1,), (2,), (1, 2)])])
def test_flips_are_mirror_images(flip, axes):
    images = some_images(SHAPE, 40)
    allowed = [images, *(np.flip(images, axis) for axis in axes)]
    changed = augmented(augmenter(Augmentation(flip=flip)), images)
    which = [{i for i, other in enumerate(allowed) if (one == other[at]).all()} for at, one in enumerate(changed)]
    assert all(len(found) == 1 for found in which)
    assert set().union(*which) == set(range(len(allowed)))


@pytest.mark.parametrize("options", [{"rotation": 90.0}, {"shear": 60.0}], ids=str)
def test_both_ways(options):
    """A bar to the right of the middle goes up as often as down (of 60, the chance of fewer than 15 is 0.00004)."""
    images = np.zeros((60, 29, 29, 1), np.uint8)
    images[:, 13:16, 20:24] = 255
    if "shear" in options:  # rows move sideways, by how far they are from the first
        images = np.zeros_like(images)
        images[:, 5:8, 12:17] = 255
    mass = augmented(augmenter(Augmentation(**options), (29, 29, 1)), images).astype(float)[..., 0]
    along = mass.sum(axis=2) if "rotation" in options else mass.sum(axis=1)
    centre = (along * np.arange(29)).sum(axis=1) / np.maximum(along.sum(axis=1), 1)
    assert 15 <= (centre > 14).sum() <= 45


def test_crop_moves_by_whole_pixels_and_brings_in_black():
    images, padding = some_images(SHAPE, 300), 2
    padded = np.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = {(y, x): padded[:, y : y + 28, x : x + 28] for y in range(5) for x in range(5)}
    changed = augmented(augmenter(Augmentation(crop=padding)), images)
    found = [[place for place, window in windows.items() if (window[at] == one).all()] for at, one in enumerate(changed)]
    assert all(len(places) == 1 for places in found)
    # Every one of the 25 places, each about as often: of 300 draws, 12; the chance of none at all is 0.0001.
    assert {place for places in found for place in places} == set(windows)


def test_erasing_takes_one_rectangle_of_so_many_images():
    images = np.full((400, *SHAPE), 200, np.uint8)
    black = augmented(augmenter(Augmentation(erasing=Erasing(probability=0.25, area=(0.1, 0.2)))), images)[..., 0] == 0
    erased = black.any(axis=(1, 2))
    assert 0.15 < erased.mean() < 0.35  # four standard deviations and a half
    rows, columns = black.any(axis=2).sum(axis=1)[erased], black.any(axis=1).sum(axis=1)[erased]
    np.testing.assert_array_equal(rows * columns, black.sum(axis=(1, 2))[erased])
    for sides in (rows, columns):  # of a square of the area, to the pixel
        assert np.floor(28 * np.sqrt(0.1)) <= sides.min() < sides.max() <= np.ceil(28 * np.sqrt(0.2))


def test_an_area_from_larger_to_smaller_is_refused():
    with pytest.raises(ValidationError, match=r"`area` goes from the smaller share to the larger, got \[0\.5, 0\.1\]"):
        Erasing(area=(0.5, 0.1))


# Elastic distortion


@pytest.mark.parametrize(("shape", "sigma"), [((28, 28), 3.0), ((9, 13), 2.4), ((5, 12), 6.0)])
def test_elastic_distortion_is_scipys(shape, sigma, monkeypatch):
    """As the document calls SciPy, for the same raw field. In the last, the Gaussian is wider than image and mirror image."""
    from toile.training.augment import elastic

    drawn, count, alpha = np.random.default_rng(0), 3, np.array([10.0, 11.0, 12.0], np.float32)
    field = drawn.uniform(-1, 1, (2 * count, *shape, 1)).astype(np.float32)
    images = drawn.integers(0, 256, (count, *shape, 2)).astype(np.float32)
    asked = []

    def uniform(size: Any, low: float, high: float, **_: Any) -> np.ndarray:
        asked.append((low, high))
        return field if size[1] > 1 else alpha.reshape(-1, 1, 1, 1)

    monkeypatch.setattr(elastic.random, "uniform", uniform)
    layer = elastic.ElasticDistortion(Elastic(alpha=(10.0, 12.0), sigma=sigma))
    found = np.asarray(layer(images, training=True))
    assert asked == [(-1.0, 1.0), (10.0, 12.0)]

    smooth = [ndimage.gaussian_filter(one[..., 0], sigma) * alpha[at % count] for at, one in enumerate(field)]
    assert np.abs(smooth).max() > 1  # something moves
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for at in range(count):
        places = [rows + smooth[at], columns + smooth[count + at]]
        for channel in range(2):
            expected = ndimage.map_coordinates(images[at, ..., channel], places, order=1, mode="reflect")
            np.testing.assert_allclose(found[at, ..., channel], expected, atol=1e-2)


def test_each_image_is_distorted_by_a_strength_of_its_own():
    from toile.training.augment.elastic import ElasticDistortion

    layer = ElasticDistortion(Elastic(alpha=(0.0, 50.0), sigma=1.0))
    field = np.asarray(layer.field(200, 8, 8))
    size = np.abs(field).mean(axis=(1, 2, 3))
    assert np.corrcoef(size[:200], size[200:])[0, 1] > 0.8  # one strength for both directions of an image
    assert size.max() > 4 * size.min()


# Affine changes


@pytest.mark.parametrize("shape", [(28, 28), (9, 13)])
def test_affine_change_is_that_of_keras_image_generator(shape, monkeypatch):
    """For the same draws: one resampling for rotation, shift, shear and zoom together."""
    from keras.src.legacy.preprocessing.image import apply_affine_transform

    from toile.training.augment.affine import AffineTransform

    count = 6
    images = np.random.default_rng(1).integers(0, 256, (count, *shape, 2)).astype(np.float32)
    spec = Augmentation(rotation=30.0, zoom=0.2, shear=15.0, shift=(0.1, 0.2))
    layer = AffineTransform(spec)
    drawn = [np.asarray(one).reshape(-1) for one in layer.drawn(count, *shape)]
    monkeypatch.setattr(layer, "drawn", lambda *_: [one.reshape(-1, 1, 1) for one in drawn])
    found = np.asarray(layer(images, training=True))
    for at, (angle, shear, down, right, zoom_x, zoom_y) in enumerate(np.array(drawn).T):
        # Its `tx` moves along x whatever its documentation says of height and width.
        expected = apply_affine_transform(
            images[at], theta=np.degrees(angle), tx=right, ty=down, shear=np.degrees(shear), zx=zoom_x, zy=zoom_y,
            row_axis=0, col_axis=1, channel_axis=2, fill_mode="nearest",
        ) if shape[0] == shape[1] else _affine(images[at], angle, shear, down, right, zoom_x, zoom_y)  # fmt: skip
        np.testing.assert_allclose(found[at], expected, atol=0.05)


def _affine(image, angle, shear, down, right, zoom_x, zoom_y):
    """The same by SciPy. (Keras's function takes the centre of an image that is not square for another place.)"""
    cos, sin = np.cos(angle), np.sin(angle)
    rotation, shearing = np.array([[cos, -sin], [sin, cos]]), np.array([[1, -np.sin(shear)], [0, np.cos(shear)]])
    centre = (np.array(image.shape[1::-1]) - 1) / 2
    matrix = rotation @ shearing @ np.diag([zoom_x, zoom_y])
    offset = centre + rotation @ [right, down] - matrix @ centre
    # From (x, y) to (row, column).
    return np.stack([
        ndimage.affine_transform(channel, matrix[::-1, ::-1], offset[::-1], order=1, mode="nearest")
        for channel in np.moveaxis(image, 2, 0)
    ], axis=2)  # fmt: skip


def test_affine_draws_stay_in_their_ranges():
    from toile.training.augment.affine import AffineTransform

    spec = Augmentation(rotation=30.0, zoom=0.2, shear=15.0, shift=(0.1, 0.25))
    angle, shear, down, right, zoom_x, zoom_y = (np.asarray(one) for one in AffineTransform(spec).drawn(500, 20, 40))
    most = (np.radians(30), np.radians(15), 2.0, 10.0, 0.2, 0.2)
    for values, limit in zip((angle, shear, down, right, zoom_x - 1, zoom_y - 1), most, strict=True):
        assert 0.9 * limit < np.abs(values).max() <= limit * (1 + 1e-6)
        assert abs(values.mean()) < 0.15 * limit
    assert (zoom_x != zoom_y).all()


def test_elastic_distortion_of_no_strength_is_none():
    images = some_images(SHAPE, 4)
    np.testing.assert_array_equal(augmented(augmenter(Augmentation(elastic=Elastic(alpha=(0.0, 0.0)))), images), images)


def test_images_keep_their_digits_in_bfloat16():
    """The model's precision is not the augmentation's."""
    import keras

    images, plain = some_images(SHAPE, 6), augmenter(Augmentation(**ALL))
    expected = augmented(plain, images)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(augmented(augmenter(Augmentation(**ALL)), images), expected)
    finally:
        keras.config.set_dtype_policy("float32")


# Trainings


@pytest.mark.slow
def test_killed_augmented_training_goes_on_bit_identically(tmp_path):
    trial = make_trial(options={"hidden": [4], "dropout": 0.2}, epochs=2, augmentation=SOME)
    whole, resumed = make_store(tmp_path / "whole"), make_store(tmp_path / "resumed")
    train_elsewhere(trial, whole)
    train_and_die(trial, resumed, 1)
    assert [event["epoch"] for event in train_elsewhere(trial, resumed)] == [2]
    assert_same_result(resumed, whole, trial)


def test_augmented_model_is_saved_without_its_augmentation(tmp_path):
    import keras

    store, trials = make_store(tmp_path), [make_trial(epochs=1, augmentation=spec) for spec in (SOME, False)]
    for trial in trials:
        train_elsewhere(trial, store)
    augmented_run, plain = (store.get(trial.fingerprint) for trial in trials)
    model = keras.models.load_model(augmented_run.model_path, compile=False)
    assert not [layer.name for layer in model.layers if "random" in layer.name or "elastic" in layer.name]
    assert recipe.generators(model) == []
    assert augmented_run.provenance["parameters"] == plain.provenance["parameters"] == model.count_params()
    ours, theirs = weights(augmented_run.model_path), weights(plain.model_path)
    assert [array.shape for array in ours] == [array.shape for array in theirs]
    assert any((one != other).any() for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_augmented_training_on_another_backend(backend, tmp_path):
    store = make_store(tmp_path)
    trial = make_trial(options={"hidden": [4]}, backend=backend, epochs=1, augmentation=SOME)
    assert [event["event"] for event in work(trial, store)] == ["epoch", "done"]
    assert np.isfinite(store.get(trial.fingerprint).history[0]["loss"])
