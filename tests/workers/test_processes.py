"""Workers as processes: killed, orphaned, resumed; on every installed backend."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.fixture import (
    ALL_BACKENDS,
    STATEFUL,
    assert_same_result,
    dataset,
    events,
    make_store,
    make_trial,
    python,
    work,
    worker,
)
from toile.store.store import Store
from toile.study.trial import Trial
from toile.training.train import train
from toile.workers.evaluate import main as evaluate_main
from toile.workers.infer import infer
from toile.workers.infer import main as infer_main
from toile.workers.process import environment

EPOCHS = 4


def train_and_die(path: str, root: str, epoch: int) -> None:
    """In a process of its own: train, and be killed after `epoch`. (From outside, a kill may come an epoch later.)"""

    def say(event: str, **fields: Any) -> None:
        if event == "epoch" and fields["epoch"] == epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    train(Trial.parse(Path(path).read_text("utf-8")), Store(root), threads=1, say=say)


@pytest.mark.parametrize("backend", ALL_BACKENDS)
def test_killed_worker_resumes_bit_identically(backend, tmp_path):
    trial = make_trial(
        "cnn", STATEFUL, backend=backend, epochs=EPOCHS, optimizer={"name": "adam", "learning_rate": 0.01},
        early_stopping={"patience": 9, "restore_best": True},
    )  # fmt: skip
    whole, resumed = make_store(tmp_path / "whole"), make_store(tmp_path / "resumed")
    assert [event["event"] for event in work(trial, whole)] == ["epoch"] * EPOCHS + ["done"]
    path = tmp_path / "trial.json"
    path.write_text(trial.canonical(), "utf-8")
    code = "from tests.workers import test_processes as tests\ntests.train_and_die(sys.argv[1], sys.argv[2], 2)"
    python(code, path, resumed.root, backend=backend, ends=-signal.SIGKILL)
    assert resumed.runs() == []
    *epochs, end = work(trial, resumed)
    assert [event["epoch"] for event in epochs] == [3, 4]
    assert end == {"event": "done", "fingerprint": trial.fingerprint}
    assert_same_result(resumed, whole, trial)
    run = whole.get(trial.fingerprint)
    assert run.provenance["backend"] == backend and run.provenance["versions"].keys() & {backend, f"{backend}-cpu"}
    losses = [row["validation_loss"] for row in run.history]
    assert run.provenance["best_epoch"] == int(np.argmin(losses)) + 1
    assert run.metrics["validation"]["loss"] == pytest.approx(min(losses), abs=1e-6)
    [answer] = infer([run.model_path], backend, dataset().test.images)
    np.testing.assert_allclose(answer, run.probabilities("test"), atol=1e-6)


def test_worker_ends_with_its_parent(tmp_path):
    """The system closes a dead parent's end of the pipe, whatever it died of. The lock on the trial goes with the worker."""
    trial, store = make_trial(epochs=100_000), make_store(tmp_path)
    with worker(trial, store) as process:
        assert next(events(process))["event"] == "epoch"
        process.stdin.close()
        assert process.wait(timeout=60) == 3
    assert store.runs() == [] and (store.work(trial.fingerprint) / "checkpoint.npz").is_file()
    with store.claim(trial.fingerprint, waiting=lambda: pytest.fail("the dead worker still holds its trial")):
        pass


def test_second_worker_waits_for_the_first_and_trains_nothing(tmp_path):
    trial, store = make_trial(epochs=1), make_store(tmp_path)
    with store.claim(trial.fingerprint), worker(trial, store) as process:
        assert next(events(process)) == {"event": "waiting"}
        # What the first one leaves when it is done:
        (store.runs_folder / trial.fingerprint).mkdir()
    # It was killed on leaving; now one that need not wait.
    assert work(trial, store) == [{"event": "done", "fingerprint": trial.fingerprint}]


def test_environment_pins_threads_and_backend():
    found = environment("jax", 1)
    assert found["KERAS_BACKEND"] == "jax" and found["OMP_NUM_THREADS"] == found["TF_NUM_INTRAOP_THREADS"] == "1"
    assert "--xla_cpu_multi_thread_eigen=false" in found["XLA_FLAGS"]
    assert environment("torch", 2)["OMP_NUM_THREADS"] == "2"
    assert environment("tensorflow", 1).get("XLA_FLAGS") == environment("torch", 2).get("XLA_FLAGS")


def test_help_of_the_worker_needs_no_keras():
    said = python(
        "from toile.workers import train\n"
        "try:\n    train.main(['--help'])\nexcept SystemExit as end:\n    print(end.code, 'keras' in sys.modules)\n"
    )
    assert said.splitlines()[-1] == "0 False"


def test_a_full_disk_is_one_line_of_who_asks_models(tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    np.save(tmp_path / "images.npy", dataset().test.images)
    monkeypatch.setattr(np, "savez", full)
    for program in (infer_main, evaluate_main):
        assert program([str(tmp_path / "images.npy"), str(tmp_path / "out.npz")]) == 4
        assert capsys.readouterr().err == f"cannot write {tmp_path}/out.npz: No space left on device\n"
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/images\.npy'"):
        infer([], "tensorflow", dataset().test.images)
