"""Searches that really train: carried out, killed, pruned, and within a time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.runner.fixture import in_process_cluster
from tests.search.fixture import make_search, make_study
from tests.training.fixture import train_elsewhere
from toile.runner import limit
from toile.runner.cluster import Cluster
from toile.runner.events import Event
from toile.runner.local import Local
from toile.search import run
from toile.search.pruning import FAILED
from toile.search.searched import Searched
from toile.store.store import Store

SPACE = {
    "architecture": {"name": ["mlp", "logistic-regression"], "hidden": [[8], [16]], "dropout": {"low": 0.0, "high": 0.5}},
    "recipe": {"optimizer": {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}, "batch_size": [32, 64]},
}
# A cosine looks at how many epochs there will be: a rung has to keep it whole.
STUDY = make_study(epochs=4, space=SPACE, recipe={"schedule": "cosine"}, trials=12, width=2, factor=2)
KILLS = 10


def figures(store: Store) -> dict[str, tuple]:
    """What each run says: its history without times, and its probabilities."""
    found = {}
    for one in store.runs():
        history = [{key: value for key, value in row.items() if key != "seconds"} for row in one.history]
        found[one.fingerprint] = (history, one.probabilities("validation").tobytes(), one.probabilities("test").tobytes())
    return found


def steps(plan: Searched) -> list[tuple[int, int, float]]:
    return [(step.proposal, step.rung, known.value) for step, known in zip(plan.walk.steps, plan.walk.outcomes, strict=True)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Searched:
    store = Store(tmp_path_factory.mktemp("store"))
    with Local(2) as place:
        run.search(make_search(store, STUDY), executor=place)
    return make_search(store, STUDY)


def test_it_ends_with_one_trained_to_its_end(uninterrupted):
    assert uninterrupted.walk.ended and len(uninterrupted.walk.proposals) == 12
    walk = uninterrupted.walk
    in_rungs = [i for i, step in enumerate(walk.steps) if len(walk.proposals[step.proposal].rungs) == 3]
    assert {walk.epochs(i) for i in in_rungs} == {1, 2, 4}
    # The same command has nothing to do.
    assert run.search(uninterrupted) == []


def test_what_goes_on_is_what_it_would_have_been_at_once(uninterrupted, tmp_path):
    """A rung, and a training that went on from it, have the bits of trainings of their own."""
    walk = uninterrupted.walk
    last = next(i for i in range(len(walk.steps)) if walk.epochs(i) == 4)
    proposal = walk.proposals[walk.steps[last].proposal]
    other = Store(tmp_path)
    other.prepare()
    other.keep(uninterrupted.dataset, uninterrupted.requested)
    for epochs in (2, 4):
        (one,) = proposal.at(epochs)
        train_elsewhere(one.trial, other)
        assert figures(other)[one.fingerprint] == figures(uninterrupted.store)[one.fingerprint]
        rates = [row["learning_rate"] for row in other.get(one.fingerprint).history]
        # Half a cosine over four epochs, whatever becomes of it.
        first = proposal.whole[0].trial.recipe.optimizer.options["learning_rate"]
        expected = first * (1 + np.cos(np.pi * np.arange(epochs) / 4)) / 2
        np.testing.assert_allclose(rates, expected, rtol=1e-6)


def _search_until(root: Path, events: int) -> None:
    """Search, and be killed at the event of that number."""
    left = iter(range(events))

    def tell(event: Event) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    with Local(2) as place:
        run.search(make_search(Store(root), STUDY), executor=place, tell=tell)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_ten_kills_make_no_difference(uninterrupted, tmp_path):
    kills, context = 0, multiprocessing.get_context("spawn")
    while kills < KILLS:
        # As a training begins, and at the event after it: an epoch, or the end of another.
        process = context.Process(target=_search_until, args=(tmp_path, 1 + kills % 2))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills == KILLS
    with Local(1) as place:
        run.search(make_search(Store(tmp_path), STUDY), executor=place)
    assert steps(make_search(Store(tmp_path), STUDY)) == steps(uninterrupted)
    assert figures(Store(tmp_path)) == figures(uninterrupted.store)


def test_a_loss_that_is_no_number_stops_nothing(tmp_path):
    space = {"architecture": {"name": ["mlp"]}, "recipe": {"optimizer": {"name": ["sgd"], "learning_rate": [0.01, 1e30]}}}
    study = make_study(epochs=2, space=space, trials=4, width=1, factor=2, sampler="random")
    with Local(1) as place:
        run.search(make_search(Store(tmp_path), study), executor=place)
        plan = make_search(Store(tmp_path), study)
        assert plan.walk.ended and {known.value == FAILED for known in plan.walk.outcomes} == {True, False}
        told = []
        assert run.search(plan, executor=place, tell=told.append) == [] and not told


def test_nothing_is_begun_that_cannot_end_in_time(tmp_path, monkeypatch):
    plan = make_search(Store(tmp_path), STUDY)
    clock = iter(range(0, 10_000_000, 60))
    monkeypatch.setattr(limit, "time", type("Time", (), {"monotonic": staticmethod(lambda: next(clock))}))
    told = []
    with Local(1) as place:
        assert run.search(plan, minutes=1.0, executor=place, tell=told.append) == []
    assert not told and not Store(tmp_path).runs()


def test_early_stopping_ends_all_rungs_at_once(tmp_path):
    """A training that stopped early is the run of every number of epochs that it did not come to."""
    recipe = {"early_stopping": {"patience": 1, "min_delta": 10.0}}
    space = {"architecture": {"name": ["mlp"], "hidden": [[4], [8]]}}
    study = make_study(epochs=8, space=space, recipe=recipe, trials=2, width=1, factor=2)
    with Local(1) as place:
        run.search(make_search(Store(tmp_path), study), executor=place)
    store = Store(tmp_path)
    plan = make_search(store, study)
    assert plan.walk.ended and max(plan.walk.epochs(i) for i in range(len(plan.walk.steps))) == 8
    assert {len(one.history) for one in store.runs()} == {1, 2}


def test_on_a_cluster_as_here(tmp_path):
    """What goes on there goes on from its checkpoint, which comes back with its runs, and goes wherever it is gone on with."""
    space = {"architecture": {"name": ["mlp"], "hidden": [[4], [8]]}}
    study = make_study(epochs=2, space=space, trials=2, width=1, factor=2)
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    with Local(1) as place:
        run.search(make_search(here, study), executor=place)
    # Two clusters, which share nothing: the second has to be sent what the first began.
    for number in (1, 2):
        with in_process_cluster(tmp_path / f"scratch{number}") as address, Cluster(address, workers=1) as place:
            told = []

            def tell(event: Event, told: list[Event] = told, number: int = number) -> None:
                told.append(event)
                if number == 1 and sum(one.kind == "done" for one in told) == 2:
                    raise KeyboardInterrupt

            with contextlib.suppress(KeyboardInterrupt):
                run.search(make_search(there, study), executor=place, tell=tell)
    assert figures(there) == figures(here)
    for store in (here, there):
        (whole,) = [one for one in store.runs() if len(one.history) == 2]
        assert [session["from_epoch"] for session in whole.provenance["sessions"]] == [0, 1]
