"""`toile label-errors`: the suspected labels of a run, a line and a committee, by name, from stored probabilities."""

from __future__ import annotations

import csv
import html
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.cli.fixture import TINY, stored_tiny
from toile import api
from toile.cli import main
from toile.evaluation.label_errors import label_errors
from toile.evaluation.predictions import Predictions
from toile.reports.page.html import render
from toile.reports.results.gather import gather


def test_label_errors_are_those_of_the_images_held_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    plan = stored_tiny(tmp_path / "store", skill=0.3)
    one = plan.trials[0]
    parts = plan.parts(one)
    said = plan.stored_run(one).probabilities("validation")
    order = parts.held_out.argsort()
    labels = plan.dataset.train.labels[np.sort(parts.held_out)]
    expected = label_errors(Predictions("validation", said[order], labels))
    told = api.label_errors(f"{TINY}/{one.name}", store=tmp_path / "store")
    found, accuracy = told.errors, float((said.argmax(axis=1)[order] == labels).mean())
    assert told.images == len(labels) and told.accuracy == pytest.approx(accuracy) and told.by == f"{TINY}/{one.name}"
    assert [error.image for error in found] == np.sort(parts.held_out)[expected.images].tolist() and found
    assert api.label_errors(one.fingerprint[:12], store=tmp_path / "store").errors == found
    names = plan.dataset.class_names
    for error in found:
        assert error.part == "train" and error.label == names[plan.dataset.train.labels[error.image]] != error.suggested
        assert error.margin == pytest.approx(error.of_label - error.probability, abs=1e-6) and error.margin < 0
    main(["label-errors", f"{TINY}/{one.name}", "--store", str(tmp_path / "store"), "--csv", str(tmp_path / "m.csv")])
    assert f"{len(found)} suspected label errors in" in capsys.readouterr().out
    with (tmp_path / "m.csv").open(newline="") as file:
        assert [int(line["image"]) for line in csv.DictReader(file)] == [error.image for error in found]
    main(["label-errors", f"{TINY}/{one.name}", "--store", str(tmp_path / "store")])
    said_of_it = capsys.readouterr().out
    assert f"{found[0].label}, probably {found[0].suggested}" in said_of_it.splitlines()[0]
    assert f"among {len(labels)} images held out; {TINY}/{one.name} is right on {accuracy:.4f} of these" in said_of_it
    main(["label-errors", f"{TINY}/{one.name}", "--store", str(tmp_path / "store"), "--json", "--csv", str(tmp_path / "m.csv")])
    as_json = json.loads(capsys.readouterr().out)
    assert as_json["accuracy"] == told.accuracy and [error["image"] for error in as_json["errors"]] == [
        error.image for error in found
    ]


def test_of_a_committee_the_mean_of_its_members_is_looked_at(tmp_path: Path) -> None:
    plan = stored_tiny(tmp_path / "store", skill=0.3)
    (committee, *_) = api.combine(TINY, store=tmp_path / "store")
    found = api.label_errors(f"{TINY}/{committee.name}", store=tmp_path / "store").errors
    runs = [plan.stored_run(one) for one in plan.trials if one.name in committee.members]
    parts = plan.parts(plan.trials[0])
    mean = np.mean([run.probabilities("validation") for run in runs], axis=0)[parts.held_out.argsort()]
    for error in found:
        row = mean[np.searchsorted(np.sort(parts.held_out), error.image)]
        assert error.probability == pytest.approx(float(row.max()), abs=1e-6)


def test_the_report_shows_the_surest_of_the_best_line_and_none_where_nothing_was_held_out(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    plan = stored_tiny(tmp_path / "store", skill=0.3)
    results = gather(plan)
    worth = {one.line: plan.stored_run(one).metrics["validation"]["accuracy"] for one in plan.trials}
    best = max(worth, key=lambda name: worth[name])
    assert results.suspects.by == best
    found = api.label_errors(f"{TINY}/{best}", store=tmp_path / "store").errors
    assert results.suspects.errors == found and len(found) > 2
    page = render(results)
    (command,) = re.findall("<code>(toile label-errors [^<]*)</code> lists all of them", page)
    main(shlex.split(html.unescape(command))[1:])
    assert f"{len(found):,} suspected label errors" in capsys.readouterr().out
    assert f"<code>toile label-errors &#39;my tiny.toml/{best}&#39; --store s</code>" in render(
        replace(results, called="'my tiny.toml' --store s")
    )
    gallery = page[page.index('<figure id="label-errors"') :].partition("</figure>")[0]
    assert gallery.count('class="card"') == min(24, len(found)) and f"of {len(found):,} that confident learning" in gallery
    first = found[0]
    where = gallery.index(f"train image {first.image}")
    assert first.label in gallery and f"probably <strong>{first.suggested}" in gallery[where:]
    assert 'id="label-errors"' not in render(replace(results, suspects=None))
