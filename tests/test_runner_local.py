"""The local executor: with workers that only pretend (how they end is what matters here), and once with real ones."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from learners_fixture import assert_same_result, make_store, weights
from runner_fixture import Pretenders, keep_run, line, make_plan
from toile.errors import ToileError
from toile.learners.train import train
from toile.runner import local
from toile.runner.events import Event
from toile.runner.jobs import jobs
from toile.runner.plan import Plan
from toile.runner.run import TrialsFailed, run
from toile.store.store import Store


@pytest.fixture
def pretenders(tmp_path, monkeypatch) -> Pretenders:
    return Pretenders(tmp_path / "pretenders", monkeypatch)


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


def by_name(plan: Plan) -> dict[str, str]:
    return {one.name: one.fingerprint for one in plan.trials}


def carried_out(plan: Plan, workers: int = 1, threads: int = 1) -> tuple[dict[str, str], list[Event]]:
    """Errors by name, and all events."""
    told: list[Event] = []
    errors = local.execute(jobs(plan.pending()), plan.store, workers=workers, threads=threads, tell=told.append)
    names = {fingerprint: name for name, fingerprint in by_name(plan).items()}
    return {names[fingerprint]: error for fingerprint, error in errors.items()}, told


def kinds(told: list[Event], name: str) -> list[str]:
    return [event.kind for event in told if event.name == name]


def four(store: Store, **more: Any) -> Plan:
    """Four trainings of their own, the longest first."""
    return make_plan(store, *(line(name, 5, seeds=[seed], **more) for seed, name in enumerate("abcd")))


# Pretended trainings


def test_all_is_carried_out_at_most_so_many_at_once(store, pretenders):
    plan = four(store)
    errors, told = carried_out(plan, workers=2, threads=3)
    assert errors == {}
    assert plan.pending() == [] and {plan.state(one) for one in plan.trials} == {"stored"}
    running, most = 0, []
    for event in told:
        running += (event.kind == "started") - (event.kind == "done")
        most.append(running)
    assert max(most) == 2 and most[-1] == 0
    for name in "abcd":
        assert kinds(told, name) == ["started", "epoch", "done"]
    (epoch,) = [event for event in told if event.kind == "epoch" and event.name == "a"]
    assert epoch.fields == {"epoch": 1, "epochs": 5, "loss": 1.0, "accuracy": 0.5, "images_per_second": 100.0}
    assert Counter(fingerprint for fingerprint, *_ in pretenders.calls) == Counter(by_name(plan).values())
    for _, arguments, threads in pretenders.calls:
        assert arguments == ["--attached", "--threads", "3"] and threads == "3"


def test_one_after_the_other_in_order(store, pretenders):
    plan = four(store)
    pending = [one.name for one in plan.pending()]
    _, told = carried_out(plan)
    assert [event.name for event in told if event.kind == "started"] == pending
    assert [event.kind for event in told] == ["started", "epoch", "done"] * 4


@pytest.mark.parametrize(
    ("does", "error", "output"),
    [
        ("fail", "it would not learn", []),
        ("exit", "the worker ended with exit code 7 and said nothing", [f"line {i}" for i in range(10, 30)]),
    ],
)
def test_failed_worker_fails_its_job_and_the_others_go_on(store, pretenders, does, error, output):
    plan = four(store)
    pretenders.tell({by_name(plan)["b"]: does})
    errors, told = carried_out(plan, workers=2)
    assert errors == {"b": error}
    assert [plan.state(one) for one in plan.trials] == ["stored", "missing", "stored", "stored"]
    assert kinds(told, "b") == ["started", "epoch", "failed"]
    (failed,) = [event for event in told if event.kind == "failed"]
    assert failed.fields == {"error": error, "output": output}


def test_killed_worker_fails_its_job_and_the_others_go_on(store, pretenders, workers):
    plan = four(store)
    pretenders.tell({by_name(plan)["b"]: "hang"})

    def tell(event: Event) -> None:
        if event.kind == "epoch" and event.name == "b":
            os.kill(workers["b"].process.pid, signal.SIGKILL)

    errors = local.execute(jobs(plan.pending()), store, workers=1, threads=1, tell=tell)
    assert errors == {by_name(plan)["b"]: "the worker was killed by signal SIGKILL; the system may have run out of memory"}
    assert [plan.state(one) for one in plan.trials] == ["stored", "missing", "stored", "stored"]


def test_run_that_was_committed_is_a_run_however_its_worker_ended(store, pretenders):
    plan = four(store)
    pretenders.tell({by_name(plan)["b"]: "commit and die"})
    errors, told = carried_out(plan)
    assert errors == {} and kinds(told, "b") == ["started", "epoch", "done"]


def test_same_call_again_trains_only_what_failed(store, pretenders):
    plan = four(store)
    pretenders.tell({by_name(plan)["c"]: "fail"})
    assert carried_out(plan)[0] == {"c": "it would not learn"}
    pretenders.tell({})
    errors, told = carried_out(plan)
    assert errors == {} and {event.name for event in told} == {"c"}


# Jobs that begin with another's run


def test_child_waits_for_its_parent(store, pretenders):
    """The grandchild is the longest by far and so the first to be asked for; a worker is free all the time."""
    plan = make_plan(
        store,
        line("grandchild", 90, warm_start="child"),
        line("child", 50, warm_start="parent"),
        line("parent", 1),
        line("other", 2, seeds=[5]),
    )
    assert plan.pending()[0].name == "grandchild"
    names, stored = by_name(plan), {}

    def tell(event: Event) -> None:
        if event.kind == "started":
            stored[event.name] = {name for name, fingerprint in names.items() if store.get(fingerprint)}

    assert local.execute(jobs(plan.pending()), store, workers=3, threads=1, tell=tell) == {}
    assert stored.keys() == names.keys() and plan.pending() == []
    assert "parent" in stored["child"] and {"parent", "child"} <= stored["grandchild"]


def test_failed_parent_fails_its_children_and_the_others_go_on(store, pretenders):
    plan = make_plan(
        store,
        line("grandchild", 4, warm_start="child"),
        line("child", 6, warm_start="parent"),
        line("shorter child", 5, warm_start="parent"),
        line("parent", 3),
        line("other", 2, seeds=[5]),
    )
    names = by_name(plan)
    pretenders.tell({names["parent"]: "fail"})
    errors, told = carried_out(plan, workers=2)
    without = {name: f"the run that it begins with, {names[name][:12]}, is not stored" for name in ("parent", "child")}
    assert errors == {
        "parent": "it would not learn", "child": without["parent"], "shorter child": without["parent"],
        "grandchild": without["child"],
    }  # fmt: skip
    assert kinds(told, "other") == ["started", "epoch", "done"]
    assert kinds(told, "child + shorter child") == kinds(told, "grandchild") == ["failed"]


def test_parent_that_is_stored_is_not_trained_again(store, pretenders):
    plan = make_plan(store, line("parent", 3), line("child", 1, warm_start="parent"))
    carried_out(make_plan(store, line("parent", 3)))
    errors, told = carried_out(plan)
    assert errors == {} and {event.name for event in told} == {"child"}


# Trials that are read on the way of longer ones


def test_shorter_trials_are_asked_for_on_the_way(store, pretenders):
    plan = make_plan(store, *(line(str(epochs), epochs) for epochs in (2, 9, 5)))
    carried_out(plan)
    fingerprint, arguments, _ = pretenders.calls[0]
    assert fingerprint == by_name(plan)["9"]
    assert arguments == ["--attached", "--threads", "1", "--also", "2,5"]


def test_shorter_trial_that_was_not_passed_is_trained_after_all(store, pretenders):
    """As when the longer one goes on from a checkpoint beyond it. (These workers store nothing on the way.)"""
    plan = make_plan(store, *(line(str(epochs), epochs) for epochs in (2, 9, 5)), line("child", 1, warm_start="5"))
    errors, told = carried_out(plan)
    assert errors == {} and plan.pending() == []
    assert sorted(event.name for event in told if event.kind == "done") == ["2", "5 + 2", "9 + 5 + 2", "child"]
    assert len(pretenders.calls) == 4


def test_failure_names_all_trials_of_the_job_that_are_not_stored(store, pretenders):
    plan = make_plan(store, *(line(str(epochs), epochs) for epochs in (2, 9, 5)))
    keep_run(store, plan.trials[0])
    pretenders.tell({by_name(plan)["9"]: "fail"})
    assert carried_out(plan)[0] == {"9": "it would not learn", "5": "it would not learn"}


# Ctrl-C


@pytest.mark.parametrize("does", ["hang", "stubborn"])
def test_interrupt_stops_all_workers(store, pretenders, workers, monkeypatch, does):
    if does == "stubborn":
        monkeypatch.setattr(local, "_SECONDS_TO_STOP", 0.05)
    plan = four(store)
    pretenders.tell(dict.fromkeys(by_name(plan).values(), does))
    told, begun = [], set()

    def tell(event: Event) -> None:
        told.append(event)
        begun.update([event.name] if event.kind == "epoch" else [])
        if len(begun) == 2:
            begun.clear()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.execute(jobs(plan.pending()), store, workers=2, threads=1, tell=tell)
    assert len(workers) == 2
    ended = -signal.SIGKILL if does == "stubborn" else -signal.SIGTERM
    assert [worker.process.returncode for worker in workers.values()] == [ended] * 2
    assert [event.kind for event in told[-2:]] == ["stopped"] * 2
    assert {event.name for event in told[-2:]} == set(workers)
    assert store.runs() == []


# `run`


def test_run_gives_fingerprints_and_keeps_the_data_set(store, pretenders):
    plan = make_plan(store, line("a", 2), line("same", 2), line("b", 1))
    assert sorted(run(plan, workers=1)) == sorted(set(by_name(plan).values()))
    assert store.kept(plan.asked).content == plan.dataset.content
    calls = len(pretenders.calls)
    assert run(plan) == [] and len(pretenders.calls) == calls


def test_run_names_what_failed(store, pretenders):
    plan = make_plan(store, line("long", 2), line("other", 4, seeds=[5]), line("child", 1, warm_start="long"))
    pretenders.tell({by_name(plan)["long"]: "fail"})
    with pytest.raises(TrialsFailed) as error:
        run(plan, workers=2)
    first = f"the run that it begins with, {by_name(plan)['long'][:12]}, is not stored"
    assert str(error.value).splitlines() == ["2 trials failed:", "  long: it would not learn", f"  child: {first}"]
    assert isinstance(error.value, ToileError)
    with pytest.raises(TrialsFailed, match="1 trial failed:\n  long: it would not learn"):
        run(plan, only=["long"])
    assert plan.state(plan.trials[1]) == "stored"


@pytest.mark.parametrize(("threads", "cores", "expected"), [(1, 4, 4), (2, 5, 2), (8, 4, 1)])
def test_run_uses_all_cores(store, monkeypatch, threads, cores, expected):
    asked = {}
    monkeypatch.setattr(local, "cores", lambda: cores)
    monkeypatch.setattr(local, "execute", lambda jobs, store, **how: asked.update(how) or {})
    run(make_plan(store, line("a")), threads=threads)
    assert (asked["workers"], asked["threads"]) == (expected, threads)
    run(make_plan(store, line("a")), threads=threads, workers=7)
    assert asked["workers"] == 7


def test_work_folder_holds_what_the_worker_was_asked_and_said(store, pretenders):
    plan = make_plan(store, line("a"))
    pretenders.tell({by_name(plan)["a"]: "exit"})
    carried_out(plan)
    folder: Path = store.work(plan.trials[0].fingerprint)
    assert (folder / "trial.json").read_text("utf-8") == plan.trials[0].trial.canonical()
    assert len((folder / "output.log").read_text("utf-8").splitlines()) == 30


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
    assert set(run(plan, workers=1, tell=told.append)) == set(by_name(plan).values())
    assert [event.name for event in told if event.kind == "started"] == ["longer + shorter", "child"]
    train(shorter.trial, alone, threads=1, say=lambda event, **fields: None)
    assert_same_result(store, alone, shorter.trial)
    of_shorter, of_longer, of_child = (weights(plan.run_of(one).model_path) for one in (shorter, longer, child))
    # The child was trained for an epoch in steps too small for float32.
    assert [array.tobytes() for array in of_child] == [array.tobytes() for array in of_shorter]
    assert any((ours != theirs).any() for ours, theirs in zip(of_longer, of_shorter, strict=True))
