"""Fine-tuning: what of a backbone learns, what does not, and how fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.fixture import (
    OTHER_BACKENDS,
    assert_same_result,
    dataset,
    elsewhere,
    make_store,
    make_trial,
    train_and_die,
    train_elsewhere,
    work,
)  # fmt: skip
from tests.training.test_transfer import settle
from toile.errors import Misuse
from toile.inference.combined import combined
from toile.inference.export import WRITERS
from toile.models import architectures, backbones, stored
from toile.models.architectures import transfer
from toile.store.run import Run
from toile.store.store import Store
from toile.study.trial import Trial
from toile.training import division
from toile.workers.infer import infer

SMALL = {"backbone": "mobilenet", "alpha": 0.25, "weights": "none"}
# Its last depthwise and last pointwise convolution, and the head of ten classes.
LEARNED = 9 * 256 + 256 * 256 + 256 * 10 + 10


def build(**options: Any) -> Any:
    return architectures.build("transfer", (28, 28, 1), 4, {**SMALL, **options})


def learning(model: Any) -> list[str]:
    """Names of the backbone's layers that learn."""
    return [layer.name for layer in model.get_layer("backbone").layers if layer.trainable_variables]


# What learns


@pytest.mark.parametrize(
    ("unfreeze", "names"),
    [
        ("none", []),
        (1, ["conv_pw_13"]),
        ("last-stage", ["conv_dw_12", "conv_pw_12", "conv_dw_13", "conv_pw_13"]),
        ("all", ["conv1", *(f"conv_{kind}_{i}" for i in range(1, 14) for kind in ("dw", "pw"))]),
    ],
)
def test_what_is_unfrozen_learns_and_no_batch_normalisation(unfreeze: Any, names: list[str], tmp_path: Path) -> None:
    import keras

    model = build(unfreeze=unfreeze)
    assert learning(model) == names
    multipliers = {getattr(one, "learning_rate_multiplier", None) for one in model.get_layer("backbone").trainable_variables}
    assert multipliers == ({0.1} if names else set())
    assert all(not hasattr(one, "learning_rate_multiplier") for one in model.get_layer("logits").trainable_variables)
    model.save(tmp_path / "model.keras")
    assert learning(keras.models.load_model(tmp_path / "model.keras", compile=False)) == names


def test_batch_normalisation_is_in_inference_mode_while_the_rest_learns() -> None:
    model, images = build(unfreeze="all"), np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1), dtype=np.uint8)
    before = [np.asarray(one) for one in model.get_layer("backbone").non_trainable_variables]
    as_trained, as_asked = (np.asarray(model(images, training=training)) for training in (True, False))
    np.testing.assert_allclose(as_trained, as_asked, atol=1e-6)
    after = [np.asarray(one) for one in model.get_layer("backbone").non_trainable_variables]
    assert len(before) == 4 * 27 and all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("name", "unfreeze", "behind"),
    [
        ("mobilenet", "last-stage", "conv_pad_12"),
        ("resnet50", 2, "conv5_block2_out"),  # its last block has a shortcut around the layer before those two
    ],
)
def test_what_is_frozen_is_cut_off_where_the_rest_sees_one_output_of_it(name: str, unfreeze: Any, behind: str) -> None:
    elsewhere(assert_cut_off, name, unfreeze, behind)  # a ResNet takes 160 MB


def assert_cut_off(name: str, unfreeze: Any, behind: str) -> None:
    model = build(backbone=name, alpha=0.25 if name == "mobilenet" else 1.0, unfreeze=unfreeze)
    at = division.cut(model, 1000)
    assert at.name == behind
    to_features, head = division.divide(model, at)
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    np.testing.assert_allclose(head(to_features(images), training=True), model(images, training=False), atol=1e-6)
    assert [id(one) for one in head.trainable_variables] == [id(one) for one in model.trainable_variables]


