"""Near-duplicates, against every pair compared."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from toile.data.audits import near
from toile.data.audits.audit import audit
from toile.data.audits.near import look_alikes, near_pairs
from toile.data.dataset import Dataset, Images


def smooth(count: int, seed: int, channels: int = 1) -> np.ndarray:
    """Images with large areas, as pictures have them."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 5, 5, channels))
    return np.repeat(np.repeat(small, 4, axis=1), 4, axis=2).astype(np.uint8)


@given(st.integers(0, 10_000), st.integers(2, 40), st.sampled_from([1, 3]), st.floats(0, 40))
@settings(max_examples=30, deadline=None)
def test_none_is_missed_and_none_invented(seed, count, channels, noise):
    random = np.random.default_rng(seed)
    images = smooth(count, seed, channels)
    copies = np.clip(images[random.integers(0, count, count)] + random.normal(0, noise, images.shape), 0, 255).astype(np.uint8)
    images = np.concatenate([images, copies])
    small, _ = near._small(images)
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    both = np.minimum(small @ small.T - near._ALIKE, flat @ flat.T - near._ALIKE_WHOLE)
    clear = np.abs(both) > 1e-4  # rounding decides the others
    found = np.zeros(both.shape, bool)
    found[tuple(near_pairs(images).T)] = True
    upper = np.triu(np.ones(both.shape, bool), 1)
    assert np.array_equal(found[clear & upper], (both > 0)[clear & upper])


def test_light_and_contrast_do_not_count_and_one_colour_is_like_nothing():
    image = smooth(1, 0)[0] // 2
    images = np.stack([image, image + 40, image // 2 * 2, np.full_like(image, 9), np.full_like(image, 9), 255 - image])
    assert near_pairs(images).tolist() == [[0, 1], [0, 2], [1, 2]]
    assert look_alikes(images).tolist() == [0, 0, 0, 1, 2, 3]


def test_of_tiny_images_only_the_same_pixels_count():
    images = np.arange(4)[:, None, None, None] // 2 * 50 + np.arange(9).reshape(1, 3, 3, 1)
    assert near_pairs(images.astype(np.uint8)).tolist() == [[0, 1], [2, 3]]


def test_parts_are_counted_through_as_one_array():
    images = np.concatenate([smooth(9, 3), smooth(9, 3) // 2])
    assert near_pairs(images[:4], images[4:11], images[11:]).tolist() == near_pairs(images).tolist() != []


def test_what_is_not_looked_for_is_said_with_the_way_to_ask(monkeypatch):
    images = Images(smooth(12, 1), np.arange(12) % 2)
    dataset = Dataset("d", images, None, ("a", "b"))
    assert not [one for one in audit(dataset)["warnings"] if "near-duplicates" in one]
    monkeypatch.setattr("toile.data.audits.audit.NEAR_AMONG", 11)
    [said] = [one for one in audit(dataset)["warnings"] if "near-duplicates" in one]
    assert "more than 11 images" in said and "groups = 'near-duplicates'" in said
