from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toile.committee.diversity import disagreement, mean_of_members, most_disputed, mutual_information
from toile.errors import Misuse


def random(seed: int, members: int, images: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(4), (members, images)).astype(np.float32)


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_disagreement_is_a_distance(seed, count, images):
    members = random(seed, count, images)
    found = disagreement(members)
    assert found.shape == (count, count)
    assert (np.diag(found) == 0).all()
    assert (found == found.T).all()
    assert found.min() >= 0
    assert found.max() <= 1
    votes = members.argmax(axis=2)
    assert found[0, -1] == pytest.approx(np.mean(votes[0] != votes[-1]))
    for k in range(count):  # the triangle inequality, as of any share of differing places
        assert (found <= found[:, [k]] + found[[k], :] + 1e-12).all()


def one_hot(*votes: list[int]) -> np.ndarray:
    return np.eye(4)[np.array(votes)] * 0.6 + 0.1


def test_ranked_by_votes_then_by_how_surely():
    members = one_hot([0, 0, 0, 0, 3], [0, 1, 1, 1, 3], [0, 2, 0, 0, 3])
    members[1, 3] = [0.05, 0.85, 0.05, 0.05]  # image 3 is disputed more surely than image 2
    assert most_disputed(members, np.zeros(5, int), 10).tolist() == [1, 3, 2]
    assert most_disputed(members, np.zeros(5, int), 1).tolist() == [1]
    assert most_disputed(members, np.zeros(5, int), 0).tolist() == []


def test_equal_disputes_go_by_members_right_then_by_index():
    members = one_hot([0, 0, 0], [1, 1, 1])
    assert most_disputed(members, np.array([0, 0, 3]), 3).tolist() == [2, 0, 1]


def test_nothing_is_disputed_where_all_agree():
    members = random(0, 1, 8)
    labels = np.zeros(8, int)
    assert len(most_disputed(members, labels, 8)) == 0
    assert len(most_disputed(np.repeat(members, 3, axis=0), labels, 8)) == 0


@given(st.integers(0, 10_000), st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_the_order_of_members_means_nothing(seed, count):
    members, labels = random(seed, count, 40), np.arange(40) % 4
    order = np.random.default_rng(seed).permutation(count)
    found = most_disputed(members, labels, 10)
    assert found.tolist() == most_disputed(members[order], labels, 10).tolist()
    votes = members.argmax(axis=2)
    distinct = [len(set(votes[:, i])) for i in found]
    assert distinct == sorted(distinct, reverse=True)
    assert min(distinct, default=2) >= 2


def test_shapes_are_checked():
    with pytest.raises(Misuse, match="members, images, classes"):
        disagreement(np.ones((3, 4)))
    with pytest.raises(Misuse, match="one label an image"):
        most_disputed(random(0, 2, 5), np.zeros(4, int), 2)


def test_mean_of_members_leaves_out_what_one_lacks():
    metrics = [{"accuracy": 0.9, "loss": 0.3, "precision": None}, {"accuracy": 0.8, "loss": 0.5, "precision": 0.7}]
    assert mean_of_members(metrics) == pytest.approx({"accuracy": 0.85, "loss": 0.4})
    assert mean_of_members(metrics, names=("loss",)) == {"loss": pytest.approx(0.4)}
    with pytest.raises(Misuse, match="no members"):
        mean_of_members([])


def test_mutual_information_is_that_computed_by_hand():
    # Both sure and contradicting: log 2. Both undecided: nothing to learn. The same: nothing.
    members = np.array([[[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]], [[0.0, 1.0], [0.5, 0.5], [0.9, 0.1]]])
    np.testing.assert_allclose(mutual_information(members), [np.log(2), 0, 0], atol=1e-12)
