from __future__ import annotations

import numpy as np
import pytest

from toile.errors import Misuse, ToileError
from toile.evaluation import predictions
from toile.evaluation.predictions import NotProbabilities, Predictions, fittable

GOOD = np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
LABELS = np.array([1, 1, 0])


def test_arrays_are_kept_in_one_form_and_read_only():
    theirs = GOOD.astype(np.float32)
    made = Predictions("test", theirs, LABELS.astype(np.uint8))
    assert made.probabilities.dtype == np.float32
    assert made.labels.dtype == np.int64
    assert made.predicted.tolist() == [1, 0, 0]
    assert (len(made), made.classes) == (3, 2)
    with pytest.raises(ValueError, match="read-only"):
        made.probabilities[0, 0] = 1
    theirs[0, 0] = 0.2  # the caller's own array stays writable


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        (GOOD[0], LABELS, "expected floats of shape"),
        (np.eye(3, 2, dtype=int), LABELS, "expected floats of shape"),
        (GOOD[:0], LABELS[:0], "an image and two classes at least"),
        (np.ones((3, 1)), np.zeros(3, int), "an image and two classes at least"),
        (GOOD, LABELS[:2], r"expected whole numbers of shape \(3,\)"),
        (GOOD, LABELS.astype(float), "expected whole numbers"),
        (np.where(GOOD == 0.6, np.nan, GOOD), LABELS, "image 1 are not finite"),
        (np.array([[3.0, -2.0]] * 3), LABELS, "from -2 to 3; allowed is 0..1"),
        (np.where(GOOD == 0.6, 0.5, GOOD), LABELS, "image 1 sum to 0.9"),
        (GOOD, np.array([0, 1, 2]), r"from 0 to 2; allowed is 0\.\.1"),
        (GOOD, np.array([0, 1, -1]), "from -1 to 1"),
    ],
)
def test_anything_else_is_refused_with_the_reason(probabilities, labels, said):
    with pytest.raises(NotProbabilities, match=said):
        Predictions("validation", probabilities, labels)
    assert issubclass(NotProbabilities, ToileError)


def test_rounding_is_no_error():
    rounded = np.array([[1.00005, -0.00005], [0.5004, 0.5004], [0.25, 0.75]])
    assert len(Predictions("validation", rounded, LABELS)) == 3


def test_an_unknown_split_is_told_the_nearest():
    with pytest.raises(Misuse, match="did you mean 'validation'"):
        Predictions("validaton", GOOD, LABELS)


def test_the_test_set_picks_nothing():
    with pytest.raises(predictions.TestSetUsed, match="cannot choose a member on the test set"):
        fittable(Predictions("test", GOOD, LABELS), "choose a member")
    with pytest.raises(Misuse, match="training set"):
        fittable(Predictions("train", GOOD, LABELS), "choose a member")
    for split in ("validation", "out-of-fold"):
        assert fittable(Predictions(split, GOOD, LABELS), "choose a member") is None
