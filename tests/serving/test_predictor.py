"""An export made by hand, loaded and asked; and files that are none."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.serving.fixture import CLASSES, MEMBERS, expected, metadata, png, sample, samples, write_export
from toile.cli import main
from toile.errors import Misuse, ToileError
from toile.inference import checksum
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


def test_a_file_of_before_whose_first_output_is_the_members(tmp_path):
    """Outputs are asked for by name: committees were written so, by the alphabet."""
    path = write_export(tmp_path / "before.onnx", sealed=False)
    model = onnx.load(path)
    first, second = model.graph.output
    assert first.name == "probabilities"
    model.graph.ClearField("output")
    model.graph.output.extend([second, first])
    onnx.save(model, path)
    found = Predictor.from_file(path).predict(images(3))
    for got, wanted in zip(found, expected(images(3)), strict=True):
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
        ({"format": 1}, "damaged metadata: KeyError 'kind'"),
        (metadata(image_shape=[28, 28]), "damaged metadata"),
        (metadata(image_shape=[28, 14, 1]), r"takes images of \[28, 28, 1\] where its metadata say \[28, 14, 1\]"),
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
    said = metadata()
    del said["checksum"]
    helper.set_model_props(model, {"toile": json.dumps(said)})
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


def damaged(whole: bytes, seed: int) -> bytes:
    """A file as disks, networks and editors damage them; never the one it was."""
    rng, made = random.Random(seed), bytearray(whole)
    kind = ("flip", "bytes", "cut", "grow", "drop", "repeat", "zero", "noise")[seed % 8]
    at, length = rng.randrange(len(made)), rng.randrange(1, 99)
    if kind == "flip":
        made[at] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        for _ in range(rng.randrange(1, 9)):
            made[rng.randrange(len(made))] ^= rng.randrange(1, 256)
    elif kind == "cut":
        del made[at:]
    elif kind == "grow":
        made += rng.randbytes(length)
    elif kind == "drop":
        del made[at : at + length]
    elif kind == "repeat":
        made[at:at] = made[at : at + length]
    elif kind == "zero":
        made[at : at + length] = bytes(min(length, len(made) - at))
    else:
        made = bytearray(rng.randbytes(rng.randrange(3000)))
    return bytes(made) if made != whole else whole[:-1]


def test_no_damage_is_answered(tmp_path, capfd):
    """Of 600: each is told in one line that names the file."""
    path = tmp_path / "export.onnx"
    whole = write_export(path, shape=(4, 4, 1), with_samples=samples(2)).read_bytes()
    assert Predictor.from_file(path).sealed
    for seed in range(600):
        path.write_bytes(damaged(whole, seed))
        with pytest.raises(NotAnExport) as caught:
            Predictor.from_file(path)
        said = str(caught.value)
        assert said.startswith(str(path)), seed
        assert "\n" not in said, seed
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seed", range(8))
def test_the_command_says_it_in_a_line(tmp_path, monkeypatch, capsys, seed):
    monkeypatch.chdir(tmp_path)
    path = write_export(tmp_path / "export.onnx", shape=(4, 4, 1))
    path.write_bytes(damaged(path.read_bytes(), seed))
    for line in (["predict", "export.onnx", "a.png"], ["serve", "export.onnx"]):
        with pytest.raises(SystemExit) as caught:
            main(line)
        assert caught.value.code == 1
        out, told = capsys.readouterr()
        assert out == ""
        assert told.startswith("toile: export.onnx is ")
        assert told.count("\n") == 1


def test_files_of_earlier_toiles_are_read_and_said_to_have_no_checksum(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = write_export(tmp_path / "old.onnx", sealed=False)
    (tmp_path / "a.png").write_bytes(png(sample(1)))
    predictor = Predictor.from_file(path)
    assert not predictor.sealed
    np.testing.assert_allclose(predictor.predict(images(3))[0], expected(images(3))[0], atol=1e-6)
    main(["predict", "old.onnx", "a.png"])
    out, told = capsys.readouterr()
    assert "a.png: top right" in out
    assert told == "old.onnx has no checksum: an earlier toile wrote it, and damage to it cannot be seen\n"
    main(["predict", str(write_export(tmp_path / "new.onnx")), "a.png"])
    assert capsys.readouterr()[1] == ""


def test_damage_to_files_without_a_checksum_is_at_least_told_in_a_line(tmp_path, capfd):
    """Some of it onnxruntime cannot see; nothing else than an answer or a line comes of it."""
    path = tmp_path / "old.onnx"
    whole = write_export(path, shape=(4, 4, 1), with_samples=samples(2), sealed=False).read_bytes()
    told = 0
    for seed in range(600):
        path.write_bytes(damaged(whole, seed))
        try:
            assert not Predictor.from_file(path).sealed
        except NotAnExport as error:
            told += 1
            assert "\n" not in str(error)
    assert told > 500
    assert capfd.readouterr() == ("", "")


def test_a_file_that_has_lost_its_checksum_is_damaged(tmp_path):
    path = write_export(tmp_path / "export.onnx")
    path.write_bytes(path.read_bytes().replace(checksum.KEY.encode(), b"toile-sha255"))
    with pytest.raises(NotAnExport, match="is damaged: it was written with a checksum, and has none"):
        Predictor.from_file(path)


def test_probabilities_that_are_none(tmp_path):
    """A weight that became NaN, in a file without a checksum."""
    path = write_export(tmp_path / "old.onnx", sealed=False)
    model = onnx.load(path)
    (scale,) = (one for one in model.graph.initializer if one.name == "scale")
    scale.CopyFrom(onnx.numpy_helper.from_array(np.float32("nan"), "scale"))
    onnx.save(model, path)
    with pytest.raises(NotAnExport, match="gives numbers that are no probabilities"):
        Predictor.from_file(path)


def test_a_seal_needs_its_place():
    with pytest.raises(ValueError, match="no metadata 'toile-sha256'"):
        checksum.seal(b"anything")
    whole = b"a" + checksum._MARK + checksum.EMPTY.encode() + b"b"
    assert checksum.sealed(checksum.seal(whole))
    with pytest.raises(ValueError, match="several"):
        checksum.sealed(whole + whole)
