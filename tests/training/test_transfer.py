"""Transfer: backbones, their checks before anything trains, and the head on kept features against the whole model."""

from __future__ import annotations

import json
import tempfile
import urllib.error
import warnings
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.training.fixture import dataset, elsewhere, make_trial, python
from toile.data.dataset import Dataset, Images
from toile.data.parts.groups import digest
from toile.data.parts.splits import split
from toile.errors import Misuse, ToileError
from toile.models import architectures, backbones
from toile.models.architectures import transfer
from toile.store.store import Store
from toile.study.data.split import SplitSpec
from toile.study.recipe.recipe import RecipeSpec
from toile.training import division, features, recipe, record
from toile.training.checkpoint import Progress
from toile.training.engines import engine

SHAPE, CLASSES = (28, 28, 1), 4
SMALL = {"backbone": "mobilenet", "alpha": 0.25, "weights": "none"}


def build(shape: tuple[int, int, int] = SHAPE, **options: Any) -> Any:
    return architectures.build("transfer", shape, CLASSES, {**SMALL, **options})


def complete(**options: Any) -> dict[str, Any]:
    return architectures.complete("transfer", {**SMALL, **options})


def divide(model: Any) -> tuple[Any, Any]:
    """A model with a frozen backbone, in two."""
    at = division.cut(model, 1)
    assert at is model.get_layer("features")
    return division.divide(model, at)


