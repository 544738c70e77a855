"""One contract over every architecture and every committee rule by name: it leaves as an ONNX graph that says the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.training.fixture import dataset, elsewhere, some_images
from toile.committee.rules import RULES, TIE
from toile.errors import Misuse, ToileError
from toile.evaluation.calibrators import CALIBRATIONS, Calibration, calibrate
from toile.evaluation.predictions import Predictions
from toile.inference.combined import CALIBRATED, OPERATIONS, combined, in_float32
from toile.inference.export import WRITERS
from toile.models import architectures
from toile.serving.export import TOLERANCE

MEMBERS, CLASSES = 3, 4
GENERATOR = np.random.default_rng(0)
WEIGHTS = {
    "weighted-mean": (0.5, 2.0, 0.0),
    "log-pool": (0.5, 20.0, 19.0),  # as fits of unsure members have: what cancels out leaves float32 few digits
    "greedy": ((0.1, 2.0), (0.9, 0.5), (0.0, 20.0)),
    "stack": tuple(map(tuple, GENERATOR.normal(0, 10, (MEMBERS * CLASSES + 1, CLASSES)).tolist())),
}


def built(name: str, shape: tuple[int, int, int], classes: int) -> Any:
    return architectures.build(name, shape, classes, getattr(architectures.load(name), "WITHOUT_NETWORK", {}))


class Onnx:
    """A model as the ONNX file that it becomes."""

    def __init__(self, model: Any, path: Path) -> None:
        WRITERS["onnx"](model, path, {"toile": "{}"})
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tuple(self.session.run(["probabilities", "members"], {"images": images}))


# Classical models are scikit-learn's; that they are refused is tested with the command.
IN_KERAS = [name for name in architectures.names() if architectures.learner(name) != "classical"]


@pytest.mark.parametrize("name", IN_KERAS)
def test_every_architecture(name: str, tmp_path: Path) -> None:
    elsewhere(export_and_ask, name, tmp_path)


def export_and_ask(name: str, folder: Path) -> None:
    """In a process of its own: the conversion of a backbone takes a gigabyte."""
    images = dataset().test.images
    model = built(name, images.shape[1:], 10)
    tempfile.tempdir = str(folder / "temporary")
    (folder / "temporary").mkdir()
    onnx = Onnx(combined([model]), folder / "model.onnx")
    assert not list((folder / "temporary").glob("__autograph*")), "they are left there when the process is killed"
    (images_in,), outputs = onnx.session.get_inputs(), {one.name: one for one in onnx.session.get_outputs()}
    assert list(outputs) == ["probabilities", "members"], "whoever takes the first output means the answer"
    assert (images_in.name, images_in.type, images_in.shape) == ("images", "tensor(uint8)", ["batch", *images.shape[1:]])
    assert outputs["probabilities"].shape == ["batch", 10]
    assert outputs["members"].shape == ["batch", 1, 10]
    for some in (images, images[:1]):
        probabilities, members = onnx(some)
        assert probabilities.dtype == members.dtype == np.float32
        np.testing.assert_allclose(probabilities, model.predict_on_batch(some), atol=TOLERANCE, rtol=0)
        np.testing.assert_array_equal(members[:, 0], probabilities)


def test_different_architectures_as_one_committee_of_colour_images(tmp_path: Path) -> None:
    elsewhere(export_and_ask_of_colour_images, tmp_path)


def export_and_ask_of_colour_images(folder: Path) -> None:
    images = some_images((32, 32, 3), 20)
    models = [built(name, (32, 32, 3), CLASSES) for name in ("cnn", "mlp")]
    probabilities, members = Onnx(combined(models, "mean"), folder / "model.onnx")(images)
    said = np.stack([model.predict_on_batch(images) for model in models])
    np.testing.assert_allclose(members, said.transpose(1, 0, 2), atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(probabilities, RULES["mean"](said), atol=TOLERANCE, rtol=0)


def test_every_rule_has_its_twin() -> None:
    assert list(OPERATIONS) == list(RULES)
    with pytest.raises(Misuse, match="'majority' cannot be exported; these can: mean, "):
        combined([built("mlp", (28, 28, 1), 10)], "majority")
    with pytest.raises(Misuse, match="2 models without a rule"):
        combined([built("mlp", (28, 28, 1), 10)] * 2)


# A vote for each of three classes, of which the means of two differ in the ninth digit: by less than float32 tells apart.
NEARLY_TIED = np.array([[0, 3, 1, 3], [5, 1, 4, 4], [0, 4, 5, 5]], np.uint8)[None, :, :, None]


def row(number: int) -> Any:
    """A model that says what stands in one row of its image, divided by the row's sum: any probabilities, ties too."""
    from keras import Input, Model, layers, ops

    image = Input((MEMBERS, CLASSES, 1), dtype="uint8")
    pixels = layers.Rescaling(1.0)(image)[:, number, :, 0]
    return Model(image, pixels / ops.sum(pixels, axis=1, keepdims=True))


@pytest.fixture(scope="module", params=RULES)
def committee(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, Onnx]:
    """A rule over three such models: its name, the Keras model and the ONNX file."""
    rule = request.param
    model = combined([row(number) for number in range(MEMBERS)], rule, WEIGHTS.get(rule))
    return rule, model, Onnx(model, tmp_path_factory.mktemp(rule) / "rule.onnx")


