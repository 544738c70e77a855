"""The local executor: what is its own (see `tests.runner.test_executors` for the rest), and once with real trainings."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.runner.fixture import by_name, four, kinds, line, make_plan
from tests.training.fixture import assert_same_result, elsewhere, make_store, train_elsewhere, weights
from toile.runner.events import Event
from toile.runner.executors import local
from toile.runner.executors.executor import execute
from toile.runner.executors.local import Local
from toile.runner.jobs import jobs
from toile.runner.run import run
from toile.store import atomic
from toile.store.run import Run
from toile.store.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def workers(monkeypatch) -> dict[str, local.Worker]:
    """Every worker that is started, by the name of its job."""
    started = {}

    class Known(local.Worker):
        def __init__(self, job, *rest):
            super().__init__(job, *rest)
            started[job.name] = self

    monkeypatch.setattr(local, "Worker", Known)
    return started


def test_killed_worker_fails_its_job_and_the_others_go_on(store, pretenders, workers):
    plan = four(store)
    pretenders.tell({by_name(plan)["b"]: "hang"})

    def tell(event: Event) -> None:
        if event.kind == "epoch" and event.name == "b":
            os.kill(workers["b"].process.pid, signal.SIGKILL)

    errors = execute(jobs(plan.pending()), store, Local(workers=1), tell)
    assert errors == {by_name(plan)["b"]: "the worker was killed by signal SIGKILL; the system may have run out of memory"}
    assert [plan.state(one) for one in plan.trials] == ["stored", "missing", "stored", "stored"]


def test_a_job_that_cannot_be_begun_fails_and_the_others_go_on(store, pretenders, monkeypatch):
    """On a full disk, mostly."""
    plan, write, told = four(store), atomic.write, []
    b = by_name(plan)["b"]

    def full(path: Path, content: str) -> None:
        if b in str(path):
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(atomic, "write", full)
    errors = execute(jobs(plan.pending()), store, Local(workers=1), told.append)
    assert errors == {b: f"cannot write {store.work(b)}/trial.json: No space left on device"}
    assert kinds(told, "b") == ["failed"]
    assert [plan.state(one) for one in plan.trials] == ["stored", "missing", "stored", "stored"]


@pytest.mark.parametrize(("threads", "cores", "expected"), [(1, 4, 4), (2, 5, 2), (8, 4, 1)])
def test_all_cores_are_used(monkeypatch, threads, cores, expected):
    monkeypatch.setattr(local, "cores", lambda: cores)
    assert Local(threads=threads).slots == expected
    assert Local(workers=7, threads=threads).slots == 7


def test_work_folder_holds_what_the_worker_was_asked_and_said(store, pretenders):
    plan = make_plan(store, line("a"))
    pretenders.tell({by_name(plan)["a"]: "exit"})
    execute(jobs(plan.pending()), store, Local(workers=1), lambda event: None)
    folder: Path = store.work(plan.trials[0].fingerprint)
    assert (folder / "trial.json").read_text("utf-8") == plan.trials[0].trial.canonical()
    assert len((folder / "output.log").read_text("utf-8").splitlines()) == 30


def test_a_store_that_is_lost_while_a_worker_ends_is_that_job_s_failure(store, pretenders, monkeypatch):
    """Whoever waits for its end is told, in the thread that looks for the run too."""
    plan, told, get = make_plan(store, line("a")), [], Store.get
    pretenders.tell({by_name(plan)["a"]: "die"})

    def stale(self: Store, fingerprint: str) -> Run | None:
        if threading.current_thread() is not threading.main_thread():
            raise OSError(116, "Stale file handle", str(self.runs_folder))
        return get(self, fingerprint)

    monkeypatch.setattr(Store, "get", stale)
    with Local(workers=1) as place:
        errors = execute(jobs(plan.pending()), store, place, told.append)
    assert errors == {by_name(plan)["a"]: f"cannot read or write {store.runs_folder}: Stale file handle"}
    assert kinds(told, "a") == ["started", "epoch", "failed"]


# Real trainings


def test_longer_training_makes_the_shorter_on_its_way_and_a_child_begins_with_it(tmp_path):
    store, alone = make_store(tmp_path / "store"), make_store(tmp_path / "alone")
    architecture, still = {"name": "mlp", "hidden": [8], "dropout": 0.2}, {"optimizer": {"name": "sgd", "learning_rate": 1e-30}}
    plan = make_plan(
        store,
        line("child", 1, architecture, still, warm_start="shorter"),
        line("shorter", 2, architecture),
        line("longer", 3, architecture),
    )
    child, shorter, longer = plan.trials
    told: list[Event] = []
    assert set(run(plan, executor=Local(workers=1), tell=told.append)) == set(by_name(plan).values())
    assert [event.name for event in told if event.kind == "started"] == ["longer + shorter", "child"]
    train_elsewhere(shorter.trial, alone)
    assert_same_result(store, alone, shorter.trial)
    of_shorter, of_longer, of_child = (elsewhere(weights, plan.run_of(one).model_path) for one in (shorter, longer, child))
    # The child was trained for an epoch in steps too small for float32.
    assert [array.tobytes() for array in of_child] == [array.tobytes() for array in of_shorter]
    assert any((ours != theirs).any() for ours, theirs in zip(of_longer, of_shorter, strict=True))
