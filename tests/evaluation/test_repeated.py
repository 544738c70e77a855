"""Many comparisons and several trainings: against SciPy, published examples, and what must hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar

from toile.errors import Misuse
from toile.evaluation import comparison
from toile.evaluation.comparison import compare, compare_lines
from toile.evaluation.multiplicity import holm, not_told_apart
from toile.evaluation.predictions import Predictions
from toile.evaluation.repeated import across_folds, across_seeds
from toile.evaluation.significance import McNemar

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


# Holm


def test_holm_by_hand():
    """The smallest times four, the next times three; and never below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []
    with pytest.raises(Misuse, match="from 0 to 1"):
        holm([0.1, float("nan")])


@given(P_VALUES, st.floats(0.001, 0.999))
def test_holm_rejects_what_its_steps_reject(p_values, level):
    """The procedure as Holm gives it: from the smallest p on, as long as p is at most the level divided by those left."""
    rejected = set()
    for step, i in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[i] * (len(p_values) - step) > level:
            break
        rejected.add(int(i))
    assert {i for i, p in enumerate(holm(p_values)) if p <= level} == rejected


def test_what_cannot_all_be_true_counts_once():
    """Of two pairs with two hypotheses each, two can be true at most, until both of a pair are rejected."""
    assert holm([0.01, 0.04, 0.9, 0.8], [0, 1, 0, 1]).tolist() == pytest.approx([0.02, 0.08, 1.0, 1.0])
    assert holm([0.01, 0.04, 0.02, 0.8], [0, 1, 0, 1]).tolist() == pytest.approx([0.02, 0.04, 0.04, 0.8])


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=6))
def test_two_one_sided_tests_are_no_third(pairs):
    """Of a pair, at most one of "no difference", "a is worse" and "b is worse" is true. With the two in the place of their
    larger p-value, which is that of equivalence, nothing else is corrected by more, and equivalence comes out the same."""
    each = holm([p for pair in pairs for p in pair], [number for number in range(len(pairs)) for _ in range(3)]).reshape(-1, 3)
    both = [(difference, max(lower, upper)) for difference, lower, upper in pairs]
    other = holm([p for pair in both for p in pair], [number for number in range(len(pairs)) for _ in range(2)]).reshape(-1, 2)
    np.testing.assert_allclose(np.column_stack([each[:, 0], each[:, 1:].max(axis=1)]), other, rtol=1e-12)


@given(P_VALUES)
def test_holm_is_between_nothing_and_bonferroni(p_values):
    given_, corrected = np.array(p_values), holm(p_values)
    assert (corrected >= given_).all() and (corrected <= np.minimum(given_ * len(given_), 1) + 1e-12).all()


# Groups


def test_one_may_be_in_two_groups():
    assert not_told_apart(3, [(0, 2)]) == [[0, 1], [1, 2]]
    assert not_told_apart(3, []) == [[0, 1, 2]]
    assert not_told_apart(2, [(0, 1)]) == [[0], [1]]
    assert not_told_apart(0, []) == []
    assert len(not_told_apart(18, [(2 * i, 2 * i + 1) for i in range(9)])) == 2**9
    assert not_told_apart(60, [(2 * i, 2 * i + 1) for i in range(30)]) == [], "a thousand million"


@given(st.integers(1, 6), st.data())
@settings(max_examples=60)
def test_groups_are_the_largest_in_which_no_two_differ(count, data):
    every = list(itertools.combinations(range(count), 2))
    differ = set(data.draw(st.lists(st.sampled_from(every), unique=True))) if every else set()
    kept = [
        set(some)
        for size in range(1, count + 1)
        for some in itertools.combinations(range(count), size)
        if not differ & set(itertools.combinations(some, 2))
    ]
    largest = sorted(sorted(some) for some in kept if not any(some < other for other in kept))
    assert not_told_apart(count, sorted(differ)) == largest


# Seeds and folds