def some_images(count: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def settle(model: Any) -> None:
    """Give batch normalisation averages that tell inference from training, as weights of ImageNet have them."""
    drawn = np.random.default_rng(1)
    for variable in model.get_layer("backbone").variables:
        if "moving_mean" in variable.path:
            variable.assign(drawn.normal(0, 0.1, variable.shape))
        elif "moving_variance" in variable.path:
            variable.assign(drawn.uniform(0.5, 1.5, variable.shape))


@cache
def settled() -> Any:
    model = build(dense=[8], dense_dropout=0.5)
    settle(model)
    return model


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory) -> Path:
    """Weights of MobileNet 0.25 in the file that Keras's `save_weights` writes."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet_0.25.weights.h5"
    settled().get_layer("backbone").save_weights(path)
    return path


# The model


@pytest.mark.parametrize("name", ["vgg16", "densenet121", "mobilenet", "efficientnet-v2-b0"])
@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3)], ids=["grey", "colour"])
def test_preprocessing_is_that_of_keras(name, shape):
    """One backbone of each kind ("caffe", "torch", "tf", "inside"): what it is given, against `preprocess_input`."""
    import keras

    model = _until_backbone(name, shape)
    images = some_images(3, (32, 32, shape[2]))[:, :28, :28]
    ours = np.asarray(model(images))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0))).astype(np.float32)
    padded = np.repeat(padded, 3, axis=3) if shape[2] == 1 else padded
    module = {"vgg16": "vgg16", "densenet121": "densenet", "mobilenet": "mobilenet", "efficientnet-v2-b0": "efficientnet_v2"}
    expected = getattr(keras.applications, module[name]).preprocess_input(padded.copy())
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def _until_backbone(name: str, shape: tuple[int, int, int], **options: Any) -> Any:
    """The layers before the backbone alone."""
    import keras

    inputs = x = keras.Input(shape, dtype="uint8")
    if name == "mobilenet" or options:
        model = build(shape, fit="pad", **options)
        return keras.Model(model.input, model.get_layer("preprocessing").output)
    x = keras.layers.ZeroPadding2D(2)(keras.layers.Rescaling(1.0)(x))
    x = keras.layers.Concatenate()([x] * 3) if shape[2] == 1 else x
    return keras.Model(inputs, transfer._preprocess(x, backbones.BACKBONES[name].preprocessing, colour=shape[2] == 3))


def test_second_document_pads_channels_with_zeros_and_scales():
    given = some_images(2)
    ours = np.asarray(_until_backbone("mobilenet", SHAPE, channels="zeros", preprocessing="scale")(given))
    np.testing.assert_allclose(ours, np.pad(given / 255, ((0, 0), (2, 2), (2, 2), (1, 1))), atol=1e-6)


def test_odd_sides_are_padded_to_the_size():
    model = build((27, 20, 1), fit="pad", preprocessing="none")
    assert model.get_layer("pad").output.shape == (None, 32, 32, 1)


def test_resize_is_bilinear():
    import keras

    model, images = build(size=40, preprocessing="none"), some_images(2)
    ours = keras.Model(model.input, model.get_layer("preprocessing").output)(images)
    expected = keras.ops.image.resize(images.astype(np.float32), (40, 40), interpolation="bilinear")
    np.testing.assert_allclose(np.asarray(ours), np.repeat(np.asarray(expected), 3, axis=3), atol=1e-4)


@pytest.mark.parametrize(("pooling", "count"), [("flatten", 4 * 256), ("average", 256), ("max", 256)])
def test_pooling(pooling, count):
    assert build(size=64, pooling=pooling).get_layer("features").output.shape == (None, count)


def test_only_the_head_trains():
    model = settled()
    assert not model.get_layer("backbone").trainable_variables
    assert sum(np.prod(v.shape) for v in model.trainable_variables) == 256 * 8 + 8 + 8 * CLASSES + CLASSES
    assert [layer.name for layer in model.layers].count("backbone") == 1


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "efficientnet-v2-b0"])
def test_backbone_says_the_same_in_training(name):
    elsewhere(say_the_same_in_training, name)


def say_the_same_in_training(name: str) -> None:
    """Neither batch normalisation nor dropout (EfficientNet's skip connections) may notice that the head trains."""
    model = build(backbone=name, alpha=1.0)
    images = some_images(4)
    cut = divide(model)[0]
    np.testing.assert_allclose(np.asarray(cut(images, training=True)), np.asarray(cut(images, training=False)), rtol=1e-5)


@pytest.mark.parametrize("name", ["vgg16", "resnet50"])
def test_documents_models_take_their_weights_from_a_file(name, tmp_path):
    """Document 2: the backbone, flattened, and one dense layer of five."""
    path = tmp_path / f"{name}.weights.h5"
    elsewhere(take_weights_from_a_file, name, path)
    with pytest.raises(Misuse, match=f"does not fit mobilenet with alpha = 0.25: .* it fits {name}$"):
        transfer.check(complete(weights=str(path)))


def take_weights_from_a_file(name: str, path: Path) -> None:
    """In a process of its own: both hold some hundreds of megabytes."""
    import keras

    source = getattr(keras.applications, backbones.BACKBONES[name].function)(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    source.save_weights(path)
    model = build(backbone=name, alpha=1.0, weights=str(path), fit="pad", channels="zeros", preprocessing="scale")
    for ours, theirs in zip(model.get_layer("backbone").get_weights(), source.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_saved_model_with_its_backbone_needs_no_toile(tmp_path):
    """Of colour images, because only those go through the reversal of their channels."""
    said = elsewhere(save_with_its_backbone, tmp_path)
    python(
        "import sys; sys.modules['toile'] = None\n"
        "import keras, numpy, pathlib\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "model = keras.models.load_model(folder / 'model.keras')\n"
        "assert not model.get_layer('backbone').trainable_variables\n"
        "numpy.save(folder / 'said.npy', model(numpy.load(folder / 'images.npy'), training=False).numpy())\n",
        tmp_path,
    )
    np.testing.assert_allclose(np.load(tmp_path / "said.npy"), said, atol=1e-6)


def save_with_its_backbone(folder: Path) -> np.ndarray:
    model, images = build((30, 26, 3), backbone="vgg16", alpha=1.0), some_images(3, (30, 26, 3))
    model.save(folder / "model.keras")
    np.save(folder / "images.npy", images)
    return model(images, training=False).numpy()


# What cannot be had, before anything trains


def test_checks_import_no_keras(weights_file):
    said = python(
        "from toile.models import architectures\n"
        "from toile.models.architectures import transfer\n"
        "options = architectures.complete('transfer', {'alpha': 0.25, 'weights': sys.argv[1]})\n"
        "transfer.check(options, (28, 28, 1))\n"
        "print(transfer.weights_content(options), [m for m in ('keras', 'tensorflow') if m in sys.modules])\n",
        weights_file,
    )
    assert said.split() == [transfer.weights_content({"weights": str(weights_file)}), "[]"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "xception", "alpha": 1.0}, "xception takes images of at least 71 pixels a side, got size = 32"),
        ({"backbone": "vgg16"}, "vgg16 has no width multiplier, got alpha = 0.25; only these have: mobilenet, mobilenet-v2"),
        ({"weights": "imagenet", "alpha": 0.3}, "no ImageNet weights of mobilenet for alpha = 0.3; there are for: 0.25, 0.5, "),
        ({"weights": "/no/such/file.h5"}, 'no weights file /no/such/file.h5; weights is "imagenet", "none", a path or the'),
        ({"dense": [8], "dense_dropout": [0.1, 0.2]}, "dense_dropout has 2 values for 1 layers"),
        ({"fit": "pad", "size": 40}, r"images of \(50, 28\) pixels cannot be padded to 40"),
    ],
)
def test_impossible_transfer_is_an_error_when_planned_and_when_built(options, message):
    shape = (50, 28, 1)
    with pytest.raises((Misuse, ValueError), match=message):
        transfer.check(complete(**options), shape)
    with pytest.raises(Misuse, match=message):
        build(shape, **options)


