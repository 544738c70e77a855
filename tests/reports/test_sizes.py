"""Committees of fewer of a committee's members, and committees across seeds."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tests.reports.fixture import MODELS, make_results
from tests.runner.fixture import line, make_plan
from toile.committee.rules import RULES
from toile.reports.page.html import render
from toile.reports.plots import sizes
from toile.reports.plots.accuracy import wilson_interval
from toile.runner.plans.committees import groups
from toile.store.store import Store


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("store"))


def accuracy(results, names: tuple[str, ...], rule: str = "mean") -> float:
    members = np.stack([trial.run.probabilities("test") for trial in results.trials if trial.name in names])
    return float((RULES[rule](members, None).argmax(axis=1) == results.test.labels).mean())


def test_each_size_is_all_its_subsets(results):
    (panel,) = sizes.committee_sizes(results)
    assert panel["sizes"] == [1, 2, 3] and panel["title"] == "average of all"
    for size, mean, low, high in zip(panel["sizes"], panel["mean"], panel["low"], panel["high"], strict=True):
        expected = [accuracy(results, names) for names in combinations(MODELS, size)]
        assert mean == pytest.approx(np.mean(expected), abs=1e-12)
        assert (low, high) == (min(expected), max(expected))
    runs = [trial.stored_run.provenance for trial in results.trials]
    together = sum(facts["parameters"] for facts in runs)
    assert panel["parameters"] == pytest.approx([together / 3, together * 2 / 3, together])
    images = len(results.test)
    assert panel["interval"][-1] == pytest.approx(wilson_interval(round(panel["mean"][-1] * images), images))
    assert panel["mean"][0] == pytest.approx(results.committees[0].mean_of_members["accuracy"])
    assert panel["mean"][-1] == pytest.approx(results.committees[0].test["accuracy"])


def test_the_committees_of_several_seeds_are_one_curve(results):
    (committee,) = results.committees
    turned = replace(committee, joined=tuple(reversed(committee.joined)))
    both = tuple(
        replace(one, name=f"c (seed {seed})", line="c", key=(seed, None)) for seed, one in enumerate((committee, turned))
    )
    (panel,) = sizes.committee_sizes(replace(results, committees=both))
    assert (panel["title"], panel["over"]) == ("c", "2 seeds")
    assert np.isnan(panel["interval"][-1]).all(), "both are of the same three, and nothing is known of others"
    (first, *_) = sizes.size_table(replace(results, committees=both)).rows
    assert first[:2] == ["c", "1"] and "over 2 seeds" in first[3]


def test_of_several_committees_over_images_the_mean_varies_less():
    """Between 0 and 1, and as wide as by the plain formula where images are many and few are wrong."""
    generator = np.random.default_rng(0)
    right = generator.random((3, 5000)) < 0.9
    low, high = sizes._over_images(right)
    assert (high - low) / 2 == pytest.approx(1.959964 * right.mean(axis=0).std() / np.sqrt(5000), rel=0.01)
    assert sizes._over_images(np.ones((3, 20), bool)) == wilson_interval(20, 20)
    assert 0 <= sizes._over_images(right[:1, :9])[0] <= sizes._over_images(right[:1, :9])[1] <= 1


def test_committees_of_folds_have_the_corrected_interval(results, monkeypatch):
    """Of five folds, of which three are stored, each with two seeds."""
    (committee,) = results.committees
    (run,) = committee.joined[0].trainings.values()
    monkeypatch.setitem(run.trial["split"], "folds", 5)
    of = (committee, *(replace(committee, joined=tuple(committee.joined[i] for i in pair)) for pair in ((0, 0, 1), (0, 2, 2))))
    both = tuple(
        replace(one, name=f"c (seed {seed}, fold {fold})", line="c", key=(seed, fold))
        for seed in (0, 1)
        for fold, one in enumerate(of)
    )
    (panel,) = sizes.committee_sizes(replace(results, committees=both))
    assert panel["over"] == "3 folds"
    found = [sizes._accuracies(one, results)[0].mean() for one in of]
    spread = np.sqrt((1 / 3 + 1 / 4) * np.var(found, ddof=1))
    assert panel["interval"][0][0] == pytest.approx(max(0, np.mean(found) - 4.302652730 * spread))


def test_of_many_members_the_first_are_taken(results, monkeypatch):
    monkeypatch.setattr(sizes, "MOST", 2)
    (panel,) = sizes.committee_sizes(results)
    assert panel["mean"] == panel["low"] == panel["high"]
    assert panel["mean"] == [accuracy(results, MODELS[:size]) for size in (1, 2, 3)]


def test_weighted_committees_and_pairs_have_no_curve(results):
    (committee,) = results.committees
    for other in (replace(committee, weights=(1.0, 2.0, 3.0)), replace(committee, joined=committee.joined[:2])):
        assert sizes.committee_sizes(replace(results, committees=(other,))) == []


@pytest.mark.parametrize(
    ("lines", "split", "members"),
    [
        ([line("a")], {}, [["a (seed 0)", "a (seed 1)"]]),
        ([line("a"), line("b", seeds=[4, 5])], {}, [["a (seed 0)", "a (seed 1)", "b (seed 4)", "b (seed 5)"]]),
        (
            [line("a")],
            {"folds": 2},
            [["a (seed 0, fold 1)", "a (seed 1, fold 1)"], ["a (seed 0, fold 2)", "a (seed 1, fold 2)"]],
        ),
    ],
    ids=["one line", "other seeds", "folds"],
)
def test_across_seeds_all_trainings_are_members(lines, split, members, tmp_path: Path):
    store = Store(tmp_path)
    names = [one["name"] for one in lines]
    plan = make_plan(store, *lines, seeds=[0, 1], split=split, committee=[{"name": "c", "members": names, "across": "seeds"}])
    found = groups(plan)
    assert [[member.name for member in group.members] for group in found] == members
    assert [group.name for group in found] == (["c (fold 1)", "c (fold 2)"] if split else ["c"])


def test_the_report_shows_it_with_the_committees(results):
    page = render(results)
    assert 'data-picture="committee-sizes-1"' in page and "Accuracy over the number of members" in page
