"""A training from trial to run: what it stores, what it says, how it resumes, how it fails."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.fixture import STATEFUL, assert_same_result, dataset, make_store, make_trial, weights
from tests.training.fixture import train_elsewhere as trained
from toile.data.parts.splits import split
from toile.errors import ToileError
from toile.evaluation.metrics import evaluate
from toile.inference.infer import load
from toile.models import architectures
from toile.store.run import MANIFEST
from toile.store.store import Store
from toile.study.trial import Trial
from toile.training import recipe
from toile.training.scratch.training import Training
from toile.training.train import train
from toile.workers.infer import infer
from toile.workers.train import main

EPOCHS = 4


def stateful_trial(**recipe: Any) -> Trial:
    """A training that depends on everything a checkpoint has to bring back."""
    given = {"epochs": EPOCHS, "optimizer": {"name": "adam", "learning_rate": 0.01}, "schedule": {"name": "cosine"}}
    return make_trial("cnn", STATEFUL, **{**given, **recipe})


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[Trial, Store, list[dict[str, Any]]]:
    trial, store = stateful_trial(), make_store(tmp_path_factory.mktemp("uninterrupted"))
    return trial, store, trained(trial, store)


def test_run_has_all_its_files_and_leaves_no_work_behind(uninterrupted):
    trial, store, _ = uninterrupted
    run = store.get(trial.fingerprint)
    assert sorted(run.folder.iterdir()) == sorted([*run.files(), run.folder / MANIFEST])
    assert store.unfinished() == []
    assert (run.folder / "trial.json").read_text("utf-8") == trial.canonical() + "\n"
    assert Trial.parse((run.folder / "trial.json").read_text("utf-8")).fingerprint == run.fingerprint


def test_probabilities_and_metrics_are_of_the_trials_split(uninterrupted):
    trial, store, _ = uninterrupted
    run, parts = store.get(trial.fingerprint), split(dataset(), trial.split)
    assert run.splits() == ("validation", "test")
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        probabilities = run.probabilities(name)
        assert probabilities.dtype == np.float32 and probabilities.shape == (len(part), 10)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        assert run.metrics[name] == json.loads(json.dumps(evaluate(probabilities, part.labels)))


def test_figures_of_the_training_images_are_those_of_the_stored_model(uninterrupted):
    """Measured after the training and without dropout, where those of the history are of the training itself."""
    trial, store, _ = uninterrupted
    run, train = store.get(trial.fingerprint), split(dataset(), trial.split).train
    expected = evaluate(load(run.model_path)(train.images), train.labels)
    numbers = {name: value for name, value in expected.items() if isinstance(value, int | float)}
    assert {name: run.metrics["train"][name] for name in numbers} == pytest.approx(numbers, abs=1e-6)
    assert run.metrics["train"]["images"] == len(train)
    assert run.metrics["train"]["loss"] != pytest.approx(run.history[-1]["loss"], abs=1e-4)
    assert "train" not in run.splits()


def test_history_is_what_was_said(uninterrupted):
    trial, store, said = uninterrupted
    history = store.get(trial.fingerprint).history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert [event["event"] for event in said] == ["epoch"] * EPOCHS
    for row, event in zip(history, said, strict=True):
        assert {key: event[key] for key in row} == row
        assert event["epochs"] == EPOCHS and event["images_per_second"] > 0
    names = ("loss", "accuracy", "precision", "recall")
    expected = ["epoch", "learning_rate", *names, *(f"validation_{name}" for name in names), "seconds"]
    assert list(history[0]) == expected
    rates = [recipe.learning_rates(trial.recipe, epoch, 5)[0] for epoch in range(EPOCHS)]
    assert [row["learning_rate"] for row in history] == pytest.approx(rates)


def test_history_ends_with_the_figures_of_the_stored_model(uninterrupted):
    trial, store, _ = uninterrupted
    run = store.get(trial.fingerprint)
    for name in ("loss", "accuracy", "precision", "recall"):
        assert run.history[-1][f"validation_{name}"] == pytest.approx(run.metrics["validation"][name], abs=1e-9)


def test_provenance_says_all_that_does_not_decide(uninterrupted):
    trial, store, _ = uninterrupted
    facts = store.get(trial.fingerprint).provenance
    assert {
        "parameters", "trainable_parameters", "epochs_run", "best_epoch", "images", "seconds", "images_per_second", "threads",
        "sessions", "started", "finished", "backend", "versions", "machine", "commit", "peak_memory_mb", "form", "device",
    } == set(facts)  # fmt: skip
    model = architectures.build("cnn", (28, 28, 1), 10, STATEFUL)
    assert facts["parameters"] == model.count_params() > facts["trainable_parameters"]
    assert facts["epochs_run"] == EPOCHS and facts["best_epoch"] is None
    assert facts["images"] == {"train": 160, "validation": 40, "test": 60}
    assert facts["threads"] == 1 and facts["backend"] == "tensorflow"
    assert facts["versions"].keys() >= {"python", "keras", "numpy", "scikit-learn"}
    assert any(name.startswith("tensorflow") for name in facts["versions"])
    assert facts["machine"]["cores"] == os.cpu_count() and facts["machine"]["system"] and facts["machine"]["processor"]
    assert 50 < facts["peak_memory_mb"] < 4000
    assert facts["seconds"]["train"] > 0 and facts["seconds"]["evaluate"] > 0
    assert facts["images_per_second"] == pytest.approx(EPOCHS * 160 / facts["seconds"]["train"])
    assert facts["started"] <= facts["finished"]
    assert [session["from_epoch"] for session in facts["sessions"]] == [0]


def test_training_again_trains_nothing(uninterrupted):
    trial, store, _ = uninterrupted
    before = (store.get(trial.fingerprint).folder / "model.keras").stat().st_mtime_ns
    assert trained(trial, store) == []
    assert (store.get(trial.fingerprint).folder / "model.keras").stat().st_mtime_ns == before


def test_other_seed_is_another_result(uninterrupted, tmp_path):
    trial, store, _ = uninterrupted
    other, place = trial.model_copy(update={"seed": 1}), make_store(tmp_path)
    trained(Trial.parse(other.canonical()), place)
    [run] = place.runs()
    assert not np.array_equal(run.probabilities("test"), store.get(trial.fingerprint).probabilities("test"))


@pytest.mark.parametrize("stop_after", [1, 3, EPOCHS])
def test_resumed_training_is_bit_identical(stop_after, uninterrupted, tmp_path):
    trial, store, _ = uninterrupted
    place = make_store(tmp_path)
    trained(trial, place, stop_after)
    assert place.get(trial.fingerprint) is None and place.unfinished() == [trial.fingerprint]
    said = trained(trial, place)
    assert [event["epoch"] for event in said] == list(range(stop_after + 1, EPOCHS + 1))
    assert_same_result(place, store, trial)
    facts = place.get(trial.fingerprint).provenance
    assert [session["from_epoch"] for session in facts["sessions"]] == [0, stop_after]
    assert facts["images_per_second"] == pytest.approx(EPOCHS * 160 / facts["seconds"]["train"])


def test_interrupted_at_every_epoch_is_bit_identical(uninterrupted, tmp_path):
    trial, store, _ = uninterrupted
    place = make_store(tmp_path)
    for epoch in range(1, EPOCHS):
        trained(trial, place, epoch)
    trained(trial, place)
    assert_same_result(place, store, trial)


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", "half", "other layout"])
def test_damaged_checkpoint_counts_as_none(damage, uninterrupted, tmp_path):
    trial, store, _ = uninterrupted
    place = make_store(tmp_path)
    trained(trial, place, 2)
    path = place.work(trial.fingerprint) / "checkpoint.npz"
    if damage == "half":
        damage = path.read_bytes()[: path.stat().st_size // 2]
    elif damage == "other layout":
        with np.load(path) as stored:
            kept = {name: stored[name] for name in stored.files if name != "optimizer/0003"}
        buffer = io.BytesIO()
        np.savez(buffer, **kept)
        damage = buffer.getvalue() + hashlib.sha256(buffer.getvalue()).digest()
    path.write_bytes(damage)
    assert [event["epoch"] for event in trained(trial, place)] == [1, 2, 3, 4]
    assert_same_result(place, store, trial)


def test_what_kills_left_of_checkpoints_does_not_pile_up(uninterrupted, tmp_path):
    trial, _, _ = uninterrupted
    place = make_store(tmp_path)
    with place.claim(trial.fingerprint) as work:
        (work / "checkpoint.npz.0123456789ab.tmp").write_bytes(b"half")
    trained(trial, place, 1)
    assert list(work.glob("*.tmp")) == []


def stops_early(**early_stopping: Any) -> Trial:
    """A training that gets worse after a few epochs."""
    return stateful_trial(
        epochs=12, optimizer={"name": "adam", "learning_rate": 0.3}, schedule={"name": "constant"},
        early_stopping={"patience": 2, **early_stopping},
    )  # fmt: skip


def test_early_stopping_ends_with_the_last_or_the_best_epoch(tmp_path):
    last, best, store = stops_early(), stops_early(restore_best=True), make_store(tmp_path)
    trained(last, store)
    trained(best, store, 2)  # the best weights have to come through a checkpoint
    trained(best, store)
    last_run, best_run = store.get(last.fingerprint), store.get(best.fingerprint)
    losses = [row["validation_loss"] for row in last_run.history]
    assert [row["validation_loss"] for row in best_run.history] == losses
    best_epoch, epochs = int(np.argmin(losses)) + 1, len(losses)
    assert best_epoch < epochs < 12 and epochs == best_epoch + 2
    for run in (last_run, best_run):
        assert run.provenance["best_epoch"] == best_epoch and run.provenance["epochs_run"] == epochs
    assert last_run.metrics["validation"]["loss"] == pytest.approx(losses[-1])
    assert best_run.metrics["validation"]["loss"] == pytest.approx(losses[best_epoch - 1])
    # The stored models are those of the stored probabilities.
    images = dataset().test.images
    for run in (last_run, best_run):
        model = architectures.build("cnn", (28, 28, 1), 10, STATEFUL)
        model.set_weights(weights(run.model_path))
        np.testing.assert_allclose(model.predict(images, verbose=0), run.probabilities("test"), atol=1e-6)


def test_averaged_weights_are_what_is_stored(tmp_path):
    """`use_ema`: Keras's `fit` ends with the averages; so the stored model differs from the last epoch's."""
    momentum, store = {"name": "sgd", "learning_rate": 0.05, "use_ema": True, "ema_momentum": 0.9}, make_store(tmp_path)
    plain, averaged = make_trial(optimizer={**momentum, "use_ema": False}), make_trial(optimizer=momentum)
    trained(plain, store)
    trained(averaged, store)
    plain, averaged = store.get(plain.fingerprint), store.get(averaged.fingerprint)
    assert [{**row, "seconds": 0} for row in plain.history] == [{**row, "seconds": 0} for row in averaged.history]
    assert averaged.metrics["validation"]["loss"] != pytest.approx(plain.metrics["validation"]["loss"])
    assert all(not np.array_equal(a, b) for a, b in zip(weights(plain.model_path), weights(averaged.model_path), strict=True))


def test_nobody_is_asked_twice_for_what_the_last_epoch_said(tmp_path, monkeypatch):
    """Validation images once an epoch; the run has the last epoch's answers. Test and training images once, at the end."""
    asked, predict = [], Training.predict
    monkeypatch.setattr(Training, "predict", lambda self, images: asked.append(len(images)) or predict(self, images))
    trial = make_trial("numpy-mlp", optimizer={"name": "sgd", "learning_rate": 0.1}, epochs=3)
    trial, store = trial.model_copy(update={"learner": "scratch"}), make_store(tmp_path)
    train(trial, store, threads=1, say=lambda event, **fields: None)
    parts = split(dataset(), trial.split)
    assert asked == [len(parts.validation)] * 3 + [len(parts.test), len(parts.train)]
    run = store.get(trial.fingerprint)
    said = evaluate(run.probabilities("validation"), parts.validation.labels)
    assert said["accuracy"] == run.history[-1]["validation_accuracy"]


