"""An export made by hand, loaded and asked; and files that are none."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.serving.fixture import CLASSES, MEMBERS, expected, metadata, samples, write_export
from toile.errors import Misuse, ToileError
from toile.serving.predictor import NotAnExport, Predictor


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    return write_export(tmp_path_factory.mktemp("export") / "quarters.onnx", with_samples=samples())


def images(count: int, shape=(28, 28, 1)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 63])
def test_probabilities_are_those_of_the_graph(export, count):
    found = Predictor.from_file(export).predict(images(count))
    for got, wanted in zip(found, expected(images(count)), strict=True):
        assert got.dtype == np.float32
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_what_the_file_says_of_itself(export):
    predictor = Predictor.from_file(str(export), threads=2)
    assert predictor.classes == CLASSES
    assert predictor.image_shape == (28, 28, 1)
    assert [member["name"] for member in predictor.members] == [member["name"] for member in MEMBERS]
    assert predictor.metadata == metadata()
    assert len(predictor.samples) == 10
    assert predictor.samples[0]["class"] == CLASSES[0]
    assert "png" not in repr(predictor)


def test_no_images_are_no_probabilities(export):
    probabilities, members = Predictor.from_file(export).predict(images(0))
    assert probabilities.shape == (0, 4)
    assert members.shape == (0, 3, 4)


def test_other_images_are_refused(export):
    predictor = Predictor.from_file(export)
    for wrong in (images(1).astype(np.float32), images(1, (28, 27, 1)), images(1)[0]):
        with pytest.raises(Misuse, match=r"the model takes uint8 \(n, 28, 28, 1\)"):
            predictor.predict(wrong)


def test_several_threads_may_ask(export):
    predictor, pixels = Predictor.from_file(export), images(64)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: predictor.predict(pixels[i : i + 1])[0], range(64)))
    np.testing.assert_allclose(np.concatenate(answers), expected(pixels)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("", "not one that toile exported"),
        ("{", "damaged metadata"),
        ("[]", "a JSON object was expected"),
        (metadata(format=2), "format 2; this toile reads 1"),
        ({"format": 1}, "damaged metadata: KeyError 'classes'"),
        (metadata(image_shape=[28, 28]), "damaged metadata"),
        (metadata(image_shape=[28, 14, 1]), "does not take two images"),
        (metadata(classes=["a", "b"]), "where its metadata say"),
        (metadata(members=[]), "where its metadata say"),
    ],
)
def test_damaged_or_foreign_metadata(tmp_path, about, said):
    with pytest.raises(NotAnExport, match=said):
        Predictor.from_file(write_export(tmp_path / "other.onnx", about=about))


@pytest.mark.parametrize("text", ["{", "[1]", '[{"class": "a"}]', "7"])
def test_damaged_samples(tmp_path, text):
    with pytest.raises(NotAnExport, match="damaged samples"):
        Predictor.from_file(write_export(tmp_path / "other.onnx", with_samples=text))


def test_files_that_are_no_models(tmp_path):
    (tmp_path / "notes.onnx").write_text("not a model")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name in ("notes.onnx", "empty.onnx"):
        with pytest.raises(NotAnExport, match="no ONNX model"):
            Predictor.from_file(tmp_path / name)
    for name in ("gone.onnx", "."):
        with pytest.raises(NotAnExport, match="is no file"):
            Predictor.from_file(tmp_path / name)
    assert issubclass(NotAnExport, ToileError)


def test_a_model_with_other_inputs(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"toile": json.dumps(metadata())})
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(NotAnExport, match="an export takes uint8 'images'"):
        Predictor.from_file(tmp_path / "other.onnx")


def test_at_least_one_thread(export):
    with pytest.raises(Misuse, match="at least 1"):
        Predictor.from_file(export, threads=0)


def test_neither_keras_nor_the_web_is_loaded(export):
    code = (
        "import sys; from toile.serving.predictor import Predictor; Predictor.from_file(sys.argv[1]); "
        "loaded = {'keras', 'tensorflow', 'fastapi', 'sklearn', 'pydantic'} & set(sys.modules); assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code, str(export)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
