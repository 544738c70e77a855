"""The resident executor does what the local one does."""

from __future__ import annotations

import pytest

from tests.runner.fixture import kinds, line, make_plan
from tests.training.fixture import assert_same_result, make_store
from toile.runner.events import Event
from toile.runner.executors.local import Local
from toile.runner.executors.resident import Resident
from toile.runner.run import TrialsFailed, run


def test_it_makes_the_runs_that_local_processes_make(tmp_path):
    store, other, told = make_store(tmp_path / "one"), make_store(tmp_path / "other"), []
    lines = [line("short", 1), line("long", 3)]
    plan = make_plan(store, *lines)
    short, long = plan.trials
    with Resident() as executor:
        assert run(plan, executor=executor, tell=told.append) == [long.fingerprint, short.fingerprint]
    run(make_plan(other, *lines), executor=Local(1))
    for planned in plan.trials:
        assert_same_result(store, other, planned.trial)
    assert kinds(told, "long + short") == ["started", "epoch", "epoch", "epoch", "done"]


def test_a_trial_that_fails_stops_no_other(tmp_path):
    bad = line("bad", 2, recipe={"optimizer": {"name": "sgd", "learning_rate": 1e9}})
    plan = make_plan(make_store(tmp_path / "store"), line("good", 1), bad)
    with pytest.raises(TrialsFailed, match="bad: the loss is not a number"):
        run(plan, executor=Resident())
    assert [plan.state(one) for one in plan.trials] == ["stored", "missing"]


def test_ctrl_c_stops_it_and_leaves_a_checkpoint(tmp_path):
    plan = make_plan(make_store(tmp_path / "store"), line("long", 50_000))
    told: list[Event] = []

    def interrupt(event: Event) -> None:
        told.append(event)
        if event.kind == "epoch" and event.fields["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan, executor=Resident(), tell=interrupt)
    assert kinds(told, "long") == ["started", "epoch", "epoch", "stopped"]
    assert plan.state(plan.trials[0]) == "begun"


def test_a_process_that_cannot_be_started_fails_its_job(tmp_path, monkeypatch):
    def none(*_, **__):
        raise OSError(24, "Too many open files")

    plan = make_plan(make_store(tmp_path / "store"), line("a"))
    executor = Resident(threads=7)  # a session of its own
    monkeypatch.setattr("toile.workers.resident.client.subprocess.Popen", none)
    with pytest.raises(TrialsFailed, match="a: cannot read or write: Too many open files"):
        run(plan, executor=executor)
