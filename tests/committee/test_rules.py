"""Laws of the rules, over every one by name: a new rule gets these tests for free."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.committee.fixture import UNWEIGHTED, weights_for
from toile.committee.rules import RULES, combine
from toile.errors import Misuse
from toile.evaluation.predictions import Predictions


@st.composite
def committees(draw, most: int = 5) -> np.ndarray:
    """`(members, images, classes)` float32: smooth, one-hot and coarse probabilities, with many ties and zeros."""
    members, images, classes = draw(st.integers(1, most)), draw(st.integers(1, 6)), draw(st.integers(2, 5))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    concentration = draw(st.sampled_from([0.01, 0.3, 1.0, 20.0]))
    probabilities = generator.dirichlet(np.full(classes, concentration), (members, images))
    if draw(st.booleans()):
        probabilities = np.eye(classes)[probabilities.argmax(axis=2)]
    elif draw(st.booleans()):
        probabilities = np.round(probabilities * 4) + 1
        probabilities /= probabilities.sum(axis=2, keepdims=True)
    return probabilities.astype(np.float32)


@pytest.mark.parametrize("name", RULES)
@given(members=committees())
@settings(max_examples=40, deadline=None)
def test_every_rule_gives_probabilities(name, members):
    result = RULES[name](members, weights_for(name, len(members), members.shape[2]))
    assert result.shape == members.shape[1:]
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1
    np.testing.assert_allclose(result.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", UNWEIGHTED)
@given(members=committees(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_unweighted_rules_ignore_the_order_of_members_to_the_bit(name, members, seed):
    order = np.random.default_rng(seed).permutation(len(members))
    np.testing.assert_array_equal(RULES[name](members, None), RULES[name](members[order], None))


@pytest.mark.parametrize("name", RULES)
@given(members=committees(most=1))
@settings(max_examples=25, deadline=None)
def test_one_member_is_itself(name, members):
    result = RULES[name](members, weights_for(name, 1, members.shape[2]))
    np.testing.assert_array_equal(result.argmax(axis=1), members[0].argmax(axis=1))
    if name != "vote":
        np.testing.assert_allclose(result, members[0], atol=1e-6)


@pytest.mark.parametrize("name", [name for name in RULES if name != "vote"])
@given(members=committees(most=1), copies=st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_members_that_say_the_same_are_one(name, members, copies):
    result = RULES[name](np.repeat(members, copies, axis=0), weights_for(name, copies, members.shape[2]))
    np.testing.assert_allclose(result, members[0], atol=1e-6)
    if name == "mean":
        np.testing.assert_array_equal(result, members[0])


@given(members=committees(), weight=st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_equal_weights_are_the_mean(members, weight):
    equal = RULES["weighted-mean"](members, [weight] * len(members))
    np.testing.assert_allclose(equal, RULES["mean"](members, None), atol=1e-6)


@pytest.mark.parametrize("name", RULES)
@given(members=committees())
@settings(max_examples=25, deadline=None)
def test_what_all_members_decide_clearly_the_committee_decides(name, members):
    """Clearly: with more than half of the probability. With less, the median of each class may order them otherwise."""
    decisions = members.argmax(axis=2)
    sure = (decisions == decisions[0]).all(axis=0) & (members.max(axis=2) > 0.501).all(axis=0)
    result = RULES[name](members, weights_for(name, len(members), members.shape[2]))
    np.testing.assert_array_equal(result.argmax(axis=1)[sure], decisions[0][sure])


def test_figures_by_hand():
    members = np.array([[[0.9, 0.1]], [[0.6, 0.4]], [[0.3, 0.7]]], np.float32)
    assert RULES["mean"](members, None)[0] == pytest.approx([0.6, 0.4])
    assert RULES["median"](members, None)[0] == pytest.approx([0.6, 0.4])
    assert RULES["vote"](members, None)[0] == pytest.approx([2 / 3, 1 / 3])
    assert RULES["weighted-mean"](members, [0, 0, 5])[0] == pytest.approx([0.3, 0.7])
    squared, root = np.array([0.6, 0.4]) ** 2, np.array([0.3, 0.7]) ** 0.5
    greedy = 0.25 * squared / squared.sum() + 0.75 * root / root.sum()
    assert RULES["greedy"](members, [(0, 1), (0.25, 2), (0.75, 0.5)])[0] == pytest.approx(greedy)
    product = np.array([0.9 * 0.6 * 0.3, 0.1 * 0.4 * 0.7]) ** (1 / 3)
    assert RULES["geometric-mean"](members, None)[0] == pytest.approx(product / product.sum())


def test_a_tied_vote_goes_to_the_higher_mean_probability():
    members = np.array([[[0.6, 0.4, 0.0]], [[0.1, 0.9, 0.0]]], np.float32)
    result = RULES["vote"](members, None)[0]
    assert result.argmax() == 1
    assert result == pytest.approx([0.5, 0.5, 0], abs=1e-5)
    equal = np.array([[[0.2, 0.8, 0.0]], [[0.0, 0.2, 0.8]]], np.float32)  # mean: 0.1, 0.5, 0.4
    assert RULES["vote"](equal, None)[0].argmax() == 1


def test_geometric_mean_survives_a_zero_and_median_of_nothing_is_the_mean():
    members = np.eye(3, dtype=np.float32)[:, None, :]
    assert RULES["geometric-mean"](members, None)[0] == pytest.approx([1 / 3] * 3)
    assert RULES["median"](members, None)[0] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("name", UNWEIGHTED)
def test_unweighted_rules_refuse_weights(name):
    with pytest.raises(Misuse, match=f"'{name}' takes no weights"):
        RULES[name](np.full((2, 1, 2), 0.5), (0.5, 0.5))


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (None, "needs weights"),
        ([1.0], r"shape \(1,\) for 2 members"),
        ([1.0, -1.0], "from 0 up"),
        ([0.0, 0.0], "one of them above 0"),
        ([np.nan, 1.0], "finite"),
    ],
)
def test_impossible_weights(weights, said):
    with pytest.raises(Misuse, match=said):
        RULES["weighted-mean"](np.full((2, 1, 2), 0.5), weights)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (None, "needs a weight and an exponent"),
        ([0.5, 0.5], r"shape \(2,\) for 2 members"),
        ([(1.0, 1.0), (1.0, -1.0)], "from 0 up"),
        ([(0.0, 1.0), (0.0, 1.0)], "one of them above 0"),
    ],
)
def test_impossible_weights_of_greedy(weights, said):
    with pytest.raises(Misuse, match=said):
        RULES["greedy"](np.full((2, 1, 2), 0.5), weights)


def predictions(probabilities, labels=(0, 1), split="test") -> Predictions:
    return Predictions(split, np.array(probabilities, np.float32), np.array(labels))


def test_combine_keeps_split_and_labels():
    a, b = predictions([[1, 0], [0.5, 0.5]]), predictions([[0, 1], [0.1, 0.9]])
    both = combine([a, b], "mean")
    assert both.split == "test"
    assert both.labels.tolist() == [0, 1]
    np.testing.assert_allclose(both.probabilities, [[0.5, 0.5], [0.3, 0.7]], atol=1e-6)
    np.testing.assert_allclose(combine([a, b], "weighted-mean", (3, 1)).probabilities[0], [0.75, 0.25], atol=1e-6)


def test_combine_refuses_what_does_not_belong_together():
    a = predictions([[1, 0], [0, 1]])
    for b, said in (
        (predictions([[1, 0], [0, 1]], split="validation"), "differ in split: member 1 has test, member 2 validation"),
        (predictions([[1, 0]], labels=[0]), "differ in shape"),
        (predictions([[1, 0], [0, 1]], labels=[1, 1]), "1 of 2 labels differ between member 1 and member 2"),
    ):
        with pytest.raises(Misuse, match=said):
            combine([a, b], "mean")
    with pytest.raises(Misuse, match="no members"):
        combine([], "mean")
    with pytest.raises(Misuse, match="did you mean 'geometric-mean'"):
        combine([a], "geometric_mean")
