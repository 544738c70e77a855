"""The fork server: its workers are processes of their own, that train what a fresh process would, and end as one would."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil
import pytest

from tests.training.fixture import ALL_BACKENDS, STATEFUL, assert_same_result, events, make_store, make_trial, python, work
from toile.store.store import Store
from toile.study.trial import Trial
from toile.workers.forkserver.client import Forked, ForkServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")


@contextmanager
def server(backend: str = "tensorflow") -> Iterator[ForkServer]:
    started = ForkServer(backend, 1)
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[ForkServer]:
    """One for the tests that leave their server as it is: each import of TensorFlow takes seconds."""
    with server() as started:
        yield started


def forked(server: ForkServer, trial: Trial, store: Store, *more: str) -> Forked:
    path = store.root / f"{trial.fingerprint}.json"
    path.write_text(trial.canonical(), "utf-8")
    with (store.root / "output.log").open("ab") as log:
        return server.start([str(path), str(store.root), "--attached", "--threads", "1", *more], trial.learner, log)


@pytest.mark.parametrize("backend", ALL_BACKENDS)
def test_forks_train_the_same_bits_as_fresh_processes_side_by_side(backend, shared, tmp_path):
    ours, fresh = make_store(tmp_path / "forked"), make_store(tmp_path / "fresh")
    trials = [
        make_trial("cnn", STATEFUL, backend=backend, seed=seed, precision=how)
        for seed, how in enumerate(("float32", "bfloat16"))
    ]
    with nullcontext(shared) if backend == "tensorflow" else server(backend) as forks:
        workers = [forked(forks, trial, ours) for trial in trials]
        pids = {one.pid for one in workers} | {forks._process.pid}
        assert len(pids) == 3
        for trial, one in zip(trials, workers, strict=True):
            with one:
                assert [event["event"] for event in events(one)] == ["epoch", "epoch", "done"]
            assert one.wait() == 0
            work(trial, fresh)
            assert_same_result(ours, fresh, trial)
    # What was printed by a library is in the log, and none of it is JAX's or Python's warning of forks.
    said = (ours.root / "output.log").read_text("utf-8")
    assert "fork" not in said and "Traceback" not in said


def test_classical_models_are_forked_too_and_need_no_keras(tmp_path):
    store = make_store(tmp_path)
    trial = make_trial("logistic-regression").model_copy(update={"learner": "classical"})
    with server() as forks, forked(forks, trial, store) as one:
        assert list(events(one)) == [{"event": "done", "fingerprint": trial.fingerprint}]
        assert not any("tensorflow" in kept.path for kept in psutil.Process(forks._process.pid).memory_maps())
    assert store.get(trial.fingerprint)


def test_a_worker_ends_when_its_standard_input_closes(shared, tmp_path):
    """However who asked for it ends: the system closes the pipe, and the server sees its socket closed."""
    store, trial = make_store(tmp_path), make_trial(epochs=100_000)
    one = forked(shared, trial, store)
    assert next(events(one))["event"] == "epoch"
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0)
    with one:
        pass
    assert one.wait() == 3


def test_neither_the_server_nor_its_workers_outlive_who_asked_for_them(tmp_path):
    store, trial = make_store(tmp_path), make_trial(epochs=100_000)
    code = f"""
import os, signal
from pathlib import Path
from tests.workers import test_forkserver as tests
from toile.store.store import Store
from toile.study.trial import Trial
forks = tests.ForkServer("tensorflow", 1)
one = tests.forked(forks, Trial.parse({trial.canonical()!r}), Store(Path({str(store.root)!r})))
next(tests.events(one))
print(forks._process.pid, one.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    said = python(code, ends=-signal.SIGKILL)
    processes = [psutil.Process(int(pid)) for pid in said.split() if psutil.pid_exists(int(pid))]
    assert psutil.wait_procs(processes, timeout=60)[1] == []


@pytest.mark.parametrize(("how", "code"), [("terminate", -signal.SIGTERM), ("kill", -signal.SIGKILL)])
def test_a_worker_can_be_ended_and_the_next_one_trains(shared, tmp_path, how, code):
    store, endless, trial = make_store(tmp_path), make_trial(epochs=100_000), make_trial()
    with forked(shared, endless, store) as one:
        assert next(events(one))["event"] == "epoch"
        getattr(one, how)()
        assert one.wait(60) == code
        getattr(one, how)()  # nothing is there any more
    with forked(shared, trial, store) as one:
        assert [event["event"] for event in events(one)] == ["epoch", "epoch", "done"]


def test_a_worker_can_be_ended_while_the_server_still_loads(tmp_path):
    store, trial = make_store(tmp_path), make_trial()
    with server() as forks:
        with forked(forks, trial, store) as one:
            one.terminate()
            assert one.wait() == -signal.SIGKILL and one.pid is None
        with forked(forks, trial, store) as one:  # of a new server
            assert [event["event"] for event in events(one)] == ["epoch", "epoch", "done"]


def test_a_server_that_was_killed_is_started_again_and_its_workers_go_on(tmp_path):
    store, trial, other = make_store(tmp_path), make_trial(epochs=30), make_trial(seed=1)
    with server() as forks:
        one = forked(forks, trial, store)
        assert one.pid
        forks._process.kill()
        forks._process.wait()
        with forked(forks, other, store) as two:
            assert [event["event"] for event in events(two)] == ["epoch", "epoch", "done"]
        with one:
            assert list(events(one))[-1]["event"] == "done"
        assert one.wait() == -signal.SIGKILL  # the server's
    assert store.get(trial.fingerprint) and store.get(other.fingerprint)


@pytest.mark.parametrize(
    "when",
    [
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "opened = open(sys.argv[1]); server.GPUS = (sys.argv[1],)",
    ],
    ids=["a second thread", "an open GPU"],
)
def test_what_cannot_be_forked_becomes_a_fresh_process(tmp_path, when):
    """A lock that a thread of the server holds would be held in the fork for ever; an open GPU cannot be used by a fork."""
    store, trial = make_store(tmp_path), make_trial(epochs=100_000)
    code = f"import sys\nfrom toile.workers.forkserver import server\n{when}\nserver.main()"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    forks = ForkServer("tensorflow", 1)
    with theirs:
        forks._process = subprocess.Popen([sys.executable, "-c", code, __file__], stdin=theirs, env=forks.environment)
        forks._control = ours
    with forked(forks, trial, store) as one:
        assert next(events(one))["event"] == "epoch"
        # Of a fork, it would be the server's.
        assert "toile.workers.train" in Path(f"/proc/{one.pid}/cmdline").read_text("utf-8").split("\0")
        one.kill()
    forks.close()


def test_exit_codes_are_the_worker_s_own(shared, tmp_path):
    store, trial = make_store(tmp_path), make_trial()
    with forked(shared, trial, store, "--also", "x") as one:
        assert [event["event"] for event in events(one)] == ["failed"]
        assert one.wait() == 1
    with forked(shared, trial, store, "--no-such-option") as one:
        assert list(events(one)) == []
        assert one.wait() == 2
    assert "--no-such-option" in (store.root / "output.log").read_text("utf-8")
