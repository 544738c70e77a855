"""The process that stays: it ends with who started it, is started again where it died, and keeps nothing between models."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import psutil
import pytest

from tests.training.fixture import STATEFUL, assert_same_result, dataset, make_store, make_trial, train_elsewhere
from toile.errors import ToileError
from toile.store.store import Store
from toile.workers.resident.client import IDLE_SECONDS, Session, StoredModel, session


@pytest.fixture
def store(tmp_path) -> Store:
    return make_store(tmp_path / "store")


@pytest.fixture
def linear(store) -> StoredModel:
    """Of a model that no Keras trains, which is quick."""
    trial = make_trial("logistic-regression").model_copy(update={"learner": "classical"})
    return StoredModel.of(store.get(session("tensorflow", 1).train(trial, store)))


def test_it_trains_the_same_bits_whatever_it_trained_before(store, tmp_path):
    shared, other = session("tensorflow", 1), make_store(tmp_path / "other")
    for before in (make_trial(precision="bfloat16", epochs=1), make_trial("cnn", STATEFUL, seed=1, epochs=1)):
        shared.train(before, store)
    trial = make_trial("cnn", STATEFUL, epochs=3)
    told = []
    assert shared.train(trial, store, tell=lambda kind, **fields: told.append((kind, fields["epoch"]))) == trial.fingerprint
    assert told == [("epoch", 1), ("epoch", 2), ("epoch", 3)]
    train_elsewhere(trial, other)
    assert_same_result(store, other, trial)
    run = store.get(trial.fingerprint)
    said = shared.predict(StoredModel.of(run), dataset().test.images)
    np.testing.assert_allclose(said, run.probabilities("test"), atol=1e-6)


def test_a_process_that_died_is_started_again(linear):
    shared, images = session("tensorflow", 1), dataset().test.images
    said = shared.predict(linear, images)
    first = shared._process
    first.kill()
    first.wait()
    assert np.array_equal(shared.predict(linear, images), said)
    assert shared._process.pid != first.pid


def test_a_process_that_dies_at_work_is_an_error_with_its_last_words(linear, tmp_path, monkeypatch):
    dying, lonely = tmp_path / "python", Session("tensorflow", 1)
    dying.write_text("#!/bin/sh\necho 'not enough memory' >&2\n")
    dying.chmod(0o755)
    with monkeypatch.context() as patched, pytest.raises(ToileError, match="has ended: not enough memory"):
        patched.setattr(sys, "executable", str(dying))
        lonely.predict(linear, dataset().test.images)
    assert lonely.predict(linear, dataset().test.images).shape == (60, 10)
    lonely.close()


def test_what_goes_wrong_is_told_and_the_process_goes_on(linear):
    shared, images = session("tensorflow", 1), dataset().test.images
    shared.predict(linear, images)
    process = shared._process
    with pytest.raises(ToileError, match="is no classical model"):
        shared.predict(linear._replace(content=b"nothing"), images)
    with pytest.raises(ToileError, match=r"ValueError: .*784"):
        shared.predict(linear, images[:, :14])
    assert shared.predict(linear, images).shape == (60, 10)
    assert shared._process is process


def test_an_interrupted_request_leaves_no_answer_for_the_next(store, linear):
    def interrupt(*event: object, **fields: object) -> None:
        raise KeyboardInterrupt

    lonely = Session("tensorflow", 1)
    with pytest.raises(KeyboardInterrupt):
        lonely.train(make_trial(epochs=50), store, tell=interrupt)
    assert lonely.predict(linear, dataset().test.images).shape == (60, 10)
    lonely.close()


def test_it_ends_when_it_is_idle(linear):
    lonely, images = Session("tensorflow", 1), dataset().test.images
    lonely.predict(linear, images)
    process, timer = lonely._process, lonely._timer
    assert timer.daemon and timer.interval == IDLE_SECONDS
    timer.function()
    assert process.returncode is not None
    assert lonely.predict(linear, images).shape == (60, 10)
    lonely.close()


def test_it_is_replaced_after_so_many_trainings(store, monkeypatch):
    monkeypatch.setattr("toile.workers.resident.client.TRAININGS", 2)
    lonely, processes = Session("tensorflow", 1), []
    for seed in range(3):
        trial = make_trial("logistic-regression", seed=seed).model_copy(update={"learner": "classical"})
        lonely.train(trial, store)
        processes.append(lonely._process)
    lonely.close()
    assert processes[0] is processes[1] is not processes[2]
    assert processes[0].returncode is not None


def test_a_fork_has_a_process_of_its_own(monkeypatch):
    mine = session("tensorflow", 1)
    assert session("tensorflow", 1) is mine
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert session("tensorflow", 1) is not mine


def test_it_ends_with_who_started_it():
    script = (
        "import numpy, sys; from toile import ImageClassifier; from toile.workers.resident.client import session;"
        "ImageClassifier('nearest-neighbours', options={'neighbours': 1}).fit(numpy.eye(4), [0, 1, 0, 1]);"
        "print(session('tensorflow', 1)._process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        process = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        process.wait(timeout=60)
    assert not process.is_running()
