"""Trials that share a training's first epochs: each is bit by bit what it would have been alone. And warm starts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.fixture import STATEFUL, assert_same_result, make_store, make_trial, weights
from tests.training.fixture import train_elsewhere as trained
from toile.errors import ToileError
from toile.store.store import Store
from toile.study.trial import Trial

ADAM = {"name": "adam", "learning_rate": 0.01}


def variables(store: Store, trial: Trial) -> list[Any]:
    import keras

    return keras.models.load_model(store.get(trial.fingerprint).model_path, compile=False).weights


@pytest.mark.parametrize(
    ("architecture", "options", "recipe"),
    [
        # What is stored are averages; the training must go on from the weights themselves.
        ("cnn", STATEFUL, {"optimizer": {**ADAM, "use_ema": True, "ema_momentum": 0.9}}),
        ("mlp", {"hidden": [8], "dropout": 0.2}, {"schedule": {"name": "exponential", "factor": 0.8}, "scaling": "min-max"}),
    ],
)
def test_each_is_what_it_would_have_been_alone(architecture, options, recipe, tmp_path):
    shared, alone = make_store(tmp_path / "shared"), make_store(tmp_path / "alone")
    trials = {epochs: make_trial(architecture, options, epochs=epochs, **recipe) for epochs in (1, 2, 4)}
    said = trained(trials[4], shared, also=[1, 2])
    assert [(event["event"], event["epoch"]) for event in said] == [("epoch", epoch) for epoch in (1, 2, 3, 4)]
    assert shared.unfinished() == [] and len(shared.runs()) == 3
    for epochs in (2, 4):
        trained(trials[epochs], alone)
        assert_same_result(shared, alone, trials[epochs])
    for epochs, trial in trials.items():
        run = shared.get(trial.fingerprint)
        assert [row["epoch"] for row in run.history] == list(range(1, epochs + 1))
        assert run.provenance["epochs_run"] == epochs and run.trial["recipe"]["epochs"] == epochs
    assert shared.get(trials[1].fingerprint).history == shared.get(trials[4].fingerprint).history[:1]


def test_interrupted_shared_training_goes_on_to_the_same_bits(tmp_path):
    shared, alone = make_store(tmp_path / "shared"), make_store(tmp_path / "alone")
    short, middle, long = (make_trial("cnn", STATEFUL, epochs=epochs, optimizer=ADAM) for epochs in (1, 2, 3))
    trained(long, shared, stop_after=1, also=[1, 2])
    assert [run.fingerprint for run in shared.runs()] == [short.fingerprint]
    trained(long, shared, also=[1, 2])
    assert {run.fingerprint for run in shared.runs()} == {one.fingerprint for one in (short, middle, long)}
    trained(middle, alone)
    assert_same_result(shared, alone, middle)


def test_stored_shorter_trial_stays_as_it_is(tmp_path):
    store, short, long = make_store(tmp_path), make_trial(epochs=1), make_trial(epochs=2)
    trained(short, store)
    before = {path: path.stat().st_mtime_ns for path in store.get(short.fingerprint).folder.iterdir()}
    trained(long, store, also=[1])
    assert {path: path.stat().st_mtime_ns for path in store.get(short.fingerprint).folder.iterdir()} == before
    assert len(store.runs()) == 2


def test_warm_start_begins_with_the_weights_that_its_parent_ended_with(tmp_path):
    store = make_store(tmp_path)
    parent = make_trial("cnn", STATEFUL, epochs=2, optimizer=ADAM)
    cold = make_trial("cnn", STATEFUL, epochs=1, optimizer={"name": "sgd", "learning_rate": 1e-30}, seed=5)
    child = Trial(**cold.model_dump(exclude={"warm_start"}), warm_start=parent.fingerprint)
    with pytest.raises(ToileError, match=f"the run {parent.fingerprint[:12]}, which the trial begins with"):
        trained(child, store)
    assert store.runs() == []
    trained(parent, store)
    trained(child, store)
    theirs, ours = (weights(store.get(one.fingerprint).model_path) for one in (parent, child))
    # Steps of 1e-30 change no weight; what batch normalisation averages goes on changing.
    moving = ["moving" in variable.path for variable in variables(store, child)]
    assert any(moving) and not all(moving)
    for array, parents, moves in zip(ours, theirs, moving, strict=True):
        assert (array.tobytes() == parents.tobytes()) != moves
