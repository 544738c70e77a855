"""All samplers propose the same again, whatever ended first; several seeds and folds count as one figure."""

from __future__ import annotations

from statistics import fmean

import pytest

from tests.search.fixture import NUMBERS, carried_out, imagine, make_search, make_study, said
from toile.reports.page.html import render
from toile.reports.results.gather import gather
from toile.search.outcome import outcome
from toile.store.store import Store

# Optuna begins by chance: with ten proposals for the Gaussian process, with one for CMA-ES.
TRIALS = 13


def search(store: Store, sampler: str, **more) -> list[tuple[str, int, float]]:
    return said(carried_out(store, make_study(trials=TRIALS, width=2, space=NUMBERS, sampler=sampler), **more))


@pytest.mark.parametrize("sampler", ["cma-es", "gp"])
def test_no_order_and_no_end_makes_a_difference(sampler, tmp_path):
    if sampler == "gp":
        pytest.importorskip("torch", reason="the extra torch is not installed")
    found = search(Store(tmp_path / "a"), sampler)
    assert found == search(Store(tmp_path / "b"), sampler, choose=lambda open_: open_[-1], again=lambda: True)
    assert found != search(Store(tmp_path / "c"), "random")
    assert len({values for values, _, _ in found}) >= TRIALS - 1


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    """A search with two seeds and three folds, which is over."""
    store = Store(tmp_path_factory.mktemp("store"))
    study = make_study(trials=3, width=1, study={"seeds": [0, 1], "split": {"folds": 3}}, epochs=3)
    carried_out(store, study)
    made = make_search(store, study)
    store.keep(made.dataset, made.requested)
    return made


def test_the_figure_of_a_step_is_the_mean_over_seeds_and_folds(folded):
    walk = folded.walk
    for i, known in enumerate(walk.outcomes):
        trials = walk.trials(i)
        assert {(one.trial.seed, one.trial.fold) for one in trials} == {(seed, fold) for seed in (0, 1) for fold in range(3)}
        runs = [folded.store.get(one.fingerprint) for one in trials]
        assert known.value == pytest.approx(fmean(run.metrics["validation"]["accuracy"] for run in runs), abs=1e-12)
        # So long a rung took, beyond the one before it: an epoch of each takes a second.
        assert known.seconds == len(trials) * (walk.epochs(i) - walk.before(i))


def test_a_step_is_known_when_all_its_seeds_and_folds_are(tmp_path):
    store, study = Store(tmp_path), make_study(trials=2, width=1, study={"seeds": [0, 1]}, space=NUMBERS)
    walk = make_search(store, study).walk
    first, second = walk.trials(0)
    imagine(store, second)
    assert walk.advance() == [0] and walk.outcomes == [None]
    imagine(store, first)
    assert walk.advance() == [1]


def test_every_image_counts_once_a_seed_in_the_pick(folded):
    pick = outcome(folded).pick
    assert len(pick.trainings) == 6 and len(pick.said) == 2
    # The folds hold out all that is trained on, each image once.
    for one in pick.said:
        assert len(one.labels) == len(folded.dataset.train.labels)
    assert pick.figure == pytest.approx(fmean(pick.per_image("accuracy")), abs=1e-2)
    assert 0 <= outcome(folded).elsewhere <= pick.figure + 0.2


def test_the_report_of_seeds_and_folds(folded):
    results = gather(folded)
    assert len(results.search.rows) == 3 and set(results.search.pick) == {one.name for one in outcome(folded).pick.trainings}
    assert '<section id="search">' in render(results)
