"""Predictions and a submission for Kaggle, by an export made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.serving.fixture import metadata, png, sample, write_export
from toile import api
from toile.data.dataset import Dataset
from toile.data.reading.load import load
from toile.errors import Misuse
from toile.serving.predictor import NotAnExport
from toile.study.data.dataset import DatasetSpec

NAMES = ["A", "B", "D", "E"]


def test_targets_are_the_numbers_of_the_data_set_where_these_have_gaps(tmp_path: Path) -> None:
    """As sign language's letters have: 0 to 24 without 9."""
    images = np.stack([sample(corner) for corner in range(4)])
    np.savez(tmp_path / "a.npz", x=images, y=np.array([0, 1, 3, 4]))
    data = load(DatasetSpec(path=str(tmp_path / "a.npz"), class_names=tuple(NAMES)))
    assert Dataset.open(data.save(tmp_path / "kept")).numbers == data.numbers == (0, 1, 3, 4)
    about = metadata(classes=NAMES, form=data.form.plain(), first=data.first, numbers=list(data.numbers))
    export = write_export(tmp_path / "a.onnx", about=json.dumps(about))
    np.save(tmp_path / "test.npy", images)
    made = api.submit(str(export), tmp_path / "test.npy", tmp_path / "s.csv")
    assert made.targets == {"A": 0, "B": 1, "D": 3, "E": 4}
    assert (tmp_path / "s.csv").read_text() == "id,target\n1,0\n2,1\n3,3\n4,4\n"
    write_export(tmp_path / "b.onnx", about=json.dumps(about | {"numbers": [1]}))
    with pytest.raises(NotAnExport, match="1 numbers for 4 classes"):
        api.submit(str(tmp_path / "b.onnx"), tmp_path / "test.npy", tmp_path / "s.csv")


def test_pictures_of_other_formats_in_a_folder_are_told_of(tmp_path: Path) -> None:
    export = write_export(tmp_path / "a.onnx")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(png(sample(2)))
    (tmp_path / "set" / "b.HEIC").write_bytes(b"as phones write them")
    (tmp_path / "set" / "notes.txt").write_text("no picture")
    told: list[str] = []
    (answer,) = api.predict(str(export), [tmp_path / "set"], tell=told.append)
    assert answer.class_name == "bottom left"
    assert [line.partition(":")[0] for line in told] == ["left out"] and told[0].endswith("b.HEIC") and ".png, " in told[0]


def test_an_export_is_one_model_whatever_is_said_of_a_study(tmp_path: Path) -> None:
    export = str(write_export(tmp_path / "a.onnx"))
    for ask in (lambda: api.predict(export, [], dataset="digits", fraction=0.1), lambda: api.submit(export, "", "", seeds=[1])):
        with pytest.raises(Misuse, match="an exported file, which is one model: leave out --"):
            ask()