@settings(deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(MEMBERS), st.just(CLASSES), st.just(1)), elements=st.integers(0, 5)),
    st.integers(0, CLASSES - 1),
)
@example(NEARLY_TIED, 0)
def test_every_rule_is_the_one_that_numpy_computes(committee: tuple[str, Any, Onnx], images: np.ndarray, sure: int) -> None:
    rule, model, onnx = committee
    images[images.sum(axis=(2, 3)) == 0, sure] = 1  # a row of nothing has no probabilities
    in_keras = model.predict_on_batch(images)
    for probabilities, members in (onnx(images), (in_keras["probabilities"], in_keras["members"])):
        expected = RULES[rule](members.transpose(1, 0, 2), WEIGHTS.get(rule))
        # Votes are counted, and a sum of three float32 is exact in float64: nothing differs but the last digit of a share.
        np.testing.assert_allclose(probabilities, expected, atol=TIE / 10 if rule == "vote" else 1e-6, rtol=0)


FITTED_ON = Predictions(
    "validation", GENERATOR.dirichlet(np.full(CLASSES, 0.3), 500).astype(np.float32), GENERATOR.integers(0, CLASSES, 500)
)


def test_every_calibration_has_its_twin() -> None:
    assert list(CALIBRATED) == list(CALIBRATIONS)


@pytest.fixture(scope="module", params=CALIBRATIONS)
def calibrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Calibration, Onnx]:
    """A calibration after the mean of three such models."""
    fitted = calibrate(request.param, FITTED_ON)
    model = combined([row(number) for number in range(MEMBERS)], "mean", calibration=(fitted.name, fitted.numbers))
    return fitted, Onnx(model, tmp_path_factory.mktemp(request.param) / "calibrated.onnx")


@settings(deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(MEMBERS), st.just(CLASSES), st.just(1))), st.integers(0, CLASSES - 1)
)
def test_every_calibration_is_the_one_that_numpy_computes(
    calibrated: tuple[Calibration, Onnx], images: np.ndarray, sure: int
) -> None:
    fitted, onnx = calibrated
    images[images.sum(axis=(2, 3)) == 0, sure] = 1
    probabilities, members = onnx(images)
    expected = fitted(RULES["mean"](members.transpose(1, 0, 2)))
    np.testing.assert_allclose(probabilities, expected, atol=TOLERANCE / 2, rtol=0)


def test_a_member_may_be_the_mean_of_several_models(tmp_path: Path) -> None:
    images = some_images((MEMBERS, CLASSES, 1), 20)
    model = combined([row(number) for number in (0, 1, 2)], "log-pool", (0.5, 1.0), counts=(2, 1))
    probabilities, members = Onnx(model, tmp_path / "model.onnx")(images)
    said = np.stack([row(number).predict_on_batch(images) for number in (0, 1, 2)])
    own = np.stack([said[:2].mean(axis=0), said[2]])
    np.testing.assert_allclose(members, own.transpose(1, 0, 2), atol=1e-6, rtol=0)
    np.testing.assert_allclose(probabilities, RULES["log-pool"](own, (0.5, 1.0)), atol=1e-6, rtol=0)


def flat(*layers_between: Any) -> Any:
    """A small model with these layers in the middle."""
    import keras
    from keras import Input, Model, layers

    keras.utils.set_random_seed(1)
    image = Input((8, 8, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    for layer in (*layers_between, layers.Flatten(), layers.Dense(CLASSES), layers.Softmax(dtype="float32")):
        x = layer(x)
    return Model(image, x)


def test_an_exact_gelu_is_exported_right(tmp_path: Path) -> None:
    """It is made of TensorFlow's Erfc, of which tf2onnx makes a file that nothing loads, and says so in a log alone."""
    from keras import layers

    model, images = flat(layers.Dense(16, activation="gelu")), some_images((8, 8, 1), 50)
    probabilities, _ = Onnx(combined([model]), tmp_path / "model.onnx")(images)
    np.testing.assert_allclose(probabilities, model.predict_on_batch(images), atol=TOLERANCE, rtol=0)


def test_what_onnx_has_no_operator_for_is_an_error_and_no_file(tmp_path: Path) -> None:
    from keras import layers, ops

    class Signs(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.cast(ops.argmax(x, axis=-1, keepdims=True), "float32")

    with pytest.raises(ToileError, match="graph that is not ONNX: No Op registered for Bitcast"):
        Onnx(combined([flat(Signs())]), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_layers_for_training_do_nothing_in_an_export(tmp_path: Path) -> None:
    from keras import layers

    random = [
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(0.2, 0.2),
        layers.GaussianNoise(1.0),
        layers.Dropout(0.5),
    ]
    model, images = flat(*random, layers.BatchNormalization()), some_images((8, 8, 1), 50)
    whole = combined([model])
    expected = model(images, training=False).numpy()
    for _ in range(2):
        np.testing.assert_allclose(whole(images)["probabilities"], expected, atol=1e-6)
    probabilities, _ = Onnx(whole, tmp_path / "model.onnx")(images)
    np.testing.assert_allclose(probabilities, expected, atol=TOLERANCE, rtol=0)


def test_a_model_of_bfloat16_computes_in_float32_with_its_weights(tmp_path: Path) -> None:
    import keras
    from keras import layers

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = flat(layers.Conv2D(4, 3), layers.BatchNormalization())
    finally:
        keras.config.set_dtype_policy("float32")
    images, whole = some_images((8, 8, 1), 50), in_float32(model)
    assert {layer.compute_dtype for layer in whole.layers if layer.weights} == {"float32"}
    for ours, theirs in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    probabilities, _ = Onnx(combined([model]), tmp_path / "model.onnx")(images)
    np.testing.assert_allclose(probabilities, whole.predict_on_batch(images), atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(probabilities, model.predict_on_batch(images), atol=0.02)
    assert in_float32(whole) is whole
