"""The law of pictures through the command: a trained model says of its data set's own files what its run has stored."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess, run

import numpy as np
import pytest
from PIL import Image

from tests.pictures.fixture import write
from toile.api import find_run
from toile.data.reading.load import load
from toile.estimators import ImageClassifier
from toile.pictures.many import prepare_many
from toile.serving.predictor import Predictor
from toile.study.data.dataset import DatasetSpec

pytestmark = pytest.mark.slow

STUDY = """
title = "own pictures"
dataset = { path = "set", size = [16, 12], fit = "crop" }
recipe = { epochs = 1 }
[[trial]]
name = "m"
architecture = { name = "mlp", hidden = [16] }
"""
SPEC = {"size": (16, 12), "fit": "crop"}


def toile(*arguments: object, cwd: Path) -> CompletedProcess[str]:
    return run([sys.executable, "-m", "toile.cli", *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


def ran(*arguments: object, cwd: Path) -> str:
    done = toile(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a folder with every kind of picture, in three classes and three parts; trained and exported."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "s.toml").write_text(STUDY)
    for number, part in enumerate(("train", "val", "test")):
        for at, file in enumerate(write(folder / "new", (30, 24), colour=True, seed=500 * number)):
            class_ = folder / "set" / part / "abc"[at % 3]
            class_.mkdir(parents=True, exist_ok=True)
            file.rename(class_ / file.name)
    (folder / "new").rmdir()
    ran("run", "s.toml", "--workers", "1", cwd=folder)
    ran("export", "s.toml/m", "--output", "m.onnx", cwd=folder)
    return folder


def stored(folder: Path) -> dict[str, np.ndarray]:
    """Probabilities of the test files, by their paths."""
    names = load(DatasetSpec(path=str(folder / "set"), **SPEC)).test.names
    found = find_run(str(folder / "s.toml/m"), store=folder / "toile-runs").probabilities("test")
    return {f"set/{name}": row for name, row in zip(names, found, strict=True)}


@pytest.mark.parametrize("reference", ["s.toml/m", "m.onnx", "fingerprint"])
def test_what_was_stored_is_what_is_predicted(folder: Path, reference: str) -> None:
    if reference == "fingerprint":
        reference = find_run(str(folder / "s.toml/m"), store=folder / "toile-runs").fingerprint[:12]
    assert (
        ran("predict", reference, "set/test", "--output", "p.json", cwd=folder) == f"{len(stored(folder))} pictures in p.json\n"
    )
    answers = json.loads((folder / "p.json").read_text())
    wanted = stored(folder)
    assert [answer["image"] for answer in answers] == sorted(wanted)
    for answer in answers:
        np.testing.assert_allclose(list(answer["probabilities"].values()), wanted[answer["image"]], atol=1e-6)


def test_a_table_has_a_line_a_file(folder: Path) -> None:
    one = sorted(path for path in stored(folder) if "/a/" in path)[0]
    ran("predict", "m.onnx", "set/test/b", one, "--output", "p.csv", cwd=folder)
    with (folder / "p.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["file"] for line in lines] == [*sorted(path for path in stored(folder) if "/b/" in path), one]
    for line in lines:
        row = [float(line[name]) for name in "abc"]
        np.testing.assert_allclose(row, stored(folder)[line["file"]], atol=1e-6)
        assert line["class"] == "abc"[int(np.argmax(row))]


def test_files_that_are_no_pictures_are_all_named_or_left_out(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "set" / "test", tmp_path / "new")
    for name in ("one.png", "two.jpg"):
        (tmp_path / "new" / "a" / name).write_text("no picture")
    done = toile("predict", "m.onnx", tmp_path / "new", cwd=folder)
    assert done.returncode == 1
    assert "2 files cannot be used:" in done.stderr and "one.png is not a picture" in done.stderr and "two.jpg" in done.stderr
    done = toile("predict", "m.onnx", tmp_path / "new", "--on-error", "skip", "--output", "p.json", cwd=folder)
    assert done.stdout == f"{len(stored(folder))} pictures in p.json\n"
    assert [line.startswith("left out: ") for line in done.stderr.splitlines()] == [True, True]


def test_what_cannot_be_asked(folder: Path, tmp_path: Path) -> None:
    for arguments, says in (
        ((tmp_path,), "no picture in this folder"),
        (("set/test", "--output", "p.xls"), "answers are written as .csv or .json, got '.xls'"),
        (("set/test", "--first", "1"), "--first goes with --format kaggle"),
        (("set/test", "--dataset", "digits", "--fraction", "0.5"), "which is one model: leave out --dataset, --fraction"),
    ):
        done = toile("predict", "m.onnx", *arguments, cwd=folder)
        assert done.returncode == 2 and says in done.stderr, done.stderr


def test_guesses_are_switched_off_by_the_word_that_http_has(folder: Path, tmp_path: Path) -> None:
    """Of the study's own pictures nothing is learned that could be guessed by; of the digits there is."""
    study = 'title = "d"\ndataset = "digits"\n[[trial]]\nname = "m"\narchitecture = "logistic-regression"\n'
    (tmp_path / "d.toml").write_text(study)
    ran("run", "d.toml", "--workers", "1", cwd=tmp_path)
    paper = np.full((60, 60), 255, np.uint8)
    paper[20:30, 20:25] = 0
    Image.fromarray(paper).save(tmp_path / "paper.png")
    (guessed,) = json.loads(ran("predict", "d.toml/m", "paper.png", "--json", cwd=tmp_path))
    (taken,) = json.loads(ran("predict", "d.toml/m", "paper.png", "--as-is", "--json", cwd=tmp_path))
    assert [step.split()[0] for step in guessed["steps"]] == ["inverted,", "trimmed", "resized"]
    assert taken["steps"] == ["resized from 60 x 60 to 28 x 28"]
    (strange,) = json.loads(ran("predict", "m.onnx", tmp_path / "paper.png", "--json", cwd=folder))
    assert not [step for step in strange["steps"] if step.startswith(("inverted", "trimmed"))]


def test_an_estimator_says_of_files_what_it_says_of_the_store(folder: Path) -> None:
    dataset = load(DatasetSpec(path=str(folder / "set"), **SPEC))
    model = ImageClassifier("logistic-regression").fit(dataset.train.images, dataset.train.labels)
    prepared, broken = prepare_many([folder / "set" / name for name in dataset.test.names], dataset.form)
    assert not broken
    files = np.stack([one.pixels for one in prepared])
    np.testing.assert_allclose(model.predict_proba(files), model.predict_proba(dataset.test.images), atol=1e-6)


def test_an_export_brings_the_form_of_its_pictures(folder: Path) -> None:
    predictor = Predictor.from_file(folder / "m.onnx")
    assert predictor.form == load(DatasetSpec(path=str(folder / "set"), **SPEC)).form
    kept = find_run(str(folder / "s.toml/m"), store=folder / "toile-runs").provenance["form"]
    assert kept == predictor.metadata["form"] == predictor.form.plain()
