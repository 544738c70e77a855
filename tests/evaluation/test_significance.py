from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from toile.errors import Misuse
from toile.evaluation.comparison import compare
from toile.evaluation.predictions import Predictions
from toile.evaluation.significance import PER_IMAGE, bootstrap_difference, mcnemar


def voting(decisions: list[int] | np.ndarray, labels: list[int] | np.ndarray, split: str = "test") -> Predictions:
    return Predictions(split, np.eye(3)[np.asarray(decisions)] * 0.7 + 0.1, np.asarray(labels))


def random(seed: int, images: int = 200, strength: float = 1.0) -> Predictions:
    labels = np.random.default_rng(99).integers(0, 3, images)
    logits = np.random.default_rng(seed).normal(size=(images, 3))
    logits[np.arange(images), labels] += strength
    probabilities = np.exp(logits)
    return Predictions("test", probabilities / probabilities.sum(axis=1, keepdims=True), labels)


def test_counts_by_hand():
    labels = [0, 0, 0, 0, 0, 0]
    test = mcnemar(voting([0, 0, 0, 1, 1, 1], labels), voting([0, 1, 2, 0, 1, 2], labels))
    assert (test.both_right, test.only_a, test.only_b, test.both_wrong) == (1, 2, 1, 2)
    assert test.p_value == 1.0


def test_p_value_is_twice_the_tail_of_a_fair_coin():
    labels = np.zeros(20, int)
    a, b = np.zeros(20, int), np.zeros(20, int)
    a[:2], b[2:12] = 1, 1
    test = mcnemar(voting(a, labels), voting(b, labels))
    assert (test.only_a, test.only_b) == (10, 2)
    assert test.p_value == pytest.approx(2 * binom.cdf(2, 12, 0.5))


def test_equal_predictions_show_no_difference():
    result = compare(random(1), random(1))
    assert result["p_value"] == 1.0
    assert result["loss_interval"] == [0.0, 0.0]
    half = 1.959964**2 / (200 + 1.959964**2)  # of other images they might differ on some
    assert result["interval"] == pytest.approx([-half, half])
    assert result["verdict"] == "no difference shown between A and B (p = 1)"


def test_the_interval_goes_with_the_test():
    """Three images on which the first alone is right are no difference shown, and the interval holds 0."""
    labels = np.zeros(100, int)
    a, b = np.zeros(100, int), np.zeros(100, int)
    b[:3] = 1
    result = compare(voting(a, labels), voting(b, labels))
    assert (result["p_value"], result["difference"]) == (0.25, 0.03)
    assert result["interval"] == list(mcnemar(voting(a, labels), voting(b, labels)).interval())
    assert result["interval"][0] < 0 < result["interval"][1]


def test_a_clear_difference_is_called_one():
    result = compare(random(1, strength=4), random(2, strength=0.5), ("strong", "weak"))
    assert result["differ"] is True
    assert result["verdict"].startswith("strong and weak differ (p < 0.0001): strong alone is right on ")
    low, high = result["interval"]
    assert 0 < low < result["difference"] < high < 1
    assert result["difference"] == pytest.approx(result["accuracies"][0] - result["accuracies"][1])
    low, high = result["loss_interval"]
    assert low < result["loss_difference"] < high < 0
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 3))
@settings(max_examples=25, deadline=None)
def test_swapping_the_two_mirrors_everything(seed_a, seed_b, strength):
    a, b = random(seed_a, 60), random(seed_b, 60, strength)
    forth, back = mcnemar(a, b), mcnemar(b, a)
    assert (forth.only_a, forth.only_b, forth.p_value) == (back.only_b, back.only_a, back.p_value)
    assert forth.both_right + forth.only_a + forth.only_b + forth.both_wrong == 60
    one, other = bootstrap_difference(a, b, resamples=50), bootstrap_difference(b, a, resamples=50)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.low <= one.high


def test_bootstrap_repeats_by_seed_and_agrees_with_the_normal_interval():
    a, b = random(1, 2000, 1.5), random(2, 2000, 1.0)
    first = bootstrap_difference(a, b)
    assert first == bootstrap_difference(a, b)
    assert first != bootstrap_difference(a, b, seed=1)
    differences = (a.predicted == a.labels).astype(float) - (b.predicted == b.labels)
    half = 1.96 * differences.std() / np.sqrt(2000)
    assert (first.low, first.high) == pytest.approx((first.value - half, first.value + half), abs=0.1 * half)


def test_the_quick_way_and_the_general_way_agree(monkeypatch):
    a, b = random(1, 100), random(2, 100)
    quick = bootstrap_difference(a, b, "brier", resamples=30)
    monkeypatch.delitem(PER_IMAGE, "brier")
    slow = bootstrap_difference(a, b, "brier", resamples=30)
    assert slow.value == pytest.approx(quick.value)
    assert (slow.low, slow.high) == pytest.approx((quick.low, quick.high), abs=0.05)


def test_any_metric_can_be_resampled():
    found = bootstrap_difference(random(1, 100, 3), random(2, 100), "roc_auc_ovo", resamples=20)
    assert 0 < found.low <= found.high < 1


def test_only_predictions_of_the_same_images_are_compared():
    a = voting([0, 1, 2], [0, 1, 2])
    for b, said in (
        (voting([0, 1, 2], [0, 1, 2], "validation"), "different splits: test and validation"),
        (voting([0, 1], [0, 1]), "different shapes"),
        (voting([0, 1, 2], [0, 1, 1]), "1 of 3 labels differ"),
    ):
        for function in (mcnemar, bootstrap_difference, compare):
            with pytest.raises(Misuse, match=said):
                function(a, b)


def test_misuse_of_the_bootstrap_is_explained():
    a = voting([0, 1, 1], [0, 1, 1])
    with pytest.raises(Misuse, match="did you mean 'accuracy'"):
        bootstrap_difference(a, a, "acuracy")
    with pytest.raises(Misuse, match="a class has none"):
        bootstrap_difference(a, a, "roc_auc_ovr")
    with pytest.raises(Misuse, match="at least 1"):
        bootstrap_difference(a, a, resamples=0)
