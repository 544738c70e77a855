"""Laws of covering an image patch by patch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from toile.errors import Misuse
from toile.serving.occlusion import MOST, covered, patches, relevance

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))


@given(SHAPES, st.integers(1, 40), st.integers(1, 40))
def test_every_pixel_is_covered_and_no_patch_leaves_the_image(shape, size, stride):
    assume(size <= min(shape[:2]) and stride <= size)
    try:
        where = patches(shape, size, stride)
    except Misuse as error:
        assert "take a larger stride" in str(error)
        return
    assert len(where.corners) <= MOST
    seen = np.zeros(shape[:2], bool)
    for row, column in where.corners:
        assert 0 <= row <= shape[0] - size
        assert 0 <= column <= shape[1] - size
        seen[row : row + size, column : column + size] = True
    assert seen.all()


@given(SHAPES)
def test_what_is_left_out_fits_any_image(shape):
    where = patches(shape)
    assert 1 <= where.size <= min(shape[:2])
    assert relevance(np.ones(len(where.corners)), where, shape).shape == shape[:2]


def test_a_patch_has_the_colour_of_the_border_and_nothing_else_changes():
    image = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    image[[0, -1]] = image[:, [0, -1]] = (10, 20, 30)
    before, where = image.copy(), patches(image.shape, 4, 2)
    for one, (row, column) in zip(covered(image, where), where.corners, strict=True):
        area = np.s_[row : row + 4, column : column + 4]
        assert (one[area] == (10, 20, 30)).all()
        one[area] = image[area]
        np.testing.assert_array_equal(one, image)
    np.testing.assert_array_equal(image, before)


def test_each_pixel_is_the_mean_of_the_patches_over_it():
    where = patches((3, 3, 1), 2, 1)
    assert where.corners == ((0, 0), (0, 1), (1, 0), (1, 1))
    found = relevance([1, 2, 3, 4], where, (3, 3, 1))
    np.testing.assert_allclose(found, [[1, 1.5, 2], [2, 2.5, 3], [3, 3.5, 4]])


@pytest.mark.parametrize(("size", "stride"), [(0, 1), (29, 1), (4, 0), (4, 5)])
def test_impossible_patches(size, stride):
    with pytest.raises(Misuse, match="allowed are a patch of 1 to 28 pixels"):
        patches((28, 28, 1), size, stride)


def test_too_many_patches():
    with pytest.raises(Misuse, match="9025 patches; allowed are 1024"):
        patches((96, 96, 3), 2, 1)