def test_there_is_no_cut_where_all_learns_nor_where_feature_maps_would_fill_the_memory() -> None:
    assert division.cut(build(unfreeze="all"), 1) is None
    model = build(unfreeze="last-stage", size=64)
    maps = 4 * 5 * 5 * 128  # bytes of one image's, with the padding of the next layer
    assert division.cut(model, 2**30 // maps) is not None and division.cut(model, 2**30 // maps + 1) is None


# What a study may say


def test_options_of_before_are_complete_as_they_were() -> None:
    """The fingerprints of frozen backbones: what came later is not in them until it is said."""
    assert architectures.complete("transfer", SMALL) == {
        "backbone": "mobilenet", "alpha": 0.25, "weights": "none", "size": 32, "fit": "resize", "channels": "repeat",
        "preprocessing": "backbone", "pooling": "flatten", "dense": [], "dense_dropout": 0.0, "activation": "relu",
    }  # fmt: skip
    said = {"unfreeze": 3, "backbone_learning_rate_multiplier": 0.5}
    assert said.items() <= architectures.complete("transfer", {**SMALL, **said}).items()
    assert transfer.REVISION == 1, "what is left out means what it meant: another default is another revision"


def test_what_cannot_be_unfrozen_is_an_error_when_planned_and_when_built() -> None:
    options, message = {**SMALL, "unfreeze": 28}, "unfreeze is at most 27, all layers of MobileNet with a kernel; got 28"
    with pytest.raises(ValueError, match=message):
        transfer.check(architectures.complete("transfer", options), (28, 28, 1))
    with pytest.raises(Misuse, match=message):
        build(unfreeze=28)


# A training


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a backbone whose batch normalisation has seen something: one that has not lets next to nothing through."""
    model, path = build(), tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    settle(model)
    model.get_layer("backbone").save_weights(path)
    return path


def tuned(weights: Path, store: Store, options: dict[str, Any], **recipe: Any) -> Trial:
    """A trial that begins with the weights, which are put into the store."""
    content = backbones.content(str(weights))
    store.keep_weights(weights, content)
    trial = make_trial("transfer", {**SMALL, "weights": "file", **options}, **{"epochs": 2, "batch_size": 40, **recipe})
    return trial.model_copy(update={"architecture": trial.architecture.model_copy(update={"weights": content})})


@pytest.fixture(scope="module")
def run(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    store = make_store(tmp_path_factory.mktemp("fine-tuning"))
    trial = tuned(weights, store, {"unfreeze": 2}, early_stopping={"patience": 9, "restore_best": True})
    train_elsewhere(trial, store)
    return store.get(trial.fingerprint)


def test_a_killed_training_goes_on_bit_identically_from_the_weights_of_its_backbone(
    run: Run, weights: Path, tmp_path: Path
) -> None:
    resumed = make_store(tmp_path)
    trial = tuned(weights, resumed, {"unfreeze": 2}, early_stopping={"patience": 9, "restore_best": True})
    train_and_die(trial, resumed, 1)
    train_elsewhere(trial, resumed)
    assert len(resumed.get(trial.fingerprint).provenance["sessions"]) == 2
    assert_same_result(resumed, Store(run.folder.parents[1]), trial)


def test_its_stored_model_has_what_was_learned_and_says_what_the_run_says(run: Run, weights: Path) -> None:
    import keras

    model = keras.models.load_model(run.model_path, compile=False)
    np.testing.assert_allclose(model.predict(dataset().test.images, verbose=0), run.probabilities("test"), atol=1e-5)
    before = build(weights=str(weights))
    changed = [
        layer.name for layer, other in zip(model.get_layer("backbone").layers, before.get_layer("backbone").layers, strict=True)
        if any(not np.array_equal(a, b) for a, b in zip(layer.get_weights(), other.get_weights(), strict=True))
    ]  # fmt: skip
    assert changed == ["conv_dw_13", "conv_pw_13"]
    assert run.provenance["seconds"]["backbone"] > 0
    assert run.provenance["trainable_parameters"] == LEARNED
    assert run.provenance["parameters"] == backbones.BACKBONES["mobilenet"].count(0.25) + 256 * 10 + 10


def test_its_export_says_what_the_run_says(run: Run, tmp_path: Path) -> None:
    elsewhere(export_and_ask, run.model_path, run.probabilities("test"), tmp_path / "model.onnx")


def export_and_ask(model: Path, said: np.ndarray, path: Path) -> None:
    """In a process of its own: the conversion of a backbone takes a gigabyte."""
    import onnxruntime

    WRITERS["onnx"](combined([stored.load(model)]), path, {"toile": "{}"})
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    answer = session.run(["probabilities"], {"images": dataset().test.images})[0]
    np.testing.assert_allclose(answer, said, atol=1e-5)


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_on_another_backend(backend: str, weights: Path, tmp_path: Path) -> None:
    made = make_store(tmp_path)
    trial = tuned(weights, made, {"unfreeze": 2}, backend=backend, epochs=1)
    assert [event["event"] for event in work(trial, made)] == ["epoch", "done"]
    run = made.get(trial.fingerprint)
    [answer] = infer([run.model_path], backend, dataset().test.images)
    np.testing.assert_allclose(answer, run.probabilities("test"), atol=1e-5)
    assert run.provenance["trainable_parameters"] == LEARNED