# After its only step the weights are 1e15 or so, which are numbers, and their products are none.
HUGE = {"name": "sgd", "learning_rate": 1e16}
NO_WEIGHTS = {"name": "sgd", "learning_rate": 1e38, "weight_decay": 1e6}


@pytest.mark.parametrize(
    ("optimizer", "batch_size", "validation"),
    [(NO_WEIGHTS, 32, 0.2), (NO_WEIGHTS, 200, 0.0), (HUGE, 200, 0.2), (HUGE, 200, 0.0)],
    ids=["loss", "weights after the only step", "validation loss", "what the model says at the end"],
)
def test_loss_that_is_no_number_fails_without_a_run(optimizer, batch_size, validation, tmp_path, capsys):
    recipe = {"optimizer": optimizer, "batch_size": batch_size, "epochs": 1}
    trial = make_trial(options={"hidden": [16, 16]}, validation=validation, **recipe)
    store = make_store(tmp_path)
    with pytest.raises(ToileError, match=r"the loss is not a number in epoch 1: try a smaller learning rate"):
        trained(trial, store)
    assert store.get(trial.fingerprint) is None
    path = tmp_path / "trial.json"
    path.write_text(trial.canonical(), "utf-8")
    assert main([str(path), str(tmp_path), "--threads", "1"]) == 1
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[-1]["event"] == "failed" and "the loss is not a number" in said[-1]["error"]
    assert store.get(trial.fingerprint) is None


