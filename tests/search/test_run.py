"""Searches carried out: by workers that make their runs up, killed and on a cluster; and by real trainings."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from tests.runner.fixture import in_process_cluster
from tests.search.fixture import NUMBERS, Imagined, ImaginedWorker, make_search, make_study, said
from tests.training.fixture import train_elsewhere
from toile import api
from toile.errors import Misuse, ToileError
from toile.runner import baselines, limit
from toile.runner.events import Event
from toile.runner.executors import local
from toile.runner.executors.cluster import Cluster
from toile.runner.executors.local import Local
from toile.runner.run import TrialsFailed
from toile.search import run
from toile.search.pruning import FAILED
from toile.store.store import Store

STUDY = make_study(trials=12, width=2, epochs=4, factor=2)
KILLS = 10


def figures(store: Store) -> dict[str, tuple]:
    """What each run says: its history without times, and its probabilities."""
    found = {}
    for one in store.runs():
        history = [{key: value for key, value in row.items() if key != "seconds"} for row in one.history]
        found[one.fingerprint] = (history, one.probabilities("validation").tobytes(), one.probabilities("test").tobytes())
    return found


# Workers that make their runs up


def _search_for_some_writes(root: Path, writes: int) -> NoReturn:
    left = iter(range(writes))
    os.fsync = lambda number: None if next(left, None) is not None else os.kill(os.getpid(), signal.SIGKILL)
    run.search(make_search(Store(root), STUDY), executor=Imagined())
    os._exit(0)


def _killed_again_and_again(root: Path) -> None:
    """Search in processes of which each is killed at a write, some writes after the one before."""
    make_search(Store(root.with_name("unused")), STUDY)  # all is loaded before the first fork
    for kills in range(KILLS):
        if (child := os.fork()) == 0:
            _search_for_some_writes(root, 20 + 7 * (kills % 5))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kills_at_any_write_make_no_difference(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_killed_again_and_again, args=(tmp_path / "killed",))
    process.start()
    run.search(make_search(Store(tmp_path / "once"), STUDY), executor=Imagined())
    process.join()
    assert process.exitcode == 0
    killed, once = Store(tmp_path / "killed"), Store(tmp_path / "once")
    assert 0 < len(killed.runs()) < len(once.runs())
    run.search(make_search(killed, STUDY), executor=Imagined())
    assert said(make_search(killed, STUDY).walk) == said(make_search(once, STUDY).walk)
    assert figures(killed) == figures(once)


def test_on_a_cluster_as_here(tmp_path, monkeypatch):
    """What goes on there goes on from its checkpoint, which comes back with its runs, and goes wherever it is gone on with."""
    study = make_study(epochs=2, space=NUMBERS, trials=2, width=1, factor=2)
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    run.search(make_search(here, study), executor=Imagined())
    monkeypatch.setattr(local, "Worker", ImaginedWorker)
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
        assert whole.provenance["sessions"] == [{"from_epoch": 1}]


def test_a_loss_that_is_no_number_stops_nothing(tmp_path):
    space = {"architecture": {"name": ["mlp"]}, "recipe": {"optimizer": {"name": ["sgd"], "learning_rate": [0.01, 1e30]}}}
    study = make_study(epochs=2, space=space, trials=4, width=1, factor=2, sampler="random")
    run.search(make_search(Store(tmp_path), study), executor=Imagined())
    plan = make_search(Store(tmp_path), study)
    assert plan.walk.ended and {known.value == FAILED for known in plan.walk.outcomes} == {True, False}
    # It took a while to find out, the first time.
    assert sum(known.seconds for known in plan.walk.outcomes if known.value == FAILED) > 0
    told = []
    assert run.search(plan, executor=Imagined(), tell=told.append) == [] and not told


def test_a_search_that_waits_for_a_damaged_run_has_failed(tmp_path):
    study = make_study(trials=4, width=1, epochs=2, factor=2)
    run.search(make_search(Store(tmp_path), study), executor=Imagined())
    whole = len(Store(tmp_path).runs())
    damaged = make_search(Store(tmp_path), study).walk.trials(1)[0]
    (Store(tmp_path).runs_folder / damaged.fingerprint / "history.csv").write_text("x")
    with pytest.raises(TrialsFailed, match=r"history\.csv is damaged.*`toile check --repair` sets the run aside"):
        run.search(make_search(Store(tmp_path), study), executor=Imagined())
    api.check(store=tmp_path, repair=True)
    assert run.search(make_search(Store(tmp_path), study), executor=Imagined()) == [damaged.fingerprint]
    assert len(Store(tmp_path).runs()) == whole


def test_all_that_is_needed_is_in_one_hold(tmp_path):
    """A hold is an open file, and a search may have thousands of steps."""
    holds = []
    run.search(
        make_search(Store(tmp_path), STUDY), executor=Imagined(),
        tell=lambda event: holds.append([len(json.loads(path.read_text())) for path in tmp_path.glob("holds/*.json")]),
    )  # fmt: skip
    assert {len(held) for held in holds} == {1} and holds[-1][0] > holds[0][0]
    assert not list(tmp_path.glob("holds/*"))


def test_a_search_has_baselines_too(tmp_path):
    study = make_study(trials=1, epochs=1, study={"baselines": True})
    run.run(make_search(Store(tmp_path), study), executor=Imagined())
    plan = make_search(Store(tmp_path), study)
    assert baselines.kept(plan, plan.trials[0])["logistic"].keys() == {"validation", "test"}


def test_a_trial_of_the_study_that_fails_keeps_no_search_from_going_on(tmp_path):
    bad = {"name": "bad", "architecture": {"name": "mlp"}, "recipe": {"optimizer": {"name": "sgd", "learning_rate": 1e30}}}
    study = make_study(trials=2, epochs=1, study={"trial": [bad]})
    with pytest.raises(TrialsFailed, match="1 trial failed:\n  bad: the loss is nan"):
        run.run(make_search(Store(tmp_path), study), executor=Imagined())
    assert make_search(Store(tmp_path), study).walk.ended


def test_the_minutes_of_a_study_are_those_of_all_its_trainings(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(run.runs, "run", lambda plan, **how: given.append(how["minutes"]) or [])
    study = make_study(trials=1, epochs=1, minutes=5.0, study={"trial": [{"name": "own", "architecture": {"name": "mlp"}}]})
    run.run(make_search(Store(tmp_path), study), executor=Imagined())
    run.run(make_search(Store(tmp_path), study), executor=Imagined(), minutes=7.0)
    assert given == [5.0, 7.0]
    with pytest.raises(Misuse, match="--minutes is above 0, got 0"):
        run.run(make_search(Store(tmp_path), study), executor=Imagined(), minutes=0.0)


def test_what_never_ends_in_time_is_said(tmp_path):
    """Or the same command would end at once, again and again, with nothing done."""
    plan = make_search(Store(tmp_path), make_study(trials=4, epochs=1))
    with pytest.raises(ToileError, match=r"waits for 'search 1', which is likely to take \d+ s, and may train for 1 s"):
        run.run(plan, executor=Imagined(), minutes=1 / 60)


def test_nothing_is_begun_that_cannot_end_in_time(tmp_path, monkeypatch):
    plan = make_search(Store(tmp_path), STUDY)
    clock = iter(range(0, 10_000_000, 60))
    monkeypatch.setattr(limit, "time", type("Time", (), {"monotonic": staticmethod(lambda: next(clock))}))
    told = []
    assert run.search(plan, minutes=1.0, executor=Imagined(), tell=told.append) == []
    assert not told and not Store(tmp_path).runs()


# Real trainings


@pytest.fixture(scope="module")
def place() -> Iterator[Local]:
    with Local(1) as made:
        yield made


def test_from_the_proposals_to_the_last_rung(place, tmp_path):
    """By CMA-ES, with two folds, and ended in the middle: each run has the bits of a training of its own."""
    # A cosine looks at how many epochs there will be: a rung has to keep it whole.
    study = make_study(
        epochs=4, space=NUMBERS, recipe={"schedule": "cosine"}, study={"split": {"folds": 2}}, trials=2, width=2, factor=2,
        sampler="cma-es",
    )  # fmt: skip
    store = Store(tmp_path / "search")
    begun: list[Event] = []

    def end(event: Event) -> None:
        begun.append(event)
        if event.kind == "epoch" and event.fields["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.search(make_search(store, study), executor=place, tell=end)
    run.search(make_search(store, study), executor=place)
    plan = make_search(store, study)
    walk = plan.walk
    assert walk.ended and {walk.epochs(i) for i in range(len(walk.steps))} == {1, 2, 4}
    # The same command has nothing to do.
    assert run.search(plan, executor=place) == []
    other = Store(tmp_path / "alone")
    other.prepare()
    other.keep(plan.dataset, plan.requested)
    proposal = walk.proposals[walk.steps[next(i for i in range(len(walk.steps)) if walk.epochs(i) == 4)].proposal]
    for epochs in (2, 4):
        one = proposal.at(epochs)[0]
        train_elsewhere(one.trial, other)
        assert figures(other)[one.fingerprint] == figures(store)[one.fingerprint]
        rates = [row["learning_rate"] for row in other.get(one.fingerprint).history]
        # Half a cosine over four epochs, whatever becomes of it.
        expected = one.trial.recipe.optimizer.options["learning_rate"] * (1 + np.cos(np.pi * np.arange(epochs) / 4)) / 2
        np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_early_stopping_ends_all_rungs_at_once(place, tmp_path):
    """A training that stopped early is the run of every number of epochs that it did not come to."""
    recipe = {"early_stopping": {"patience": 1, "min_delta": 10.0}}
    space = {"architecture": {"name": ["mlp"], "hidden": [[4], [8]]}}
    study = make_study(epochs=4, space=space, recipe=recipe, trials=2, width=1, factor=2)
    run.search(make_search(Store(tmp_path), study), executor=place)
    store = Store(tmp_path)
    plan = make_search(store, study)
    assert plan.walk.ended and max(plan.walk.epochs(i) for i in range(len(plan.walk.steps))) == 4
    assert {len(one.history) for one in store.runs()} == {1, 2}


@pytest.mark.parametrize("batch_size", [32, 1024], ids=["in the middle", "at the last step, so that only the answers are none"])
def test_a_training_whose_loss_is_no_number_is_noted(place, tmp_path, batch_size):
    recipe = {"optimizer": {"name": ["sgd"], "learning_rate": [1e30]}, "batch_size": [batch_size]}
    study = make_study(epochs=2, space={"architecture": {"name": ["mlp"]}, "recipe": recipe}, trials=1, width=1, factor=2)
    run.search(make_search(Store(tmp_path), study), executor=place)
    assert [known.value for known in make_search(Store(tmp_path), study).walk.outcomes] == [FAILED]
