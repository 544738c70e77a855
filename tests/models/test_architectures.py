"""One contract over every architecture by name: whoever adds one gets these tests for free."""

from __future__ import annotations

import inspect
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.training.fixture import counted, elsewhere, python, some_images
from toile.errors import Misuse
from toile.models import architectures

NAMES = architectures.names()
KERAS = [name for name in NAMES if architectures.learner(name) != "classical"]  # of models that are, or become, Keras's
SHAPES = [((28, 28, 1), 10), ((32, 32, 3), 5)]


@cache
def default_model(name: str, shape: tuple[int, int, int], classes: int) -> Any:
    return architectures.build(name, shape, classes, getattr(architectures.load(name), "WITHOUT_NETWORK", {}))


@pytest.mark.parametrize("name", NAMES)
def test_module_says_what_it_is(name):
    module = architectures.load(name)
    assert type(module.REVISION) is int and module.REVISION >= 1
    assert module.__doc__ and not module.__doc__.startswith("\n")
    assert module.build.__doc__ and "Args:" in module.build.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_a_keyword_with_type_default_and_line_in_the_docstring(name):
    build = architectures.load(name).build
    first, second, *options = inspect.signature(build).parameters.values()
    assert (first.name, second.name) == ("image_shape", "classes")
    for option in options:
        assert option.kind is option.KEYWORD_ONLY, option.name
        assert option.default is not option.empty, option.name
        assert option.annotation is not option.empty, option.name
        assert f"{option.name}:" in build.__doc__ or f"`{option.name}`" in build.__doc__, option.name


@pytest.mark.parametrize("name", NAMES)
def test_options_are_strict_and_complete(name):
    complete = architectures.complete(name, {})
    # Defaults have to pass their own types, and what was stored as JSON has to mean the same again.
    assert architectures.complete(name, complete) == complete == json.loads(json.dumps(complete))
    with pytest.raises(ValidationError, match="no_such_option"):
        architectures.complete(name, {"no_such_option": 1})
    for key, value in complete.items():
        with pytest.raises(ValidationError, match=key):
            architectures.complete(name, {key: {"a": "table"}})
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            with pytest.raises(ValidationError, match=key):
                architectures.complete(name, {key: str(value)})


@pytest.mark.parametrize(("shape", "classes"), SHAPES, ids=str)
@pytest.mark.parametrize("name", KERAS)
def test_model_goes_from_uint8_to_probabilities(name, shape, classes):
    import keras

    model = default_model(name, shape, classes)
    assert model.input_shape == (None, *shape) and model.inputs[0].dtype == "uint8"
    assert model.output_shape == (None, classes)
    assert isinstance(model.get_layer("probabilities"), keras.layers.Softmax)
    assert model.get_layer("probabilities").output is model.outputs[0]
    assert model.get_layer("logits").output is model.get_layer("probabilities").input
    probabilities = model(some_images(shape), training=False).numpy()
    assert probabilities.shape == (5, classes) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (probabilities >= 0).all()


@pytest.mark.parametrize("name", KERAS)
def test_preprocessing_is_in_the_model(name):
    """Nothing outside divides by 255: weights start at a scale at which uint8 images do not saturate the softmax."""
    assert elsewhere(as_in_training, name).max(axis=1).mean() < 0.9


def as_in_training(name: str) -> np.ndarray:
    """Probabilities of some images; in training, because moving averages that have seen nothing normalise nothing."""
    return default_model(name, *SHAPES[0])(some_images(SHAPES[0][0], 50), training=True).numpy()


@pytest.mark.parametrize(("shape", "classes"), SHAPES, ids=str)
@pytest.mark.parametrize("name", KERAS)
def test_multiply_adds_grow_with_the_images_and_count_what_keras_builds(name, shape, classes):
    count = architectures.multiply_adds(name, shape, classes, {})
    if count is None:
        pytest.skip(f"{name} does not say")
    assert isinstance(count, int) and count == counted(default_model(name, shape, classes))
    assert architectures.multiply_adds(name, (2 * shape[0], 2 * shape[1], shape[2]), classes, {}) > count >= 1


@pytest.mark.parametrize(
    "options",
    [{"stem": 8, "stem_kernel": 4, "stem_stride": 2, "widths": [4, 8], "blocks": [1, 2]}, {"widths": [16, 8, 8], "blocks": 1}],
    ids=str,
)
def test_multiply_adds_of_residual_networks(options):
    for shape, classes in SHAPES:
        counts = architectures.multiply_adds("resnet", shape, classes, options)
        assert counts == counted(architectures.build("resnet", shape, classes, options))