def test_trial_over_unknown_data_and_a_broken_trial_file_are_events(tmp_path, capsys):
    store = Store(tmp_path)
    store.prepare()
    path = tmp_path / "trial.json"
    for content, message in ((make_trial().canonical(), "has no data set"), ("{}", "format"), ("{", "JSONDecodeError")):
        path.write_text(content, "utf-8")
        assert main([str(path), str(tmp_path), "--threads", "1"]) == 1
        [event] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert event["event"] == "failed" and message in event["error"]


def failure(trial: Trial, store: Store, capsys: pytest.CaptureFixture) -> tuple[str, str]:
    """The error of a worker that fails, and what it wrote to its log."""
    path = store.root / "trial.json"
    path.write_text(trial.canonical(), "utf-8")
    assert main([str(path), str(store.root), "--threads", "1"]) == 1
    out, log = capsys.readouterr()
    event = json.loads(out.splitlines()[-1])
    assert event["event"] == "failed" and store.get(trial.fingerprint) is None
    return event["error"], log


@pytest.mark.parametrize("name", ["train-labels.npy", "train-images.npy"])
def test_damaged_data_is_never_trained_on(name, tmp_path, capsys):
    """Half of the labels changed, or one pixel: an accuracy under the fingerprint of the good data would be another's."""
    trial, store = make_trial(), make_store(tmp_path)
    path = store.data_folder / trial.dataset.content / name
    array = np.load(path)
    if name == "train-labels.npy":
        array[::2] = (array[::2] + 1) % 10
    else:
        array[0, 0, 0] ^= 1
    np.save(path, array)
    error, _ = failure(trial, store, capsys)
    assert f"{trial.dataset.content} is damaged: {name} is not what was kept" in error


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path, capsys, monkeypatch):
    def full(path: Path, *_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("toile.training.checkpoint.save", full)
    trial, store = make_trial(epochs=1), make_store(tmp_path)
    error, log = failure(trial, store, capsys)
    assert error == f"cannot write {store.work(trial.fingerprint)}/checkpoint.npz: No space left on device"
    assert "Traceback" not in log


def test_without_validation_there_is_only_test(tmp_path):
    trial, store = make_trial(validation=0.0, epochs=1), make_store(tmp_path)
    trained(trial, store)
    run = store.get(trial.fingerprint)
    assert run.splits() == ("test",) and list(run.metrics) == ["train", "test"]
    assert not any(name.startswith("validation") for name in run.history[0])
    assert run.provenance["images"] == {"train": 200, "test": 60}


def test_bfloat16_trains_with_float32_weights_and_answers(tmp_path):
    import keras

    trial, store = stateful_trial(precision="bfloat16", epochs=3), make_store(tmp_path)
    trained(trial, store)
    run = store.get(trial.fingerprint)
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    assert run.probabilities("test").dtype == np.float32
    np.testing.assert_allclose(run.probabilities("test").sum(axis=1), 1, atol=1e-6)
    model = keras.models.load_model(run.model_path, compile=False)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.get_layer("logits").compute_dtype == "bfloat16"


def test_inference_says_what_training_stored(uninterrupted, tmp_path):
    trial, store, _ = uninterrupted
    run = store.get(trial.fingerprint)
    first, second = infer([run.model_path, run.model_path], "tensorflow", dataset().test.images)
    np.testing.assert_allclose(first, run.probabilities("test"), atol=1e-6)
    np.testing.assert_array_equal(first, second)
    broken = Path(tmp_path, "model.keras")
    broken.write_bytes(b"no model")
    with pytest.raises(ToileError, match="the models could not be used"):
        infer([broken], "tensorflow", dataset().test.images)