def test_two_channels_are_an_error():
    with pytest.raises(Misuse, match="images of 1 or 3 channels, got 2"):
        build((28, 28, 2))


def test_unknown_backbone_names_the_nearest():
    with pytest.raises(Misuse, match=r"unknown backbone 'resnet-50' \(did you mean 'resnet50'\?\); known: mobilenet, "):
        backbones.check("resnet-50", 1.0, 32, "none")


def test_weights_of_another_width_say_what_they_fit(weights_file):
    with pytest.raises(Misuse, match=r"it holds 218,544 numbers, 829,536 are wanted .* it fits mobilenet with alpha = 0.25"):
        transfer.check(complete(alpha=0.5, weights=str(weights_file)))


def test_misspelt_file_names_the_nearest(weights_file):
    with pytest.raises(Misuse, match=r"did you mean 'mobilenet_0.25.weights.h5'"):
        transfer.check(complete(weights=str(weights_file.with_name("mobilenet_25.weights.h5"))))


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".npz"])
def test_file_that_holds_no_weights(tmp_path, suffix, weights_file):
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(weights_file.read_bytes()[:5000])
    with pytest.raises(ToileError, match=rf"{broken}: (no whole weights file of Keras|weights are read from files called)"):
        transfer.check(complete(weights=str(broken)))


def test_weights_of_as_many_numbers_in_other_shapes(tmp_path):
    import keras

    other = keras.Sequential([keras.Input((1,)), keras.layers.Dense(backbones.BACKBONES["mobilenet"].count(0.25) // 2)])
    path = tmp_path / "other.weights.h5"
    other.save_weights(path)
    transfer.check(complete(weights=str(path)))  # the count alone cannot tell
    with pytest.raises(Misuse, match=r"other\.weights\.h5 does not fit mobilenet"):
        build(weights=str(path))


def test_weights_that_keras_would_leave_at_random(tmp_path, monkeypatch, weights_file):
    monkeypatch.setattr("keras.Model.load_weights", lambda model, path: warnings.warn("nothing found", stacklevel=1))
    with pytest.raises(Misuse, match=r"does not fit mobilenet: it has nothing for 27 of 27 kernels"):
        build(weights=str(weights_file))


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_every_format_of_keras_is_read(tmp_path, suffix):
    backbone = settled().get_layer("backbone")
    path = tmp_path / f"backbone{suffix}"
    (backbone.save_weights if suffix == ".weights.h5" else backbone.save)(path)
    transfer.check(complete(weights=str(path)))
    loaded = build(weights=str(path)).get_layer("backbone").get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, backbone.get_weights(), strict=True))


def test_bare_name_is_looked_for_beside_the_study_and_in_the_usual_places(tmp_path, monkeypatch):
    study, named, here, keras = (tmp_path / name for name in ("study", "named", "here", "keras"))
    monkeypatch.setenv("TOILE_WEIGHTS", str(named))
    monkeypatch.setenv("KERAS_HOME", str(keras))
    here.mkdir()
    monkeypatch.chdir(here)
    assert backbones.places() == [named, here / "weights", tmp_path / "shared" / "weights", keras / "models"]
    assert backbones.located("w.h5", study) == "w.h5"
    with pytest.raises(backbones.WeightsMissing) as missing:
        backbones.check("mobilenet", 0.25, 32, "w.h5")
    assert all(str(place) in str(missing.value) for place in backbones.places())
    for folder in (*reversed(backbones.places()), study):  # each goes before those after it
        folder.mkdir(parents=True)
        (folder / "w.h5").touch()
        assert backbones.located("w.h5", study) == str(folder / "w.h5")
    assert backbones.located("../other/w.h5", study) == str(tmp_path / "other" / "w.h5")  # a path means one file
    assert [backbones.located(word, study) for word in ("imagenet", "none")] == ["imagenet", "none"]


def test_weights_that_cannot_be_downloaded(tmp_path, monkeypatch):
    asked = []

    def urlopen(request: Any, timeout: float) -> None:
        asked.append((request.full_url, timeout))
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    backbones._unreachable.cache_clear()
    options = architectures.complete("transfer", {"backbone": "resnet152"})
    try:
        for _ in range(2):
            message = r'resnet152 are not here .*: no route to host\. .* weights = "/path/to/resnet'
            with pytest.raises(ToileError, match=message):
                transfer.check(options)
        [(url, timeout)] = asked  # once, however many trials want them
        assert url == backbones.imagenet_url("resnet152", 1.0, 32) and timeout <= 10
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / url.rsplit("/", 1)[1]).touch()
        transfer.check(options)
    finally:
        backbones._unreachable.cache_clear()