def test_seeds_are_scipys_paired_t_test():
    a, b = [0.90, 0.91, 0.905, 0.92, 0.899], [0.89, 0.905, 0.90, 0.90, 0.891]
    test, scipys = across_seeds(a, b), stats.ttest_rel(a, b)
    assert test.p_value == pytest.approx(scipys.pvalue)
    assert test.interval() == pytest.approx(tuple(scipys.confidence_interval(0.95)))
    margin = 0.02
    above = stats.ttest_1samp(np.subtract(a, b), -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(np.subtract(a, b), margin, alternative="less").pvalue
    assert test.equivalence(margin) == pytest.approx(max(above, below))
    assert (test.not_worse(margin), test.turned().not_worse(margin)) == pytest.approx((above, below))


def test_one_that_may_be_better_by_more_is_not_worse():
    """Which equivalence does not say: it is one of its two tests."""
    test = across_seeds([0.909, 0.908, 0.906, 0.911, 0.907], [0.904, 0.906, 0.903, 0.905, 0.902])
    assert test.not_worse(0.003) < 0.005 and test.equivalence(0.003) > 0.5
    assert test.turned().not_worse(0.003) == test.equivalence(0.003)


def test_folds_have_the_variance_of_nadeau_and_bengio():
    """(1/k + held out/trained on) in the place of 1/k, and k - 1 degrees of freedom."""
    a, b, k = np.array([0.80, 0.83, 0.81, 0.85, 0.84]), np.array([0.79, 0.80, 0.81, 0.82, 0.80]), 5
    test, differences = across_folds(a, b, 1 / (k - 1)), a - b
    t = differences.mean() / np.sqrt((1 / k + 1 / (k - 1)) * differences.var(ddof=1))
    assert test.p_value == pytest.approx(2 * stats.t.sf(t, k - 1))
    assert test.p_value > stats.ttest_rel(a, b).pvalue


def test_seeds_of_one_fold_are_no_further_folds():
    """The same folds told again and again say no more than once: fewer degrees of freedom, not more."""
    a, b, folds = [0.80, 0.83, 0.81, 0.85, 0.84], [0.79, 0.80, 0.81, 0.82, 0.80], list(range(5))
    once, thrice = across_folds(a, b, 1 / 4), across_folds(a * 3, b * 3, 1 / 4, folds * 3)
    assert (thrice.trainings, thrice.p_value) == (5, pytest.approx(once.p_value))
    assert thrice.interval() == pytest.approx(once.interval())
    with pytest.raises(Misuse, match="all of one fold, 5 times"):
        across_folds(a, b, 1 / 4, [2] * 5)


def test_no_spread_is_no_certainty():
    test = across_seeds([0.8, 0.7], [0.7, 0.6])
    assert (test.p_value, test.equivalence(0.2)) == (1.0, 1.0)
    assert np.isnan(test.interval()).all()
    for wrong in (([0.8], [0.7]), ([0.8, 0.7], [0.7])):
        with pytest.raises(Misuse, match="two at least"):
            across_seeds(*wrong)
    with pytest.raises(Misuse, match="is above 0"):
        across_folds([0.8, 0.7], [0.7, 0.6], 0)
    for margin in (-1, 0, 1, float("nan")):
        for test in (across_seeds([0.8, 0.7], [0.7, 0.5]), McNemar(10, 5, 5, 0, 1.0)):
            with pytest.raises(Misuse, match="a margin is above 0 and below 1"):
                test.equivalence(margin)


# Equivalence on images


def test_score_interval_of_a_published_example():
    """Bentur et al. 2009, 1 + 1 + 7 + 12 children: -0.517 to -0.026 by Tango's method (Fagerland et al., "Statistical
    Analysis of Contingency Tables", 2017, ch. 8)."""
    assert McNemar(1, 1, 7, 12, 0.07).interval() == pytest.approx((-0.517, -0.026), abs=0.0005)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 200), st.floats(-0.3, 0.3))
@settings(max_examples=60, deadline=None)
def test_score_is_that_of_the_most_likely_share(only_a, only_b, others, at):
    """Tango's closed form against a search for the share of images on which b alone is right."""
    test, n = McNemar(others, only_a, only_b, 0, 1.0), others + only_a + only_b

    def unlikely(share: float) -> float:
        given_, left = share + at, 1 - 2 * share - at
        counted = ((only_a, given_), (only_b, share), (others, left))
        return -sum(count * np.log(max(of, 1e-300)) for count, of in counted if count)

    low, high = max(0.0, -at), (1 - at) / 2
    found = minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    share = min((found.x, low, high), key=unlikely)
    variance = n * (2 * share + at - at * at)
    if variance > 1e-6:
        assert test._score(at) == pytest.approx((only_a - only_b - n * at) / np.sqrt(variance), rel=1e-3, abs=1e-3)


def test_equivalence_needs_images_and_not_only_agreement():
    """Two that are right on the same few images are not shown to be equivalent; on many they are."""
    assert McNemar(20, 0, 0, 0, 1.0).equivalence(0.02) > 0.2
    assert McNemar(9000, 30, 30, 940, 1.0).equivalence(0.002) < 0.01
    assert McNemar(9000, 200, 30, 770, 0.0).equivalence(0.002) > 0.999


