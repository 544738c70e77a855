"""The Dask executor: what is its own (`test_executors.py` has the rest), and once with real workers and trainings."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from distributed import Client, LocalCluster, get_worker

from tests.runner.fixture import by_name, four, in_process_cluster, kinds, line, make_plan
from tests.store.fixture import fill
from tests.training.fixture import assert_same_result, make_store, train_elsewhere
from toile.cli import main
from toile.errors import Misuse, ToileError
from toile.runner.events import Event
from toile.runner.executors import cluster, remote
from toile.runner.executors.cluster import Cluster
from toile.runner.executors.executor import execute
from toile.runner.executors.needs import Need
from toile.runner.jobs import Job, jobs
from toile.runner.run import TrialsFailed, executor_named, run
from toile.store.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    return make_store(tmp_path / "store")


@pytest.fixture
def scheduler(tmp_path) -> Iterator[str]:
    with in_process_cluster(tmp_path / "scratch") as address:
        yield address


@pytest.fixture(scope="module")
def processes(tmp_path_factory) -> Iterator[LocalCluster]:
    """A scheduler, and two workers of one thread in processes of their own, each under a nanny that replaces it."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, local_directory=str(tmp_path_factory.mktemp("scratch")), dashboard_address=":0"
    ) as made:
        yield made


def scratch_of(processes: LocalCluster) -> Path:
    """What its workers, which share a machine, keep there."""
    return Path(processes.workers[0].local_directory) / "toile"


def kill(address: str, worker: str) -> None:
    """SIGKILL for the worker, as the system does when memory runs out."""
    with Client(address, set_as_default=False) as client:
        os.kill(client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)


# Real workers


@pytest.mark.slow
def test_study_with_a_worker_killed_in_the_middle_of_a_trial_is_as_trained_here(tmp_path, processes, monkeypatch):
    architecture = {"name": "mlp", "hidden": [8], "dropout": 0.2}
    plan = make_plan(
        make_store(tmp_path / "store"),
        line("long", 3, architecture),
        line("short", 2, architecture),
        line("parent", 1, architecture, seeds=[1]),
        line("child", 1, architecture, warm_start="parent", seeds=[1]),
    )
    scratch, long = Store(scratch_of(processes)), "long + short"
    read, sent, told = Need.read, [], []
    monkeypatch.setattr(Need, "read", lambda need, store: sent.append(need.kind) or read(need, store))

    with Cluster(processes.scheduler_address) as executor, ExitStack() as held:
        # The training cannot go on from the second epoch as long as its shorter trial is claimed there.
        held.enter_context(scratch.claim(by_name(plan)["short"]))

        def tell(event: Event) -> None:
            told.append(event)
            if event.name == long and kinds(told, long) == ["started", "epoch", "waiting"]:
                kill(processes.scheduler_address, event.fields["worker"])
                held.close()

        made = run(plan, executor=executor, tell=tell)
        assert run(plan, executor=executor, tell=tell) == []

    assert sorted(made) == sorted(by_name(plan).values()) == sorted(run.fingerprint for run in plan.store.runs())
    tries = [event.fields["worker"] for event in told if event.kind == "started" and event.name == long]
    assert len(tries) == len(set(tries)) == 2
    assert Counter(event.name for event in told if event.kind == "done") == {long: 1, "parent": 1, "child": 1}
    # The workers share a machine: it was sent one data set, and the child's parent, which alone stays there.
    assert sorted(sent) == ["dataset", "run"]
    assert [run.fingerprint for run in scratch.runs()] == [by_name(plan)["parent"]]
    here = make_store(tmp_path / "here")
    for one in sorted(plan.trials, key=lambda one: one.name == "child"):
        train_elsewhere(one.trial, here)
        assert_same_result(plan.store, here, one.trial)


