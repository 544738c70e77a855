"""Confident learning: against a joint counted by hand, and against labels of real digits that the test makes wrong."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from toile.data.sources import digits
from toile.errors import Misuse
from toile.evaluation.label_errors import confident_joint, estimated, label_errors, thresholds
from toile.evaluation.predictions import Predictions

# Labels 0, 0, 0, 0, 1, 1, 1, 1.
BY_HAND = np.array(
    [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7], [0.95, 0.05]], np.float32
)
LABELS = np.repeat([0, 1], 4)


def test_the_joint_is_that_counted_by_hand() -> None:
    np.testing.assert_allclose(thresholds(BY_HAND, LABELS), [2.5 / 4, 2.15 / 4], rtol=1e-6)
    # Above 0.625 for class 0, above 0.5375 for class 1: all eight are confident of one class.
    np.testing.assert_array_equal(confident_joint(BY_HAND, LABELS), [[3, 1], [1, 3]])
    found = label_errors(Predictions("validation", BY_HAND, LABELS))
    assert found.images.tolist() == [7, 3]
    np.testing.assert_allclose(found.margins[[7, 3]], [-0.9, -0.8], rtol=1e-6)


def test_rows_of_the_joint_are_scaled_to_the_labels() -> None:
    probabilities = np.array([[0.9, 0.1, 0], [0.9, 0.1, 0], [0.1, 0.9, 0], [0.5, 0.5, 0]], np.float32)
    labels = np.array([0, 0, 1, 1])
    assert thresholds(probabilities, labels)[2] == np.inf  # a class without images suspects nobody
    np.testing.assert_array_equal(confident_joint(probabilities, labels), [[2, 0, 0], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(estimated(probabilities, labels), [[2, 0, 0], [0, 2, 0], [0, 0, 0]])
    assert len(label_errors(Predictions("out-of-fold", probabilities, labels)).images) == 0


def test_labels_of_digits_that_were_made_wrong_are_found() -> None:
    data, random = digits.load().train, np.random.default_rng(0)
    wrong = np.sort(random.permutation(len(data))[: len(data) // 20])  # one in twenty
    labels = data.labels.copy()
    labels[wrong] = (labels[wrong] + random.integers(1, 10, len(wrong))) % 10
    pixels = data.images[:, ::4, ::4].reshape(len(data), -1) / 255
    said = cross_val_predict(KNeighborsClassifier(10), pixels, labels, cv=5, method="predict_proba")
    found = label_errors(Predictions("out-of-fold", said.astype(np.float32), labels))
    hits = np.isin(found.images, wrong)
    assert hits.sum() >= 0.8 * len(wrong)  # recall
    assert hits.mean() >= 0.7  # precision
    assert hits[: len(wrong) // 2].mean() >= 0.9  # the surest come first
    assert found.margins[found.images].tolist() == sorted(found.margins[found.images])


@pytest.mark.parametrize("part", ["train", "test"])
def test_labels_that_a_model_has_learnt_tell_nothing(part: str) -> None:
    with pytest.raises(Misuse, match="cannot look for label errors on the"):
        label_errors(Predictions(part, BY_HAND, LABELS))  # pyright: ignore[reportArgumentType]: pytest gives text