def test_not_worse_on_images_by_the_formula_of_tango():
    """As other programs print it: b images on which a alone is right, c on which b alone is, and q the share of the latter that
    is most likely if a is worse by the margin."""
    b, c, n, margin = 40, 55, 1000, 0.03
    q = max(np.roots([2 * n, -(b + c + (2 * n - b + c) * margin), c * margin * (margin + 1)]))
    z = (b - c + n * margin) / np.sqrt(n * (2 * q - margin * (margin + 1)))
    test = McNemar(n - b - c, b, c, 0, 0.15)
    assert test.not_worse(margin) == pytest.approx(stats.norm.sf(z))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 200), st.floats(0.01, 0.5))
@settings(max_examples=50, deadline=None)
def test_not_worse_is_an_end_of_the_interval(only_a, only_b, others, margin):
    test = McNemar(others, only_a, only_b, 0, 1.0)
    if abs(low := test.interval(0.9)[0] + margin) > 1e-6:
        assert (test.not_worse(margin) < 0.05) is (low > 0)
    assert test.equivalence(margin) == max(test.not_worse(margin), test.turned().not_worse(margin))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_interval_mirrors_and_holds_the_difference(only_a, only_b, others):
    if only_a + only_b + others == 0:
        return
    test, other = McNemar(others, only_a, only_b, 0, 1.0), McNemar(others, only_b, only_a, 0, 1.0)
    low, high = test.interval()
    assert -1 <= low <= test.difference <= high <= 1
    assert other.interval() == pytest.approx((-high, -low), abs=1e-6)


# In words


def lines(skill: float, seeds: int = 4) -> list[Predictions]:
    labels = np.random.default_rng(99).integers(0, 3, 300)
    found = []
    for seed in range(seeds):
        scores = np.random.default_rng([seed, int(skill * 10)]).normal(size=(300, 3))
        scores[np.arange(300), labels] += skill
        exponentials = np.exp(scores)
        found.append(Predictions("test", exponentials / exponentials.sum(axis=1, keepdims=True), labels))
    return found


def test_lines_are_compared_over_their_pairs():
    a, b = lines(3.0), lines(1.0)
    found = compare_lines(a, b, ("strong", "weak"), margin=0.01)
    assert (found["over"], found["trainings"], found["differ"]) == ("seeds", 4, True)
    accuracies = [[float((one.predicted == one.labels).mean()) for one in line] for line in (a, b)]
    assert found["accuracies"] == pytest.approx([np.mean(of) for of in accuracies])
    assert found["p_value"] == pytest.approx(stats.ttest_rel(*accuracies).pvalue)
    assert found["verdict"].startswith("strong and weak differ over 4 pairs of trainings (p")
    assert (
        "; not shown to be equivalent within 0.01 (p = 1), but strong is shown to be not worse than weak " in found["verdict"]
    )
    assert found["equivalence"]["not_worse"] == [True, False]
    assert compare_lines(b, a, margin=0.01)["equivalence"]["not_worse"] == [False, True]
    folds = compare_lines(a, b, held_out=1 / 3)
    assert folds["over"] == "folds" and folds["p_value"] > found["p_value"]
    with pytest.raises(Misuse, match="equally many"):
        compare_lines(a, b[:2])
    same = compare_lines(a[:1] * 2, b[:1] * 2)
    assert (same["p_value"], same["interval"], same["loss_interval"]) == (1.0, [None, None], [None, None])


def test_equivalence_is_said_of_two_models():
    a, b = lines(2.0, 2)
    found = compare(a, b, margin=0.5)
    assert found["equivalence"]["equivalent"] is True
    assert found["verdict"].endswith("; shown to be equivalent within 0.5 (p < 0.0001)")
    assert "equivalence" not in compare(a, b)
    near = compare(a, b, margin=0.001)
    assert near["equivalence"]["not_worse"] == [False, False]
    assert near["verdict"].endswith("(p = 0.58), and neither to be not worse than the other by 0.001 or more (p = 0.39)")


def test_a_difference_without_any_spread_is_said_to_be_untestable() -> None:
    """It was "no difference shown, p = 1", however large it was."""
    same, equal = across_seeds([0.9, 0.8], [0.7, 0.6]), across_seeds([0.9, 0.8], [0.9, 0.8])
    told = across_seeds([0.9, 0.8], [0.7, 0.7])
    assert (same.testable, equal.testable, told.testable) == (False, True, True)
    assert comparison._verdict(same, ("a", "b")) == (
        "a is right on 0.2000 more each time over 2 pairs of trainings: without any spread that cannot be tested"
    )
    assert comparison._verdict(equal, ("a", "b")).startswith("no difference shown")
