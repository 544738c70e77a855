"""What every executor does alike: local processes, and a Dask cluster. Its training processes only pretend, so it is quick.

The cluster is Dask's own, scheduler and two workers, in this process; with processes of their own: `tests.runner.test_cluster`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.runner.fixture import by_name, four, in_process_cluster, keep_run, kinds, line, make_plan
from tests.training.fixture import make_store
from toile.errors import ToileError
from toile.runner.events import Event
from toile.runner.executors import local
from toile.runner.executors.cluster import Cluster
from toile.runner.executors.executor import Executor, execute
from toile.runner.jobs import jobs
from toile.runner.plans.planned import Plan
from toile.runner.run import TrialsFailed, executor_named, run
from toile.store.store import Store
from toile.workers.starter import Fresh

Place = Callable[..., Executor]


@pytest.fixture(params=["local", "local, fresh processes", "dask"])
def place(request, tmp_path, monkeypatch) -> Iterator[Place]:
    """Opens the executor, with so many workers and threads."""
    if request.param != "dask":
        if request.param != "local":
            monkeypatch.setattr(local, "STARTER", Fresh)
        yield executor_named
    else:
        with in_process_cluster(tmp_path / "scratch") as scheduler:
            yield lambda **how: executor_named("dask", scheduler=scheduler, **how)


@pytest.fixture
def store(tmp_path) -> Store:
    return make_store(tmp_path / "store")


def carried_out(plan: Plan, executor: Executor) -> tuple[dict[str, str], list[Event]]:
    """Errors by name, and all events."""
    told: list[Event] = []
    with executor:
        errors = execute(jobs(plan.pending()), plan.store, executor, told.append)
    names = {fingerprint: name for name, fingerprint in by_name(plan).items()}
    return {names[fingerprint]: error for fingerprint, error in errors.items()}, told


# Pretended trainings


def test_all_is_carried_out_at_most_so_many_at_once(place, store, pretenders):
    plan = four(store)
    one, other, *_ = plan.pending()
    pretenders.tell({one.fingerprint: "meet r", other.fingerprint: "meet w"})  # neither ends before both are there
    errors, told = carried_out(plan, place(workers=2, threads=3))
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
    assert epoch.fields.items() >= {"epoch": 1, "epochs": 5, "loss": 1.0, "accuracy": 0.5, "images_per_second": 100.0}.items()
    assert Counter(fingerprint for fingerprint, *_ in pretenders.calls) == Counter(by_name(plan).values())
    for _, arguments, threads, _ in pretenders.calls:
        assert arguments == ["--attached", "--threads", "3"] and threads == "3"


def test_one_after_the_other_in_order(place, store, pretenders):
    plan = four(store)
    pending = [one.name for one in plan.pending()]
    _, told = carried_out(plan, place(workers=1))
    assert [event.name for event in told if event.kind == "started"] == pending
    assert [event.kind for event in told] == ["started", "epoch", "done"] * 4


@pytest.mark.parametrize(
    ("does", "error", "output"),
    [
        ("fail", "it would not learn", []),
        ("exit", "the worker ended with exit code 7 and said nothing", [f"line {i}" for i in range(10, 30)]),
    ],
)
def test_failed_worker_fails_its_job_and_the_others_go_on(place, store, pretenders, does, error, output):
    plan = four(store)
    pretenders.tell({by_name(plan)["b"]: does})
    executor = place(workers=2)
    errors, told = carried_out(plan, executor)
    if does == "exit" and isinstance(executor, Cluster):  # a process that ends without a word is tried again there
        error += ", at try 4 of 4"
    assert errors == {"b": error}
    assert [plan.state(one) for one in plan.trials] == ["stored", "missing", "stored", "stored"]
    assert kinds(told, "b")[-3:] == ["started", "epoch", "failed"]
    (failed,) = [event for event in told if event.kind == "failed"]
    assert failed.fields.items() >= {"error": error, "output": output}.items()


def test_run_that_was_committed_is_a_run_however_its_worker_ended(place, store, pretenders):
    plan = four(store)
    pretenders.tell({by_name(plan)["b"]: "commit and die"})
    errors, told = carried_out(plan, place(workers=1))
    assert errors == {} and kinds(told, "b") == ["started", "epoch", "done"]


def test_same_call_again_trains_only_what_failed(place, store, pretenders):
    plan = four(store)
    pretenders.tell({by_name(plan)["c"]: "fail"})
    assert carried_out(plan, place(workers=1))[0] == {"c": "it would not learn"}
    pretenders.tell({})
    errors, told = carried_out(plan, place(workers=1))
    assert errors == {} and {event.name for event in told} == {"c"}


# Jobs that begin with another's run


def test_child_waits_for_its_parent(place, store, pretenders):
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

    with place(workers=3) as executor:
        assert execute(jobs(plan.pending()), store, executor, tell) == {}
    assert stored.keys() == names.keys() and plan.pending() == []
    assert "parent" in stored["child"] and {"parent", "child"} <= stored["grandchild"]


def test_failed_parent_fails_its_children_and_the_others_go_on(place, store, pretenders):
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
    errors, told = carried_out(plan, place(workers=2))
    without = {
        name: f"a run that it begins with or learns from is not stored: {names[name][:12]}" for name in ("parent", "child")
    }
    assert errors == {
        "parent": "it would not learn", "child": without["parent"], "shorter child": without["parent"],
        "grandchild": without["child"],
    }  # fmt: skip
    assert kinds(told, "other") == ["started", "epoch", "done"]
    assert kinds(told, "child + shorter child") == kinds(told, "grandchild") == ["failed"]


def test_parent_that_is_stored_is_not_trained_again(place, store, pretenders):
    plan = make_plan(store, line("parent", 3), line("child", 1, warm_start="parent"))
    carried_out(make_plan(store, line("parent", 3)), place(workers=1))
    errors, told = carried_out(plan, place(workers=1))
    assert errors == {} and {event.name for event in told} == {"child"}


# Trials that are read on the way of longer ones


def test_shorter_trials_are_asked_for_on_the_way(place, store, pretenders):
    plan = make_plan(store, *(line(str(epochs), epochs) for epochs in (2, 9, 5)))
    carried_out(plan, place(workers=1))
    fingerprint, arguments, *_ = pretenders.calls[0]
    assert fingerprint == by_name(plan)["9"]
    assert arguments == ["--attached", "--threads", "1", "--also", "2,5"]


def test_shorter_trial_that_was_not_passed_is_trained_after_all(place, store, pretenders):
    """As when the longer one goes on from a checkpoint beyond it. (These workers store nothing on the way.)"""
    plan = make_plan(store, *(line(str(epochs), epochs) for epochs in (2, 9, 5)), line("child", 1, warm_start="5"))
    errors, told = carried_out(plan, place(workers=1))
    assert errors == {} and plan.pending() == []
    assert sorted(event.name for event in told if event.kind == "done") == ["2", "5 + 2", "9 + 5 + 2", "child"]
    assert len(pretenders.calls) == 4


def test_failure_names_all_trials_of_the_job_that_are_not_stored(place, store, pretenders):
    plan = make_plan(store, *(line(str(epochs), epochs) for epochs in (2, 9, 5)))
    keep_run(store, plan.trials[0])
    pretenders.tell({by_name(plan)["9"]: "fail"})
    assert carried_out(plan, place(workers=1))[0] == {"9": "it would not learn", "5": "it would not learn"}


# Ctrl-C


@pytest.mark.parametrize("does", ["hang", "stubborn"])
def test_interrupt_stops_all_processes(place, store, pretenders, monkeypatch, does):
    if does == "stubborn":
        monkeypatch.setattr(local, "_SECONDS_TO_STOP", 0.05)
    plan = four(store)
    pretenders.tell(dict.fromkeys(by_name(plan).values(), does))
    told, begun, processes = [], set(), []

    def tell(event: Event) -> None:
        told.append(event)
        begun.update([event.name] if event.kind == "epoch" else [])
        if len(begun) == 2:
            begun.clear()
            processes.extend(psutil.Process(pid) for *_, pid in pretenders.calls)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), place(workers=2) as executor:
        execute(jobs(plan.pending()), store, executor, tell)
    assert len(processes) == 2
    _, left = psutil.wait_procs(processes, timeout=60)
    assert left == []
    assert [event.kind for event in told[-2:]] == ["stopped"] * 2
    assert len({event.name for event in told[-2:]}) == 2
    assert store.runs() == []


def test_who_listens_and_fails_leaves_no_process_behind(place, store, pretenders):
    plan, processes = four(store), []
    pretenders.tell(dict.fromkeys(by_name(plan).values(), "hang"))

    def tell(event: Event) -> None:
        if event.kind == "epoch":
            processes.extend(psutil.Process(pid) for *_, pid in pretenders.calls)
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError), place(workers=2) as executor:
        execute(jobs(plan.pending()), store, executor, tell)
    assert processes and psutil.wait_procs(processes, timeout=60)[1] == []
    assert store.runs() == []


# `run`


def test_run_gives_fingerprints_and_keeps_the_data_set(place, pretenders, tmp_path):
    store = Store(tmp_path / "new")
    plan = make_plan(store, line("a", 2), line("same", 2), line("b", 1))
    with place(workers=1) as executor:
        assert sorted(run(plan, executor=executor)) == sorted(set(by_name(plan).values()))
    assert store.kept(plan.requested).content == plan.dataset.content
    calls = len(pretenders.calls)
    assert run(plan) == [] and len(pretenders.calls) == calls


def test_run_names_what_failed(place, store, pretenders):
    plan = make_plan(store, line("long", 2), line("other", 4, seeds=[5]), line("child", 1, warm_start="long"))
    pretenders.tell({by_name(plan)["long"]: "fail"})
    with pytest.raises(TrialsFailed) as error, place(workers=2) as executor:
        run(plan, executor=executor)
    first = f"a run that it begins with or learns from is not stored: {by_name(plan)['long'][:12]}"
    assert str(error.value).splitlines() == ["2 trials failed:", "  long: it would not learn", f"  child: {first}"]
    assert isinstance(error.value, ToileError)
    with pytest.raises(TrialsFailed, match="1 trial failed:\n  long: it would not learn"), place(workers=2) as executor:
        run(plan, only=["long"], executor=executor)
    assert plan.state(plan.trials[1]) == "stored"
