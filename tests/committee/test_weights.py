from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.committee.fixture import member as labelled_member
from toile.committee.rules import combine
from toile.committee.weights import fit
from toile.errors import Misuse
from toile.evaluation import predictions
from toile.evaluation.metrics import loss
from toile.evaluation.predictions import Predictions

LABELS = np.random.default_rng(0).integers(0, 4, 150)
member = partial(labelled_member, LABELS)


def committee_loss(members: list[Predictions], weights) -> float:
    return loss(combine(members, "weighted-mean", weights).probabilities, LABELS)


@given(st.lists(st.floats(-1, 4), min_size=1, max_size=4), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_no_other_weights_are_better(strengths, seed):
    members = [member(seed + i, strength) for i, strength in enumerate(strengths)]
    fitted = fit(members)
    assert fitted == fit(members)
    assert sum(fitted) == pytest.approx(1)
    assert min(fitted) >= 0
    least = committee_loss(members, fitted)
    others = np.random.default_rng(seed).dirichlet(np.ones(len(members)), 20)
    for weights in [*others, *np.eye(len(members)), np.full(len(members), 1 / len(members))]:
        assert least <= committee_loss(members, weights) + 1e-5


def test_as_scipy():
    from scipy.optimize import minimize

    members = [member(1, 1.0), member(2, 2.0), member(3, 1.5)]
    found = minimize(
        lambda weights: committee_loss(members, np.clip(weights, 1e-9, None)),
        np.full(3, 1 / 3),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
    )
    assert committee_loss(members, fit(members)) <= found.fun + 1e-6


def test_a_member_that_knows_nothing_counts_nothing_and_equals_count_equally():
    good, bad = member(1, 4.0), member(2, -2.0)
    assert fit([good, bad]) == (1.0, 0.0)
    assert fit([good, good]) == (0.5, 0.5)
    assert fit([bad]) == (1.0,)


def test_the_test_set_picks_no_weights():
    with pytest.raises(predictions.TestSetUsed, match="fit committee weights"):
        fit([member(1, 1.0, "test"), member(2, 1.0, "test")])
    with pytest.raises(Misuse, match="training set"):
        fit([member(1, 1.0, "train")])
    assert fit([member(1, 1.0, "out-of-fold")]) == (1.0,)


def test_members_have_to_belong_together():
    with pytest.raises(Misuse, match="differ in split"):
        fit([member(1, 1.0), member(2, 1.0, "out-of-fold")])
    with pytest.raises(Misuse, match="no members"):
        fit([])
