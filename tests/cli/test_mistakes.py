"""`toile mistakes`: the wrong test images of a run and of a committee, by name, from stored probabilities."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.fixture import TINY, stored_tiny
from toile import api
from toile.cli import main


def test_mistakes_are_those_of_the_stored_probabilities(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    plan = stored_tiny(tmp_path / "store", skill=0.3)
    one = plan.trials[0]
    said, test = plan.stored_run(one).probabilities("test"), plan.parts(one).test
    expected = {int(at) for at in np.flatnonzero(said.argmax(axis=1) != test.labels)}
    found = api.mistakes(f"{TINY}/{one.name}", store=tmp_path / "store")
    assert {mistake.image for mistake in found} == expected and expected
    assert [mistake.probability for mistake in found] == sorted((mistake.probability for mistake in found), reverse=True)
    first = found[0]
    names = plan.dataset.class_names
    assert (first.truth, first.said) == (names[test.labels[first.image]], names[said[first.image].argmax()])
    assert first.of_truth == pytest.approx(float(said[first.image, test.labels[first.image]]))
    assert api.mistakes(one.fingerprint[:12], store=tmp_path / "store") == found

    main(["mistakes", f"{TINY}/{one.name}", "--store", str(tmp_path / "store"), "--csv", str(tmp_path / "m.csv")])
    assert f"{len(found)} mistakes in" in capsys.readouterr().out
    with (tmp_path / "m.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["image"]) for line in lines] == [mistake.image for mistake in found]
    assert [line["truth"] for line in lines] == [mistake.truth for mistake in found]
    main(["mistakes", f"{TINY}/{one.name}", "--store", str(tmp_path / "store")])
    out = capsys.readouterr().out.splitlines()
    assert len(out) == len(found) + 1 and f"{first.truth}, taken for {first.said}" in out[0]
    # A program that asks for JSON gets it, also where there is a file.
    both = ["--csv", str(tmp_path / "a new folder" / "both.csv"), "--json"]
    main(["mistakes", f"{TINY}/{one.name}", "--store", str(tmp_path / "store"), *both])
    assert [mistake["image"] for mistake in json.loads(capsys.readouterr().out)] == [mistake.image for mistake in found]
    assert (tmp_path / "a new folder" / "both.csv").read_text() == (tmp_path / "m.csv").read_text()


def test_mistakes_of_a_committee_are_those_of_its_joint_probabilities(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    stored_tiny(tmp_path / "store", skill=0.3)
    (committee, *_) = api.combine(TINY, store=tmp_path / "store")
    main(["mistakes", f"{TINY}/{committee.name}", "--store", str(tmp_path / "store"), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert 0 < len(found) == round((1 - committee.test["accuracy"]) * len(committee.probabilities))
    for one in found:
        assert one["probability"] == pytest.approx(float(committee.probabilities[one["image"]].max()))


def test_mistakes_of_a_trial_are_those_after_its_calibration_as_its_predictions(tmp_path: Path) -> None:
    plan = stored_tiny(tmp_path / "store", skill=0.3)
    study = tmp_path / "calibrated.toml"
    study.write_text(TINY.read_text().replace('name = "perceptron"\n', 'name = "perceptron"\ncalibration = "isotonic"\n'))
    after = api.results(study, store=tmp_path / "store").trials[0].calibrated
    found = api.mistakes(f"{study}/perceptron", store=tmp_path / "store")
    assert after is not None and len(found) == round((1 - after.test["accuracy"]) * len(plan.parts(plan.trials[0]).test))
    assert {one.image: one.said for one in found} == {
        one: plan.dataset.class_names[after.probabilities[one].argmax()] for one in (mistake.image for mistake in found)
    }
    assert found != api.mistakes(plan.trials[0].fingerprint[:12], store=tmp_path / "store")