# Beside the defaults, what changes the number of parameters: of each architecture of which it is said before it is built.
OTHERS = {
    "cnn": [
        {
            "filters": [4, 6],
            "kernel": [2, 3],
            "strides": [2, 1],
            "padding": ["same", "valid"],
            "order": "norm conv norm act pool",
        },
        {"filters": [3], "order": ["conv act norm dropout"], "dropout": 0.1, "pool": 0, "dense": [5, 4], "dense_norm": True},
        {"filters": [2, 2, 3], "padding": "same", "dense": [], "l2": 0.01},
    ],
    "mlp": [{"hidden": [7, 5], "norm": True, "dropout": 0.1}, {"hidden": []}],
    "numpy-mlp": [{"hidden": [7]}, {"hidden": [5, 4, 3], "initial": "glorot-uniform"}],
    "resnet": [
        {"stem": 8, "stem_kernel": 4, "stem_stride": 2, "widths": [4, 8], "blocks": [1, 2]},
        {"stem": 4, "widths": [4, 4, 2], "blocks": 1, "dropout": 0.2},
    ],
}


@pytest.mark.parametrize("name", KERAS)
def test_parameters_are_those_that_keras_counts(name):
    said = hasattr(architectures.load(name), "parameters")
    assert said == (name in OTHERS)
    for shape, classes in SHAPES:
        for options in [{}, *OTHERS[name]] if said else []:
            model = architectures.build(name, shape, classes, options) if options else default_model(name, shape, classes)
            assert architectures.parameters(name, shape, classes, options) == model.count_params(), options
    assert said or architectures.parameters(name, *SHAPES[0], {}) is None


def test_looking_at_architectures_imports_no_keras():
    said = python(
        "from toile.models import architectures\n"
        "for name in architectures.names():\n"
        "    architectures.complete(name, {})\n"
        "    architectures.multiply_adds(name, (28, 28, 1), 10, {})\n"
        "    architectures.parameters(name, (28, 28, 1), 10, {})\n"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch', 'sklearn') if m in sys.modules])\n"
    )
    assert said.strip() == "[]"


@pytest.fixture(scope="module")
def answers_without_toile(request, tmp_path_factory):
    """What the saved models of the architectures that are tested say in a process that has Keras and cannot import toile."""
    folder = tmp_path_factory.mktemp("models")
    images = some_images(SHAPES[0][0])
    np.save(folder / "images.npy", images)
    expected = {}
    for name in (one.callspec.params["name"] for one in request.session.items if request.fixturename in one.fixturenames):
        model = default_model(name, *SHAPES[0])
        model.save(folder / f"{name}.keras")
        expected[name] = model(images, training=False).numpy()
    python(
        "import sys; sys.modules['toile'] = None\n"
        "import keras, numpy, pathlib\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "images = numpy.load(folder / 'images.npy')\n"
        "for path in folder.glob('*.keras'):\n"
        "    numpy.save(path.with_suffix('.npy'), keras.models.load_model(path)(images, training=False).numpy())\n",
        folder,
    )
    return {name: (answer, np.load(folder / f"{name}.npy")) for name, answer in expected.items()}


@pytest.mark.parametrize("name", KERAS)
def test_saved_model_needs_no_toile(name, answers_without_toile):
    expected, found = answers_without_toile[name]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_unknown_architecture_names_the_nearest():
    with pytest.raises(Misuse, match=r"unknown architecture 'cn' \(did you mean 'cnn'\?\); known: .*mlp"):
        architectures.load("cn")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": [3, 3]}, "kernel has 2 values for 1 layers"),
        ({"initializer": ["he-normal"] * 2}, "initializer has 2 values for 1 layers"),
        ({"l2": [0.1, 0.2]}, "l2 has 2 values for 1 layers"),
        ({"dense_dropout": [0.1, 0.2]}, "dense_dropout has 2 values for 1 layers"),
        ({"order": "conv drop"}, r"unknown step 'drop' in order 'conv drop' \(did you mean 'dropout'\?\)"),
        ({"order": "pool dropout"}, "a block has one conv"),
        ({"filters": [8] * 5}, "nothing is left of the image at step 'conv' of block 4"),
        ({"filters": [8] * 4, "kernel": 2}, "nothing is left of the image at step 'pool' of block 4"),
        ({"filters": [8, 8], "pool": [20, 2]}, "nothing is left of the image at step 'conv' of block 2"),
    ],
)
def test_impossible_cnn_is_an_error_when_planned_and_when_built(options, message):
    for ask in (architectures.multiply_adds, architectures.build):
        with pytest.raises(Misuse, match=rf"cnn cannot be built for \(28, 28, 1\) images .*: {message}"):
            ask("cnn", (28, 28, 1), 10, options)


def test_impossible_mlp_is_an_error():
    with pytest.raises(Misuse, match="dropout has 2 values for 1 layers"):
        architectures.build("mlp", (28, 28, 1), 10, {"dropout": [0.1, 0.2]})


@pytest.mark.parametrize(
    "options",
    [{"dropout": 1.0}, {"dropout": -0.1}, {"filters": [0]}, {"pool": -1}, {"dense": 10}, {"padding": "full"}, {"kernel": 0},
     {"activation": "gelu"}, {"l2": -1.0}, {"dense_norm": 1}, {"kernel": 2.5}, {"filters": [True]}],
    ids=str,
)  # fmt: skip
def test_cnn_refuses_impossible_values(options):
    with pytest.raises(ValidationError):
        architectures.complete("cnn", options)