def test_imagenet_weights_in_keras_cache_are_used(tmp_path, monkeypatch, weights_file):
    folder = tmp_path / "models"
    folder.mkdir()
    name = backbones.imagenet_url("mobilenet", 0.25, 32).rsplit("/", 1)[1]
    settled().get_layer("backbone").save(folder / name)  # .h5, as Keras's server has them
    monkeypatch.chdir(tmp_path)  # or real weights in a folder beside the checkout would be found first
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    loaded = build(weights="imagenet").get_layer("backbone").get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, settled().get_layer("backbone").get_weights(), strict=True))


def test_content_of_weights_decides_and_their_path_does_not(tmp_path, weights_file):
    copy = tmp_path / "copy.weights.h5"
    copy.write_bytes(weights_file.read_bytes())
    first = transfer.weights_content(complete(weights=str(weights_file)))
    assert first == transfer.weights_content(complete(weights=str(copy))) and len(first) == 64
    copy.write_bytes(copy.read_bytes() + b"\0")
    assert transfer.weights_content(complete(weights=str(copy))) != first
    assert transfer.weights_content(complete()) is transfer.weights_content(complete(weights="imagenet")) is None


# Features


def test_divided_model_is_the_model():
    model, images = settled(), some_images(20)
    to_features, head = divide(model)
    expected = np.asarray(model(images, training=False))
    np.testing.assert_allclose(np.asarray(head(to_features(images), training=False)), expected, atol=1e-5)
    assert [v.path for v in head.trainable_variables] == [v.path for v in model.trainable_variables]
    assert all(a is b for a, b in zip(head.trainable_variables, model.trainable_variables, strict=True))


