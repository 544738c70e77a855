"""Pairs of classes: every pairing once, and the accuracy of the merged predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from toile.reports.ledger.pairings import NEIGHBOURS, fitting_better, merged_accuracy, misfit, pairings, section, spread


@pytest.mark.parametrize(("classes", "count"), [(2, 1), (4, 3), (6, 15), (10, 945)])
def test_every_pairing_once(classes: int, count: int) -> None:
    found = list(pairings(range(classes)))
    assert len(found) == len({frozenset(map(frozenset, one)) for one in found}) == count
    assert all(sorted(sum(one, ())) == list(range(classes)) for one in found)
    assert classes != 10 or NEIGHBOURS in found


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), at=st.integers(0, 944))
def test_accuracy_of_a_pairing_is_that_of_the_merged_labels(seed: int, at: int) -> None:
    drawn = np.random.default_rng(seed)
    labels, predicted = drawn.integers(0, 10, 200), drawn.integers(0, 10, 200)
    pairing = list(pairings(range(10)))[at]
    merged = {one: index for index, pair in enumerate(pairing) for one in pair}
    expected = accuracy_score([merged[one] for one in labels], [merged[one] for one in predicted])
    assert merged_accuracy(confusion_matrix(labels, predicted, labels=range(10)), pairing) == pytest.approx(expected)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), at=st.integers(0, 944))
def test_a_report_fits_the_pairing_that_it_is_of_in_whatever_order(seed: int, at: int) -> None:
    drawn = np.random.default_rng(seed)
    labels = drawn.integers(0, 10, 400)
    predicted = np.where(drawn.random(400) < 0.8, labels, drawn.integers(0, 10, 400))
    pairing = list(pairings(range(10)))[at]
    merged = {one: index for index, pair in enumerate(drawn.permutation(pairing).tolist()) for one in pair}
    said = precision_recall_fscore_support([merged[one] for one in labels], [merged[one] for one in predicted])[:2]
    confusion = confusion_matrix(labels, predicted, labels=range(10))
    assert misfit(confusion, pairing, np.array(said)) == pytest.approx(0, abs=1e-12)
    assert misfit(confusion, pairing, np.array(said) - 0.1) == pytest.approx(0.1)
    assert (fitting_better(confusion, np.array(said)) == 0) == (misfit(confusion, NEIGHBOURS, np.array(said)) < 1e-12)


def test_where_only_neighbours_are_confused_no_pairing_is_better() -> None:
    confusion = 90 * np.eye(10, dtype=int)
    for one, other in NEIGHBOURS:
        confusion[one, other] = confusion[other, one] = 10
    found = spread(confusion)
    assert (found.count, found.neighbours, found.most, found.below) == (945, 1.0, 1.0, 944)
    assert found.least == pytest.approx(0.9)
    assert "| m | 0.9000 | 0.9000 |" in "\n".join(section([("m", confusion)]))
    assert section([]) == []
    report = np.array([np.ones(5), np.ones(5)])
    lines = section([("m", confusion)], report)
    assert lines[-1].endswith("| 944 of 945 | 0 of 945 |") and lines[-3].endswith("| fit better |")
    assert lines[-2].count("--") == lines[-1].count("|") - 1
