"""Flip-averaged prediction: what is trained is the same, what is stored and exported asks twice."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest

from tests.training.fixture import (
    OTHER_BACKENDS,
    STATEFUL,
    assert_same_result,
    dataset,
    make_store,
    make_trial,
    train_elsewhere,
    weights,
    work,
)
from toile.inference.combined import combined
from toile.inference.export import WRITERS
from toile.store.run import Run
from toile.store.store import Store
from toile.study.trial import Trial

TRIAL = partial(make_trial, "cnn", STATEFUL)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Of one training, without and with the average."""
    store, trials = make_store(tmp_path_factory.mktemp("flip")), [TRIAL(), TRIAL(flip_average=True)]
    for trial in trials:
        train_elsewhere(trial, store)
    plain, averaged = (store.get(trial.fingerprint) for trial in trials)
    return plain, averaged


def test_it_changes_predictions_and_no_weight(runs):
    plain, averaged = runs
    ours, theirs = weights(averaged.model_path), weights(plain.model_path)
    assert [w.tobytes() for w in ours] == [w.tobytes() for w in theirs]
    for key in ("parameters", "trainable_parameters"):
        assert averaged.provenance[key] == plain.provenance[key]
    model, images = keras.models.load_model(plain.model_path, compile=False), dataset().test.images
    expected = (model.predict(images, verbose=0) + model.predict(np.flip(images, axis=2), verbose=0)) / 2
    np.testing.assert_allclose(averaged.probabilities("test"), expected, atol=1e-6)
    assert (averaged.probabilities("test") != plain.probabilities("test")).any()


def test_an_image_and_its_mirror_image_are_one(runs, tmp_path: Path):
    """In the stored model and in its export."""
    model, images = keras.models.load_model(runs[1].model_path, compile=False), dataset().test.images
    WRITERS["onnx"](combined([model]), tmp_path / "model.onnx", {"toile": "{}"})
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    mirrored = np.ascontiguousarray(np.flip(images, axis=2))
    for some in (images, mirrored):
        np.testing.assert_allclose(model.predict(some, verbose=0), runs[1].probabilities("test"), atol=1e-6)
        np.testing.assert_allclose(
            session.run(["probabilities"], {"images": some})[0], runs[1].probabilities("test"), atol=1e-5
        )


def test_validation_while_it_trains_is_averaged_too(runs):
    for run in runs:
        assert run.history[-1]["validation_loss"] == pytest.approx(run.metrics["validation"]["loss"], abs=1e-9)


def test_bfloat16_averages_in_float32(tmp_path: Path):
    store, trial = make_store(tmp_path), TRIAL(flip_average=True, precision="bfloat16", epochs=1)
    train_elsewhere(trial, store)
    probabilities = store.get(trial.fingerprint).probabilities("test")
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "momentum": 0.9, "nesterov": True, "use_ema": True}], ids=["ema"])
def test_a_stopped_training_goes_on_bit_identically(optimizer: dict[str, Any], tmp_path: Path):
    """With all that a fast recipe has: averaged weights, a cycle of the learning rate, crops and erasing, mirror images."""
    trial: Trial = make_trial(
        "resnet", {"stem": 4, "widths": [4, 8], "blocks": 1}, flip_average=True, optimizer=optimizer, epochs=3,
        schedule="one-cycle", label_smoothing=0.1, augmentation={"crop": 2, "flip": "horizontal", "erasing": {}},
    )  # fmt: skip
    whole, resumed = make_store(tmp_path / "whole"), make_store(tmp_path / "resumed")
    train_elsewhere(trial, whole)
    for epoch in (1, 2):
        train_elsewhere(trial, resumed, epoch)
    train_elsewhere(trial, resumed)
    assert len(resumed.get(trial.fingerprint).provenance["sessions"]) == 3
    assert_same_result(resumed, whole, trial)


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_on_another_backend(backend: str, tmp_path: Path):
    store: Store = make_store(tmp_path)
    trial = make_trial(options={"hidden": [4]}, backend=backend, epochs=1, flip_average=True)
    assert [event["event"] for event in work(trial, store)] == ["epoch", "done"]
    run, images = store.get(trial.fingerprint), dataset().test.images
    model = keras.models.load_model(run.model_path, compile=False)
    for some in (images, np.flip(images, axis=2)):
        np.testing.assert_allclose(model.predict(some, verbose=0), run.probabilities("test"), atol=1e-4)