def test_model_without_frozen_backbone_is_not_divided():
    model = build()
    model.get_layer("backbone").trainable = True
    for other in (model, architectures.build("mlp", SHAPE, CLASSES, {})):
        assert division.cut(other, 1) is None


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}, "adam"], ids=["sgd", "adam"])
def test_training_on_features_is_training_through_the_backbone(optimizer, tmp_path):
    """Three epochs with dropout: the same head to 1e-4."""
    import keras

    whole = Dataset("some", Images(some_images(50), np.arange(50) % CLASSES), None, tuple("abcd"))
    plan = RecipeSpec.model_validate({"optimizer": optimizer, "epochs": 3, "batch_size": 16})
    ended = []
    for on_features in (False, True):
        model = keras.models.clone_model(settled())
        model.set_weights(settled().get_weights())
        trained, data = model, whole
        if on_features:
            trained, data = features.dataset_of_features(
                model,
                model.get_layer("features"),
                whole,
                partial(Store(tmp_path).features, fingerprint="f"),
                options=complete(),
                backend=keras.backend.backend(),
            )
            assert data.train.images.dtype == np.float32 and data.test is None
            [asked] = tmp_path.glob("features/*/f")  # for `toile gc`: whose features these are
            assert (asked.parent / "features.npy").is_file()
        learner = engine(
            keras.backend.backend(), trained, recipe.optimizer(plan), data.train.images, data.train.labels, batch_size=16,
            label_smoothing=0.0,
        )  # fmt: skip
        for epoch in range(3):
            recipe.reseed(trained, 0, epoch)
            learner.epoch(recipe.order(0, epoch, 50), recipe.learning_rates(plan, epoch, 4))
        ended.append([np.asarray(variable) for variable in model.trainable_variables])
    for through, on, start in zip(*ended, settled().trainable_variables, strict=True):
        np.testing.assert_allclose(on, through, atol=1e-4)
        assert not np.allclose(through, np.asarray(start), atol=1e-3)


def test_features_are_computed_once(tmp_path):
    to_features, _ = divide(settled())
    images, seen = some_images(70), []
    first = features.cached(to_features, images, tmp_path / "features", batch=32, progress=lambda *done: seen.append(done))
    assert seen == [(32, 70), (64, 70), (70, 70)]
    np.testing.assert_allclose(first, np.asarray(to_features(images)), atol=1e-5)
    assert isinstance(first, np.memmap) and not first.flags.writeable
    again = features.cached(to_features, images, tmp_path / "features", progress=lambda *done: seen.append(done))
    assert np.array_equal(again, first) and len(seen) == 3
    assert sorted(path.name for path in (tmp_path / "features").iterdir() if path.suffix != ".lock") == [
        "features.npy", "features.seconds", "lock",
    ]  # fmt: skip
    assert 0 < features.seconds(tmp_path / "features") < 600
    assert features.seconds(tmp_path) == 0, "of features of before"


def test_features_are_split_as_the_images_are_by_groups_too(tmp_path):
    model, groups = settled(), np.arange(40) // 4
    train = Images(some_images(40), np.arange(40) % CLASSES, weights=np.linspace(1, 2, 40, dtype=np.float32))
    data = Dataset("some", train, train[:5], tuple("abcd"), groupings={digest(groups): groups})
    _, made = features.dataset_of_features(
        model, model.get_layer("features"), data, lambda key: tmp_path / key, options=complete(), backend="tensorflow"
    )
    spec = SplitSpec(groups=digest(groups), validation=0.25)
    ours, its = split(data, spec), split(made, spec)
    assert ours.indices.keys() == its.indices.keys() == {"train", "validation"}
    for part, positions in ours.indices.items():
        np.testing.assert_array_equal(its.indices[part], positions)
    np.testing.assert_array_equal(its.train.weights, ours.train.weights)


def test_times_of_a_run_have_the_pass_through_the_backbone(tmp_path):
    """Whoever did it: a tenth of a second for an image."""
    parts = split(dataset(), SplitSpec(validation=0.25))
    learner = SimpleNamespace(
        parts=parts, engine=SimpleNamespace(predict=lambda images: np.full((len(images), 10), 0.1, np.float32)),
        penalty=lambda: 0.0, save=lambda folder: {"parameters": 1, "trainable_parameters": 1}, backbone_seconds=0.1,
    )  # fmt: skip
    progress = Progress(recipe.Patience(None), [{"epoch": 1, "seconds": 2.0}], sessions=[{"started": "now"}])
    record.write(tmp_path, make_trial("mlp"), learner, progress, 1)
    found = json.loads((tmp_path / "provenance.json").read_text())
    assert found["seconds"]["train"] == pytest.approx(2 + 0.1 * len(parts.train))
    assert found["seconds"]["backbone"] == pytest.approx(0.1 * len(parts.train))
    assert 0 < found["seconds"]["evaluate"] - 0.1 * len(parts.test) < 60
    assert found["images_per_second"] == len(parts.train) / 2, (
        "from which a plan tells how long the epochs of the next one take"
    )


