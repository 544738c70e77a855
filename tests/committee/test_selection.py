"""Greedy selection beside the loop that its papers write down, and what its budgets and bags promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from tests.committee.fixture import member
from toile.committee import log_pool, selection
from toile.committee.rules import combine
from toile.committee.selection import select
from toile.committee.tempered import temper
from toile.errors import Misuse
from toile.evaluation import predictions
from toile.evaluation.folds import folds
from toile.evaluation.metrics import loss
from toile.evaluation.predictions import Predictions

LABELS = np.random.default_rng(0).integers(0, 4, 300)


def library(count: int, seed: int = 0, labels: np.ndarray = LABELS) -> list[Predictions]:
    strengths = np.random.default_rng(seed).uniform(0, 3, count)
    return [member(labels, seed + i, strength) for i, strength in enumerate(strengths)]


def tempered(one: Predictions, fit_on: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """The exponent of the least loss, as SciPy finds it, on all images or some; and what all labels get with it."""
    logs = np.log(np.maximum(one.probabilities.astype(np.float64), 1e-7))
    every = np.arange(len(one))

    def losses(exponent: float) -> np.ndarray:
        return np.log(np.exp(exponent * logs).sum(axis=1)) - exponent * logs[every, one.labels]

    some = every if fit_on is None else fit_on
    found = minimize_scalar(
        lambda exponent: losses(exponent)[some].sum() + (exponent - 1) ** 2 / 2, bounds=(0.01, 20), method="bounded",
        options={"xatol": 1e-12},
    ).x  # fmt: skip
    return found, np.exp(-losses(found))


def of_labels(candidates: list[Predictions]) -> np.ndarray:
    return np.stack([tempered(one)[1] for one in candidates])


def rows(candidates: list[Predictions], weights: object) -> np.ndarray:
    """Weights with each candidate's own exponent, as the rule takes them."""
    return np.stack([np.asarray(weights, np.float64), [tempered(one)[0] for one in candidates]], axis=1)


def reference(of_label: np.ndarray, picks: int) -> list[float]:
    """The loop of AutoGluon's EnsembleSelection (and of Caruana et al. 2004) with log loss, after the sorted start: weights."""
    order = np.argsort(-np.log(of_label).sum(axis=1), kind="stable")[: selection.START]
    starts = [np.log(of_label[order[:size]].mean(axis=0)).mean() for size in range(1, len(order) + 1)]
    chosen = list(order[: int(np.argmax(starts)) + 1])
    while len(chosen) < picks:
        scores = [np.log(of_label[[*chosen, one]].mean(axis=0)).mean() for one in range(len(of_label))]
        chosen.append(int(np.argmax(scores)))
    trajectory = [-np.log(of_label[chosen[: size + 1]].mean(axis=0)).mean() for size in range(picks)]
    best = int(np.argmin(trajectory)) + 1
    return (np.bincount(chosen[:best], minlength=len(of_label)) / best).tolist()


