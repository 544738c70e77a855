"""`toile label-next`: the pictures on which members contradict each other come first."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from toile import api
from toile.api import unlabelled as module
from toile.cli import main
from toile.errors import Misuse
from toile.serving.answer import Answer


def said(image: str, *members: float) -> Answer:
    """An answer of a committee; `members` are the probabilities of class "a"."""
    each = {f"m{number}": {"a": p, "b": 1 - p} for number, p in enumerate(members)}
    mean = sum(members) / len(members)
    return Answer(image, "a" if mean >= 0.5 else "b", {"a": mean, "b": 1 - mean}, each if len(members) > 1 else {}, ())


def test_surest_contradictions_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    answers = [
        said("sure.png", 0.9, 0.9),
        said("torn.png", 0.95, 0.05),
        said("undecided.png", 0.5, 0.5),
        said("odd.png", 0.8, 0.4),
    ]
    monkeypatch.setattr(module, "predict", lambda reference, images, **_: answers)
    found = api.label_next("study/all", [tmp_path])
    assert [one.image for one in found] == ["torn.png", "odd.png", "sure.png", "undecided.png"]
    assert found[0].members == {"m0": "a", "m1": "b"} and found[0].information > 0.4 and found[2].information < 1e-9
    main(["label-next", "study/all", str(tmp_path), "--csv", str(tmp_path / "next.csv")])
    assert "4 pictures in" in capsys.readouterr().out
    with (tmp_path / "next.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["file"] for line in lines] == [one.image for one in found] and lines[0]["m1"] == "b"
    (tmp_path / "next.csv").unlink()
    main(["label-next", "study/all", str(tmp_path), "--csv", str(tmp_path / "next.csv"), "--json"])
    assert [one["image"] for one in json.loads(capsys.readouterr().out)] == [line["file"] for line in lines]
    assert (tmp_path / "next.csv").exists()
    main(["label-next", "study/all", str(tmp_path)])
    assert "torn.png: 0.4" in capsys.readouterr().out.splitlines()[0]


def test_one_model_cannot_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "predict", lambda reference, images, **_: [said("x.png", 0.5)])
    with pytest.raises(Misuse, match="is no committee of several members"):
        api.label_next("study/model", ["x.png"])