def test_trial_whose_workers_keep_dying_fails_and_the_others_go_on(store, processes, pretenders, monkeypatch):
    monkeypatch.setattr(processes.scheduler, "allowed_failures", 0)
    plan, address = four(store), processes.scheduler_address
    pretenders.tell({by_name(plan)["b"]: "hang"})
    told = []

    def tell(event: Event) -> None:
        told.append(event)
        if event.kind == "epoch" and event.name == "b":
            kill(address, event.fields["worker"])

    with Client(address, set_as_default=False) as client, ExitStack() as after:
        after.callback(client.restart)
        client.run(exec, f"import sys; sys.executable = {sys.executable!r}")
        with Cluster(address, workers=1) as executor:
            # The worker that takes the dead one's place does not pretend: nothing else may go to it.
            errors = execute([job for job in jobs(plan.pending()) if job.name == "b"], store, executor, tell)
    (worker,) = {event.fields["worker"] for event in told if event.kind == "started"}
    what = f"its worker died at try 1 of 1, on {worker}; the machine may have run out of memory"
    assert errors == {by_name(plan)["b"]: what}
    assert kinds(told, "b") == ["started", "epoch", "failed"]
    (pid,) = [pid for *_, pid in pretenders.calls]
    assert psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=60)[1] == []


# Workers of this process, whose trainings only pretend


def test_command(scheduler, pretenders, tmp_path, capsys):
    study = tmp_path / "two.toml"
    study.write_text('title = "two"\ndataset = "digits"\nseeds = [0, 1]\n[[trial]]\nname = "a"\narchitecture = "mlp"\n')
    command = ["run", str(study), "--store", str(tmp_path / "runs"), "--executor", "dask", "--scheduler", scheduler]
    main(command)
    said = capsys.readouterr().err
    assert said.count("started on inproc://") == 2 and "done; `toile report" in said
    assert len(Store(tmp_path / "runs").runs()) == len(pretenders.calls) == 2
    main(command)
    assert "0 to train, 2 stored already" in capsys.readouterr().err and len(pretenders.calls) == 2


def test_as_many_at_once_as_the_cluster_has_threads(tmp_path):
    with in_process_cluster(tmp_path / "scratch", threads=3) as scheduler:
        with Cluster(scheduler) as executor:
            assert executor.slots == 6
        with Cluster(scheduler, workers=4) as executor:
            assert executor.slots == 4


def test_trial_that_another_process_has_claimed_is_waited_for(store, scheduler, pretenders):
    plan = four(store)
    b, told = by_name(plan)["b"], []
    with ExitStack() as other, Cluster(scheduler) as executor:
        work = other.enter_context(store.claim(b))

        def tell(event: Event) -> None:
            told.append(event)
            if event.kind == "waiting":
                fill(work / "run")
                store.commit(b)
                other.close()

        assert execute(jobs(plan.pending()), store, executor, tell) == {}
    assert kinds(told, "b") == ["waiting", "done"]
    assert {name for name, *_ in pretenders.calls} == set(by_name(plan).values()) - {b}


def test_cluster_without_workers_is_waited_for(store, tmp_path, pretenders):
    plan, told = four(store), []
    with LocalCluster(
        processes=False, n_workers=0, threads_per_worker=1, local_directory=str(tmp_path / "scratch"), dashboard_address=":0"
    ) as made:

        def tell(event: Event) -> None:
            told.append(event)
            if event.kind == "queued":
                made.scale(1)

        with Cluster(made.scheduler_address) as executor:
            assert execute(jobs(plan.pending()), store, executor, tell) == {}
    assert kinds(told, told[0].name) == ["queued", "started", "epoch", "done"]


def test_worker_that_cannot_train_is_left_out(store, scheduler, pretenders, monkeypatch):
    """One that joined after the cluster was looked at."""
    plan, bad, told = four(store), [], []

    def unfit(version, packages):
        here = get_worker().address
        bad.extend([] if bad else [here])
        return "has no tensorflow" if here == bad[0] else ""

    monkeypatch.setattr(Cluster, "prepare", lambda self, jobs: None)
    monkeypatch.setattr(remote, "unfit", unfit)
    with Cluster(scheduler, workers=1) as executor:
        assert execute(jobs(plan.pending()), store, executor, told.append) == {}
        assert executor.slots == 1 and len(executor.fit()) == 1
    (moved,) = [event for event in told if event.kind == "moved"]
    assert moved.fields == {"worker": bad[0], "why": "has no tensorflow"}
    assert bad[0] not in {event.fields["worker"] for event in told if event.kind == "started"}