@given(st.integers(1, selection.LEAST_IN_BAG), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_in_one_bag_it_is_the_loop_that_the_papers_write_down(count: int, seed: int) -> None:
    candidates = library(count, seed)
    assert select(candidates).weights == pytest.approx(reference(of_labels(candidates), selection.PICKS))


def autogluon(of_label: np.ndarray, picks: int) -> list[float]:
    """AutoGluon's EnsembleSelection as its description has it (`ensemble_selection.py`, with log loss), written anew: from
    nothing, one model after another, whichever makes the mean best; the shortest of the best trajectory is kept. It draws among
    equal scores, and there are none among these models."""
    chosen: list[int] = []
    trajectory: list[float] = []
    while len(chosen) < picks:
        scores = [-np.log(of_label[[*chosen, one]].mean(axis=0)).mean() for one in range(len(of_label))]
        chosen.append(int(np.argmin(scores)))
        trajectory.append(min(scores))
    best = trajectory.index(min(trajectory)) + 1
    return (np.bincount(chosen[:best], minlength=len(of_label)) / best).tolist()


@pytest.mark.parametrize("seed", range(4))
def test_beside_autogluon(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without the sorted start, which AutoGluon has not by default, of candidates at their temperatures; and not
    worse on the same arrays with it, and than without temperatures."""
    candidates = library(9, seed)
    theirs = autogluon(of_labels(candidates), selection.PICKS)
    ours = select(candidates)
    mine, its = (
        loss(combine(candidates, "greedy", rows(candidates, of)).probabilities, LABELS) for of in (ours.weights, theirs)
    )
    assert mine <= its + 1e-3
    uncalibrated = autogluon(
        np.stack([one.probabilities[np.arange(len(LABELS)), LABELS] for one in candidates]).astype(np.float64), selection.PICKS
    )
    assert mine <= loss(combine(candidates, "weighted-mean", uncalibrated).probabilities, LABELS) + 1e-3
    monkeypatch.setattr(selection, "START", 1)
    assert select(candidates).weights == pytest.approx(theirs)


def test_a_path_says_what_each_pick_came_to() -> None:
    candidates = library(8)
    found = select(candidates)
    assert found.path.shape == (selection.PICKS, 8)
    np.testing.assert_allclose(found.path.sum(axis=1), 1)
    for pick in (1, 7, selection.PICKS):
        weights = found.path[pick - 1]
        assert np.allclose(weights * pick, np.round(weights * pick)), "picks are whole"
        said = combine(candidates, "greedy", found.rows(pick)).probabilities
        assert found.losses[pick - 1] == pytest.approx(loss(said, LABELS), abs=1e-6)
    assert found.weights == tuple(found.path[found.picks - 1])
    assert found.losses[found.picks - 1] == found.losses.min()


@given(st.integers(2, 40), st.integers(0, 100))
@settings(max_examples=10, deadline=None)
def test_the_order_of_candidates_means_nothing(count: int, seed: int) -> None:
    candidates = library(count, seed)
    order = np.random.default_rng(seed).permutation(count)
    found, other = select(candidates), select([candidates[i] for i in order])
    assert other.weights == tuple(found.weights[i] for i in order)
    np.testing.assert_array_equal(other.nested, found.nested)


def whole(found: selection.Selection, bags: int) -> bool:
    shares = np.array(found.weights) * found.picks * bags
    return bool(np.allclose(shares, np.round(shares)))


def test_many_candidates_go_into_bags_where_that_is_better_by_folds() -> None:
    """Few images and many candidates that know nothing: a lucky one is soon found. Many images: luck is no matter."""
    few = np.random.default_rng(0).integers(0, 4, 40)
    lucky = select([member(few, seed, 1.0) for seed in range(40)])
    assert whole(lucky, selection.BAGS) and not whole(lucky, 1), "weights are picks of all bags"
    many = np.random.default_rng(0).integers(0, 4, 5000)
    alone = select([member(many, seed, strength) for seed, strength in enumerate(np.linspace(0, 3, 12))])
    assert whole(alone, 1), "weights are picks of one selection"
    assert sum(lucky.weights) == pytest.approx(1) == sum(alone.weights)


def test_on_other_images_it_is_not_worse_than_the_loop_of_the_papers() -> None:
    differences = []
    for seed, images in enumerate((60, 300, 3000)):
        generator = np.random.default_rng(seed)
        labels, fresh, strengths = generator.integers(0, 4, images), generator.integers(0, 4, 4000), generator.uniform(0, 2, 40)
        candidates = [member(labels, 100 * seed + i, strength) for i, strength in enumerate(strengths)]
        new = [member(fresh, 7000 + 100 * seed + i, strength) for i, strength in enumerate(strengths)]
        of_label = np.stack([one.probabilities[np.arange(images), labels] for one in candidates]).astype(np.float64)
        found = select(candidates)
        ours = loss(combine(new, "greedy", found.rows(found.picks)).probabilities, fresh)
        theirs = loss(combine(new, "weighted-mean", reference(of_label, selection.PICKS)).probabilities, fresh)
        differences.append(ours - theirs)
    assert np.mean(differences) < 1e-3


def test_the_loss_on_the_images_of_the_selection_is_too_low_by_about_its_optimism() -> None:
    """Candidates that know nothing: whichever seem best are so by chance, and the nested loss says it."""
    generator, differences = np.random.default_rng(1), []
    for seed in range(5):
        labels, fresh = generator.integers(0, 4, 100), generator.integers(0, 4, 20_000)
        candidates = [member(labels, 100 * seed + i, 0.0) for i in range(30)]
        found = select(candidates)
        new = [member(fresh, 5000 + 100 * seed + i, 0.0) for i in range(30)]
        real = loss(combine(new, "greedy", found.rows(found.picks)).probabilities, fresh)
        assert found.losses.min() < real
        differences.append((real - found.losses.min(), found.optimism))
    real, told = np.mean(differences, axis=0)
    assert told > 0 and told == pytest.approx(real, abs=0.6 * real)


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_a_budget_of_members_is_kept_and_the_best_are(budget: int) -> None:
    for count in (6, 30):
        candidates = library(count, seed=4)
        found = select(candidates, {"max_members": budget})
        chosen = np.flatnonzero(found.weights)
        assert 1 <= len(chosen) <= budget
        assert (np.count_nonzero(found.path, axis=1) <= budget).all()
        if budget == 1:
            best = min(loss(one.probabilities, LABELS) for one in candidates)
            assert loss(candidates[chosen[0]].probabilities, LABELS) <= best + 0.02


def test_a_budget_of_parameters_leaves_out_what_it_cannot_pay() -> None:
    candidates = [member(LABELS, i, strength) for i, strength in enumerate((3.0, 2.0, 1.9, 1.8))]
    costs = {"max_parameters": [1000.0, 10.0, 10.0, np.inf]}
    free = select(candidates)
    assert free.weights[0] > 0
    dear = select(candidates, {"max_parameters": 20}, costs)
    assert dear.weights[0] == dear.weights[3] == 0 and dear.weights[1] > 0 and dear.weights[2] > 0
    both = select(candidates, {"max_parameters": 20, "max_members": 1}, costs)
    assert np.count_nonzero(both.weights) == 1
    with pytest.raises(Misuse, match=r"no candidate is within the budget \(max_parameters = 5, and the least of one is 10\)"):
        select(candidates, {"max_parameters": 5}, costs)


def test_of_those_that_say_the_same_the_cheapest_is_one_member() -> None:
    """As a deterministic model with other seeds: a budget is of members, and not of different ones."""
    one, other = member(LABELS, 1, 3.0), member(LABELS, 2, 1.0)
    costs = {"max_parameters": [30.0, 20.0, 10.0, 5.0]}
    found = select([one, one, one, other], {"max_members": 1, "max_parameters": 10}, costs)
    assert found.weights == (0, 0, 1, 0)
    assert select([one, one, one]).weights == (1, 0, 0)


def test_the_test_set_picks_nobody() -> None:
    with pytest.raises(predictions.TestSetUsed, match="cannot select members on the test set"):
        select([member(LABELS, 1, 1.0, "test")])


def test_very_few_images() -> None:
    labels = np.array([0, 1])
    found = select([member(labels, i, 1.0) for i in range(3)])
    assert sum(found.weights) == pytest.approx(1) and np.isfinite(found.nested).all()


def powered(one: Predictions, exponent: float) -> Predictions:
    """The same, surer or less sure of it."""
    said = one.probabilities.astype(np.float64) ** exponent
    return Predictions(one.split, (said / said.sum(axis=1, keepdims=True)).astype(np.float32), one.labels)


@given(st.lists(st.floats(0.4, 2.5), min_size=5, max_size=5), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_of_many_images_how_sure_a_candidate_is_does_not_matter(exponents: list[float], seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, 12_000)
    candidates = library(5, seed, labels)
    others = [powered(one, exponent) for one, exponent in zip(candidates, exponents, strict=True)]
    found, other = select(candidates), select(others)
    assert other.losses.min() == pytest.approx(found.losses.min(), abs=1e-3)
    np.testing.assert_allclose(other.weights, found.weights, atol=0.06)


def test_label_smoothing_is_no_reason_to_leave_a_better_network_out() -> None:
    """As it was: of one that knows more and is unsure, and one that knows less and means what it says, the latter had the least
    loss as they were, and so all of the weight."""
    labels = np.random.default_rng(0).integers(0, 4, 4000)
    better, worse = powered(member(labels, 1, 3.5), 0.3), member(labels, 2, 3.0)
    assert (better.probabilities.argmax(axis=1) == labels).mean() > (worse.probabilities.argmax(axis=1) == labels).mean() + 0.02
    assert loss(better.probabilities, labels) > loss(worse.probabilities, labels) + 0.05
    found = select([better, worse])
    assert found.weights[0] > 0.5
    said = combine([better, worse], "greedy", found.rows(found.picks)).probabilities
    assert loss(said, labels) < loss(worse.probabilities, labels) - 0.05


def test_exponents_are_the_temperatures_of_a_log_pool() -> None:
    labels = np.random.default_rng(0).integers(0, 4, 20_000)
    for strength, power in ((2.0, 0.5), (1.0, 2.0)):
        one = powered(member(labels, 1, strength), power)
        (exponent,) = select([one]).exponents
        assert exponent == pytest.approx(tempered(one)[0], rel=1e-6)
        assert exponent == pytest.approx(log_pool.fit([one])[0], rel=1e-3)


def believed(images: int) -> Predictions:
    """Right on all images and sure of it, but for one: without that one it would be believed far more."""
    said, labels = np.full((images, 3), 0.005), np.arange(images) % 3
    said[np.arange(images), labels] = 0.99
    said[0] = (1e-7, 0.5, 0.5)
    return Predictions("validation", (said / said.sum(axis=1, keepdims=True)).astype(np.float32), labels)


@pytest.mark.parametrize(
    "candidates",
    [
        [believed(20)],
        [powered(member(np.arange(40) % 4, i, 1.5), 0.5) for i in range(3)],
        [powered(member(np.arange(2000) % 4, i, 1.5), 0.5) for i in range(3)],
    ],
    ids=["one image decides", "40 images", "2000 images"],
)
def test_the_nested_loss_is_of_temperatures_that_have_not_seen_the_fold(candidates: list[Predictions]) -> None:
    labels = candidates[0].labels
    fold = folds(labels, 5)
    found = temper(np.stack([one.probabilities for one in candidates]), labels, fold, 5)
    for number in range(5):
        for i, one in enumerate(candidates):
            expected = np.maximum(tempered(one, np.flatnonzero(fold != number))[1], 1e-7)
            np.testing.assert_allclose(found.held[number, i], expected, atol=1e-6)
    assert np.abs(found.held - found.of_label).max() > 1e-4


def test_what_is_very_unlikely_many_times_is_not_impossible() -> None:
    """The loss of 32 images is the logarithm of one product, which must not be 0."""
    labels = np.repeat(np.arange(4), 2000)
    best = np.full((8000, 4), 0.4 / 3)
    best[np.arange(8000), labels] = 0.6
    best[:40] = (1e-7, 1 - 3e-7, 1e-7, 1e-7)
    best = (best / best.sum(axis=1, keepdims=True)).astype(np.float32)
    candidates = [Predictions("validation", best, labels), *(member(labels, i, 0.8) for i in range(2, 8))]
    with np.errstate(all="raise", under="ignore"):
        found = select(candidates)
    assert np.isfinite(found.losses).all() and found.path[0].argmax() == 0


def test_a_candidate_that_is_right_on_all_of_few_images_is_not_believed_without_end() -> None:
    labels = np.arange(40) % 4
    sure = member(labels, 1, 30.0)
    assert (sure.probabilities.argmax(axis=1) == labels).all()
    unsure = powered(sure, 0.1)
    assert 1 < select([unsure]).exponents[0] < 6
    assert select([sure]).exponents[0] == pytest.approx(1, abs=0.1)
