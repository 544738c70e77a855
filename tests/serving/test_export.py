"""Exports as a user makes them: written, loaded where there is no toile, compared, and thrown away where they differ."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import toile
from tests.committee.fixture import weights_for
from tests.serving.fixture import CLASSES, MEMBERS, png, sample, write_export
from tests.training.fixture import dataset, make_store, make_trial, work
from toile.committee.rules import RULES
from toile.errors import Misuse, ToileError
from toile.evaluation.calibrators import calibrate
from toile.evaluation.predictions import Predictions
from toile.inference import checksum, standalone
from toile.serving import export
from toile.serving.chosen import Chosen
from toile.serving.predictor import Predictor
from toile.store.store import Store
from toile.training.train import train
from toile.workers import export as exporting

REPOSITORY = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("toile")
CNN = {"filters": [4], "strides": 2, "order": "conv norm pool dropout", "dropout": 0.3, "dense": [8]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def members(store: Store) -> dict[str, Any]:
    """Two runs, by name."""
    trials = {"perceptron": make_trial("mlp", {"hidden": [8]}), "convolution": make_trial("cnn", CNN)}
    return {name: store.get(train(trial, store, threads=1, say=lambda *_, **__: None)) for name, trial in trials.items()}


def committee(members: dict[str, Any], rule: str = "mean", weights: tuple[float, ...] | None = None) -> Chosen:
    own = {name: (run,) for name, run in members.items()}
    return Chosen("committee", "made", "of two", own, dataset(), rule, weights, {"accuracy": 0.5})


def alone(name: str, run: Any) -> Chosen:
    return Chosen("run", None, name, {name: (run,)}, dataset(), None, None, {})


@pytest.fixture(scope="module")
def written(members: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, export.Exported]:
    """The committee in every format, with weights where it can be."""
    folder, chosen = tmp_path_factory.mktemp("exports"), committee(members, "weighted-mean", (0.25, 0.75))
    return {to: export.write(chosen, to, folder / "a new folder" / f"two{suffix}") for to, suffix in export.SUFFIXES.items()}


@pytest.mark.parametrize("to", export.SUFFIXES)
def test_every_format_says_what_the_store_has(written: dict[str, export.Exported], to: str) -> None:
    made = written[to]
    assert made.path.exists()
    assert made.images == 200 + 60, "all images there are, as they are fewer than a thousand"
    assert 0 <= made.difference <= export.TOLERANCE
    assert 0 <= made.from_stored <= export.TOLERANCE
    assert {path.name for path in made.path.parent.iterdir()} == {f"two{suffix}" for suffix in export.SUFFIXES.values()}


def test_the_onnx_file_is_sealed(written: dict[str, export.Exported]) -> None:
    path = written["onnx"].path
    assert Predictor.from_file(path).sealed
    onnx.checker.check_model(onnx.load(path))
    kept = {one.key: one.value for one in onnx.load(path).metadata_props}[checksum.KEY]
    content = path.read_bytes()
    assert kept == hashlib.sha256(content.replace(kept.encode(), b"")).hexdigest()


def test_the_onnx_file_is_the_committee_in_one(written: dict[str, export.Exported], members: dict[str, Any]) -> None:
    predictor = Predictor.from_file(written["onnx"].path)
    probabilities, of_members = predictor.predict(dataset().test.images)
    stored = np.stack([run.probabilities("test") for run in members.values()])
    np.testing.assert_allclose(of_members, stored.transpose(1, 0, 2), atol=1e-5)
    np.testing.assert_allclose(probabilities, RULES["weighted-mean"](stored, (0.25, 0.75)), atol=1e-5)
    one_by_one = [predictor.predict(dataset().test.images[at : at + 1])[0][0] for at in range(5)]
    np.testing.assert_allclose(one_by_one, probabilities[:5], atol=1e-5)


@pytest.mark.parametrize("to", export.SUFFIXES)
def test_every_format_says_of_itself_what_it_is(written: dict[str, export.Exported], members: dict[str, Any], to: str) -> None:
    path = written[to].path
    if to == "onnx":
        about = {one.key: one.value for one in onnx.load(path).metadata_props}["toile"]
    elif to == "keras":
        with zipfile.ZipFile(path) as archive:
            about = archive.read("toile.json")
    else:
        about = (path / "assets.extra" / "toile.json").read_text("utf-8")
    found = json.loads(about)
    provenance = found.pop("provenance")
    assert found.pop("checksum", None) == ("sha256" if to == "onnx" else None)
    assert found == {
        "format": 1, "kind": "committee", "study": "made", "name": "of two", "classes": list("0123456789"),
        "image_shape": [28, 28, 1], "first": 0,
        "form": {"size": [28, 28], "channels": 1, "own": [[28, 28]], "guess": {"border": 0.0, "fill": 1.0}},
        "rule": {"name": "weighted-mean", "weights": [0.25, 0.75]},
        "dataset": {"name": "digits", "content": dataset().content}, "metrics": {"test": {"accuracy": 0.5}},
        "toile": toile.__version__,
        "members": [
            {"name": name, "fingerprint": run.fingerprint, "architecture": run.trial["architecture"]["name"]}
            for name, run in members.items()
        ],
    }  # fmt: skip
    assert {"python", "keras", "numpy"} <= set(provenance["versions"])
    assert [one["precision"] for one in provenance["members"]] == ["float32", "float32"]


def test_it_brings_an_image_of_each_class_or_none(
    written: dict[str, export.Exported], members: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = Predictor.from_file(written["onnx"].path).samples
    assert [one["class"] for one in samples] == list("0123456789")
    asked = {}
    monkeypatch.setattr(exporting, "write", lambda job, images: asked.update(about=job.about) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export.write(committee(members), output=tmp_path / "model.onnx", samples=False)
    assert list(asked["about"]) == ["toile"]


@pytest.mark.slow
def test_members_of_other_backends_and_precisions(store: Store, tmp_path: Path) -> None:
    trials = {name: make_trial("cnn", CNN, backend=name) for name in ("jax", "torch") if importlib.util.find_spec(name)}
    trials["bfloat16"] = make_trial("mlp", {"hidden": [8]}, precision="bfloat16")
    for trial in trials.values():
        work(trial, store)
    runs = {name: store.get(trial.fingerprint) for name, trial in trials.items()}
    made = export.write(committee(runs, "geometric-mean"), "onnx", tmp_path / "model.onnx")
    assert made.difference <= export.TOLERANCE
    predictor = Predictor.from_file(made.path)
    _, members = predictor.predict(dataset().test.images)
    for number, (name, run) in enumerate(runs.items()):
        difference = np.abs(members[:, number] - run.probabilities("test")).max()
        if name == "bfloat16":
            assert export.TOLERANCE < difference == pytest.approx(made.from_stored, rel=0.01), "eight bits show, and are told"
            assert difference < 0.05
        else:
            assert difference <= export.TOLERANCE
    assert [one["precision"] for one in predictor.metadata["provenance"]["members"]][-1] == "bfloat16"


def test_members_that_are_the_mean_of_folds_and_a_calibration_leave_in_the_same_file(
    members: dict[str, Any], tmp_path: Path
) -> None:
    first, second = members.values()
    own = {"both": (first, second), "second": (second,)}
    stored = np.stack([run.probabilities("test") for run in (first, second)])
    of_members = np.stack([RULES["mean"](stored, None), stored[1]])
    unseen = Predictions("validation", RULES["mean"](of_members, None), dataset().test.labels)  # whatever they are
    calibration = calibrate("isotonic", unseen)
    chosen = Chosen("committee", "made", "of folds", own, dataset(), "mean", None, {"accuracy": 0.5}, calibration)
    made = export.write(chosen, output=tmp_path / "folds.onnx")
    assert made.difference <= export.TOLERANCE and made.from_stored <= export.TOLERANCE
    predictor = Predictor.from_file(made.path)
    probabilities, said = predictor.predict(dataset().test.images)
    np.testing.assert_allclose(said, of_members.transpose(1, 0, 2), atol=1e-5)
    np.testing.assert_allclose(probabilities, calibration(RULES["mean"](of_members, None)), atol=1e-5)
    assert predictor.metadata["calibration"] == calibration.about()
    assert [one.get("trainings") for one in predictor.members] == [[first.fingerprint, second.fingerprint], None]


# What goes wrong


def said() -> np.ndarray:
    """`(2, 50, 4)`: what two members say."""
    scores = np.random.default_rng(0).normal(0, 2, (2, 50, 4))
    exponents = np.exp(scores)
    return (exponents / exponents.sum(axis=2, keepdims=True)).astype(np.float32)


def itself(members: np.ndarray) -> np.ndarray:
    """What one model says, without a rule."""
    return members[0]


def test_what_is_the_same_passes() -> None:
    for rule in RULES:
        weights, members = weights_for(rule, 2, 4), said()
        joint = partial(RULES[rule], weights=weights)
        assert export.compare(members, joint(members), members.transpose(1, 0, 2), joint, rule) == (0, 0)
    assert export.compare(said()[:1], said()[0], said()[:1].transpose(1, 0, 2), itself) == (0, 0)


@pytest.mark.parametrize("by", [2e-5, np.nan, -2e-5])
@pytest.mark.parametrize("where", ["probabilities", "members"])
def test_one_probability_that_differs_is_enough(by: float, where: str) -> None:
    members = said()
    given = {"probabilities": RULES["mean"](members), "members": members.transpose(1, 0, 2).copy()}
    given[where][(7, *(0 for _ in given[where].shape[1:]))] += by
    with pytest.raises(ToileError, match=r"does not say what its models say: probabilities differ by up to .*nothing was kept"):
        export.compare(members, given["probabilities"], given["members"], RULES["mean"], "mean")


def test_another_class_is_an_error_unless_rounding_decides() -> None:
    for gap, passes in ((4e-6, False), (2e-7, True)):
        model = np.array([[[0.5 + gap, 0.5 - gap]]], np.float32)
        other = model[0, :, ::-1]
        if passes:
            difference, undecided = export.compare(model, other, other[:, None], itself)
            assert (0 < difference < 1e-6, undecided) == (True, 1)
        else:
            with pytest.raises(ToileError, match="another class on 1 of 1 images"):
                export.compare(model, other, other[:, None], itself)


@pytest.mark.parametrize(("size", "passes"), [(1e-6, False), (1e-3, True)])
def test_what_float32_cannot_tell_passes(size: float, passes: bool) -> None:
    """Members may differ by what their logits say; the rule over them may not, nor a class that is clear."""
    model = np.array([[[0.7, 0.2, 0.1], [0.40002, 0.4, 0.19998]]], np.float32)
    other = model + np.array([1e-4, 0, -1e-4], np.float32)
    other[0, 1] = other[0, 1, [1, 0, 2]]
    sizes = np.full((1, 2), size)
    if passes:
        difference, undecided = export.compare(model, other[0], other.transpose(1, 0, 2), itself, None, sizes)
        assert (difference == pytest.approx(1.2e-4, rel=0.1), undecided) == (True, 1)
        with pytest.raises(ToileError, match=r"differ by up to 0\.01"):
            export.compare(model, other[0] + 0.01, other.transpose(1, 0, 2), itself, None, sizes)
    else:
        with pytest.raises(ToileError, match=r"differ by up to 0\.00012, allowed is 1e-05"):
            export.compare(model, other[0], other.transpose(1, 0, 2), itself, None, sizes)


def test_a_vote_that_rounding_decides_moves_all_of_it() -> None:
    members = np.array([[[0.5, 0.5]], [[0.9, 0.1]], [[0.2, 0.8]]], np.float32)
    moved = members.copy()
    moved[0, 0] = [0.5 - 6e-8, 0.5]
    difference, undecided = export.compare(members, RULES["vote"](moved), moved.transpose(1, 0, 2), RULES["vote"], "vote")
    assert (difference < 1e-6, undecided) == (True, 1)


def test_other_shapes_are_an_error() -> None:
    with pytest.raises(ToileError, match=r"the export gives \(49, 4\) and"):
        export.compare(said(), RULES["mean"](said())[:49], said().transpose(1, 0, 2), RULES["mean"], "mean")


def test_an_export_that_differs_is_not_kept(members: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph that has lost its rule: onnxruntime loads and runs it, and it is thrown away."""
    images, _ = export._images(committee(members))
    probabilities = np.stack([np.full((len(images), 10), 0.1, np.float32), np.full((len(images), 10), 0.1, np.float32)])
    none = np.zeros(probabilities.shape[:2])
    monkeypatch.setattr(export, "_as_stored", lambda *_: None)
    monkeypatch.setattr(
        exporting, "write", lambda job, images: Path(job.output).write_text("a graph") and (probabilities, none)
    )
    monkeypatch.setattr(export, "_ask", lambda made, to, images: (probabilities[0] + 0.01, probabilities.transpose(1, 0, 2)))
    (tmp_path / "model.onnx").write_text("an export that is good")
    for name in ("model.onnx", "new.onnx"):
        with pytest.raises(ToileError, match="nothing was kept"):
            export.write(committee(members), "onnx", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "an export that is good"


def test_a_model_that_is_not_the_one_of_its_probabilities(members: dict[str, Any]) -> None:
    chosen = committee(members)
    now = np.stack([run.probabilities("test") for run in members.values()])
    assert export._as_stored(now, list(now), chosen) == 0
    with pytest.raises(ToileError, match=r"'convolution' finds the classes that its run stored on .*% of the images only"):
        export._as_stored(now, [now[0], now[1][:, ::-1]], chosen)


@pytest.mark.parametrize(
    ("to", "output", "message"),
    [
        ("tflite", None, "unknown format 'tflite'; allowed: onnx, keras, savedmodel"),
        ("savedmodels", None, r"did you mean 'savedmodel'\?"),
        ("onnx", "model.keras", "model.keras cannot be written as onnx: a file whose name ends in .onnx is wanted"),
        ("savedmodel", "", "is there already; a SavedModel is a folder that export makes"),
    ],
)
def test_misuse(members: dict[str, Any], to: str, output: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match=message):
        export.write(committee(members), to, None if output is None else tmp_path / output)


def test_nowhere_to_write(members: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "no").touch()
    with pytest.raises(ToileError, match=r"cannot write .*no/model.onnx: Not a directory"):
        export.write(committee(members), "onnx", tmp_path / "no" / "model.onnx")


def test_a_model_that_keras_cannot_load_says_so(store: Store, members: dict[str, Any], tmp_path: Path) -> None:
    chosen = alone("perceptron", members["perceptron"])
    kept = members["perceptron"].model_path.read_bytes()
    members["perceptron"].model_path.write_bytes(kept[:100])
    try:
        with pytest.raises(ToileError, match="cannot be exported to onnx: "):
            export.write(chosen, "onnx", tmp_path / "model.onnx")
    finally:
        members["perceptron"].model_path.write_bytes(kept)
    assert not list(tmp_path.iterdir())


# Predictions from the file


def test_predict_from_an_export_needs_numpy_pillow_and_onnxruntime(tmp_path: Path) -> None:
    """And what reads a command line and prints a table; none of what trains, plans or reports."""
    write_export(tmp_path / "quarters.onnx")
    Image.fromarray(sample(2)[:, :, 0]).save(tmp_path / "a.png")
    heavy = {"keras", "tensorflow", "jax", "torch", "sklearn", "scipy", "pydantic", "matplotlib", "jinja2", "onnx", "filelock"}
    script = (
        "import sys; from toile.cli import main; main(sys.argv[1:]); "
        "loaded = {name.split('.')[0] for name in sys.modules}; "
        f"print(sorted(loaded & {heavy | {'numpy', 'PIL', 'onnxruntime'}}), file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, "predict", "quarters.onnx", "a.png", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    assert answer["class_name"] == "bottom left"
    assert list(answer["probabilities"]) == list(CLASSES)
    assert list(answer["members"]) == [member["name"] for member in MEMBERS]
    assert done.stderr == "['PIL', 'numpy', 'onnxruntime']\n"


def test_predict_in_python(tmp_path: Path) -> None:
    path = write_export(tmp_path / "quarters.onnx")
    (tmp_path / "a.png").write_bytes(png(sample(1)))
    (answer,) = toile.predict(path, [tmp_path / "a.png"])
    assert answer.class_name == "top right"
    assert answer.steps == ("taken as it is",)


def test_predict_from_what_is_no_export(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_text("nothing")
    done = subprocess.run([COMMAND, "predict", "no.onnx", "a.png"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "no.onnx is no ONNX model" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_that_reads_back_cannot_import_toile(tmp_path: Path) -> None:
    """The program that the comparison rests on does hide toile, wherever it is installed."""
    code = standalone.__file__
    hides = "import runpy, sys; sys.argv[1:] = ['model', 'asked', 'answer']\ntry: runpy.run_path({!r}, run_name='__main__')\n"
    script = hides.format(code) + "except OSError: pass\nimport toile"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=False)
    assert "ModuleNotFoundError" in done.stderr