def test_an_unfit_worker_does_not_refuse_a_cluster_of_fit_ones(store, scheduler, pretenders, monkeypatch):
    """One that is there when the cluster is looked at: it is named, and the other carries out everything. (An idle worker may
    take what waits for another, whatever was asked for: then it says so itself.)"""
    plan, told = four(store), []
    with Cluster(scheduler, workers=2) as executor:
        bad = min(executor.fit())

        def unfit(version, packages, dask_worker=None):
            return "has no tensorflow" if (dask_worker or get_worker()).address == bad else ""

        monkeypatch.setattr(remote, "unfit", unfit)
        assert run(plan, executor=executor, tell=told.append)
    moved = [event.fields for event in told if event.kind == "moved"]
    assert moved and all(fields == {"worker": bad, "why": "has no tensorflow"} for fields in moved)
    assert bad not in {event.fields["worker"] for event in told if event.kind == "started"}
    assert len(plan.store.runs()) == 4


def test_a_worker_without_toile_that_joined_later_is_left_out(store, scheduler, pretenders, monkeypatch):
    """It cannot even read what it is asked to do, so that its answer is Python's error."""
    plan, told = make_plan(store, line("a")), []
    submit, looked = Cluster.submit, []

    def failing(of: Cluster, job: Job, needed: list[Need], workers: list[str]) -> object:
        if looked:
            return submit(of, job, needed, workers)
        return SimpleNamespace(result=lambda: importlib.import_module("no_toile_here"))

    def look(of: Cluster, packages: set[str]) -> None:
        looked.append(packages)
        if len(looked) > 1:
            of.unfit["tcp://later"] = "has no toile"

    monkeypatch.setattr(Cluster, "prepare", lambda self, jobs: None)
    monkeypatch.setattr(Cluster, "submit", failing)
    monkeypatch.setattr(Cluster, "look", lambda of, packages: look(of, packages) or look(of, packages))
    with Cluster(scheduler, workers=1) as executor:
        assert execute(jobs(plan.pending()), store, executor, told.append) == {}
    assert kinds(told, "a") == ["started", "epoch", "done"]


@pytest.mark.parametrize("does", ["die once", "die", "exit"])
def test_training_whose_process_dies_is_tried_again_so_often(store, scheduler, pretenders, does):
    plan, told = four(store), []
    pretenders.tell({by_name(plan)["b"]: does})
    with Cluster(scheduler, workers=2) as executor:
        errors = execute(jobs(plan.pending()), store, executor, told.append)
    if does == "die once":
        assert errors == {} and len(store.runs()) == 4
        assert kinds(told, "b") == ["started", "epoch", "again", "started", "epoch", "done"]
    else:
        why = {
            "die": "the worker was killed by signal SIGKILL; the system may have run out of memory",
            "exit": "the worker ended with exit code 7 and said nothing",
        }
        what = f"{why[does]}, at try 4 of 4"
        assert errors == {by_name(plan)["b"]: what} and len(store.runs()) == 3
        assert kinds(told, "b") == ["started", "epoch", "again"] * 3 + ["started", "epoch", "failed"]
    again = [event for event in told if event.kind == "again"]
    assert all(event.fields["worker"].startswith("inproc://") for event in again)
    assert all(("exit code 7" if does == "exit" else "SIGKILL") in event.fields["error"] for event in again)