def test_what_a_killed_process_left_is_no_cache(tmp_path):
    to_features, _ = divide(settled())
    images = some_images(5)
    (tmp_path / "features.npy.123.tmp").write_bytes(b"half")
    (tmp_path / "features.npy").write_bytes(b"\x93NUMPY\x01\x00")
    found = features.cached(to_features, images, tmp_path)
    np.testing.assert_allclose(found, np.asarray(to_features(images)), atol=1e-5)
    assert not list(tmp_path.glob("*.tmp"))


def test_nothing_is_left_in_the_folder_of_temporary_files(tmp_path, monkeypatch):
    """What TensorFlow's autograph writes there it deletes at the end of Python, and a worker ends without that."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    to_features, _ = divide(settled())
    features.cached(to_features, some_images(5), tmp_path / "features")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_failure_leaves_nothing_behind(tmp_path):
    to_features, _ = divide(settled())

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features.cached(to_features, some_images(5), tmp_path, progress=interrupt)
    assert not list(tmp_path.rglob("*.npy")) and not list(tmp_path.rglob("*.tmp"))


def test_a_piece_that_was_done_is_not_done_again(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "_PIECE", 2)
    to_features, _ = divide(settled())
    images, seen = some_images(70), []

    def interrupt(done: int, total: int) -> None:
        seen.append(done)
        if done == 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features.cached(to_features, images, tmp_path, batch=16, progress=interrupt)
    found = features.cached(to_features, images, tmp_path, batch=16, progress=lambda done, total: seen.append(done))
    assert seen == [16, 32, 48, 48, 64, 70]
    np.testing.assert_allclose(found, np.asarray(to_features(images)), atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == [
        "features.npy", "features.seconds", "lock",
    ]  # fmt: skip


def test_two_processes_at_once_share_the_work(tmp_path, monkeypatch):
    """Each takes the next piece that nobody is at; both have all of it."""
    from threading import Barrier, Thread

    monkeypatch.setattr(features, "_PIECE", 2)
    to_features, _ = divide(settled())
    images, both, seen, found = some_images(70), Barrier(2), [], []

    def ask() -> None:
        mine = []

        def progress(done: int, total: int) -> None:
            if not mine:
                both.wait(60)  # neither goes on before each has begun a piece
            mine.append(done)

        found.append(features.cached(to_features, images, tmp_path, batch=16, progress=progress))
        seen.append(mine)

    asking = [Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert sorted(done for mine in seen for done in mine) == [16, 32, 48, 64, 70] and all(seen)
    assert np.array_equal(*found)


def test_two_processes_at_once_compute_once(tmp_path):
    """Who finds the lock held waits, and then finds the features."""
    from threading import Thread

    to_features, _ = divide(settled())
    images, seen, found = some_images(40), [], []

    def ask() -> None:
        found.append(features.cached(to_features, images, tmp_path, progress=lambda *done: seen.append(done)))

    asking = [Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert seen == [(40, 40)] and np.array_equal(*found)


def test_key_knows_what_decides_features():
    known = {"dataset": "d", "part": "train", "weights": "w", "backend": "tensorflow", "precision": "float32"}
    key = features.key(complete(), **known)
    same = complete(dense=[4], dense_dropout=0.1, activation="tanh", weights="/elsewhere/w.h5")
    assert features.key(same, **known) == key and len(key) == 64
    others = [features.key(complete(), **{**known, name: "other"}) for name in known]
    for option, value in (
        ("backbone", "vgg16"), ("alpha", 0.5), ("size", 33), ("fit", "pad"), ("channels", "zeros"),
        ("preprocessing", "scale"), ("pooling", "max"),
    ):  # fmt: skip
        others.append(features.key(complete(**{option: value}), **known))
    assert len({key, *others}) == 1 + len(others)


def test_content_is_of_the_backbone_alone():
    import keras

    model = keras.models.clone_model(settled())
    model.set_weights(settled().get_weights())
    same = features.content(model)
    model.get_layer("logits").kernel.assign(model.get_layer("logits").kernel * 2)
    assert features.content(model) == same == features.content(settled())
    model.get_layer("backbone").get_layer("conv1").kernel.assign(model.get_layer("backbone").get_layer("conv1").kernel * 2)
    assert features.content(model) != same