def test_no_worker_that_can_train(store, scheduler, pretenders, monkeypatch):
    plan = make_plan(store, line("a"))
    monkeypatch.setattr(Cluster, "prepare", lambda self, jobs: None)
    monkeypatch.setattr(remote, "unfit", lambda version, packages: "has no tensorflow")
    with (
        Cluster(scheduler) as executor,
        pytest.raises(TrialsFailed, match=r"no worker of inproc://\S+ can train this: inproc:/"),
    ):
        run(plan, executor=executor)
    assert pretenders.calls == []


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ("no toile", r"inproc://\S+ has no toile; .*the scheduler has no toile$"),
        ("other toile", r"inproc://\S+ has toile 9, and \S+ asks; inproc:"),
        ("no tensorflow", r"inproc://\S+ has no tensorflow; inproc:"),
    ],
)
def test_cluster_that_cannot_train_is_one_error_before_anything_trains(
    store, scheduler, pretenders, monkeypatch, there, message
):  # fmt: skip
    if there == "no toile":

        def absent(name: str) -> str:
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(importlib.metadata, "version", absent)
    elif there == "other toile":
        monkeypatch.setattr(remote, "__version__", "9")
    else:
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name))
    with Cluster(scheduler) as executor, pytest.raises(ToileError, match=message) as error:
        run(four(store), executor=executor)
    assert not isinstance(error.value, TrialsFailed) and pretenders.calls == []


def test_worker_that_keeps_nothing_is_an_error(store, scheduler, pretenders, monkeypatch):
    monkeypatch.setattr(Need, "is_in", lambda need, store: False)
    monkeypatch.setattr(Need, "keep", lambda need, store, content: None)
    with Cluster(scheduler, workers=1) as executor:
        errors = execute(jobs(make_plan(store, line("a")).pending()), store, executor, lambda event: None)
    (error,) = errors.values()
    assert "does not keep what it is sent: the dataset" in error


def test_what_arrives_as_something_else_is_an_error(store, scheduler, pretenders, monkeypatch):
    read = Need.read
    monkeypatch.setattr(Need, "read", lambda need, store: replace(read(need, store), test=None))
    with Cluster(scheduler, workers=1) as executor:
        errors = execute(jobs(make_plan(store, line("a")).pending()), store, executor, lambda event: None)
    (error,) = errors.values()
    assert "arrived as something else: its hash is" in error and pretenders.calls == []


def test_lost_scheduler_is_one_error(store, tmp_path, pretenders):
    plan = four(store)
    pretenders.tell(dict.fromkeys(by_name(plan).values(), "hang"))
    with ExitStack() as place:
        scheduler = place.enter_context(in_process_cluster(tmp_path / "scratch"))

        def tell(event: Event) -> None:
            if event.kind == "epoch":
                place.close()

        with Cluster(scheduler, workers=1) as executor, pytest.raises(ToileError, match="connection to the Dask scheduler"):
            execute(jobs(plan.pending()), store, executor, tell)
    assert store.runs() == []


# Before there is a cluster


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1", "bogus://127.0.0.1:1", "tcp://127.0.0.1:port", ""])
def test_scheduler_that_cannot_be_reached(monkeypatch, address):
    monkeypatch.setattr(cluster, "_SECONDS_TO_ANSWER", 0.2)
    with pytest.raises(ToileError, match=f"no Dask scheduler at '{address}': .*tcp://host:8786 is wanted"):
        Cluster(address)


def test_extra_that_is_not_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, "toile.runner.executors.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ToileError, match=r"needs the extra 'cluster': pip install 'toile-workbench\[cluster\]'"):
        executor_named("dask", scheduler="tcp://127.0.0.1:1")


def test_scheduler_and_executor_that_do_not_go_together():
    with pytest.raises(Misuse, match=r"unknown executor 'desk' \(did you mean 'dask'\?\); known: local, dask"):
        executor_named("desk")
    with pytest.raises(Misuse, match="wants the address of a scheduler"):
        executor_named("dask")
    with pytest.raises(Misuse, match="'local' has no scheduler"):
        executor_named("local", scheduler="tcp://127.0.0.1:1")
