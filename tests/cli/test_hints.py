"""The command that a message proposes is one that works: it names the study as the user did."""

from __future__ import annotations

import re
import shlex
import shutil

import numpy as np
import pytest
from filelock import FileLock, Timeout

from tests.cli.fixture import TINY, stored_tiny
from toile import api
from toile.api.shipping import committee_of
from toile.cli import main
from toile.errors import Misuse, ToileError
from toile.store import reports

HINT = r"`(toile [^`]+)`"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose path has a space, from the folder above it."""
    (tmp_path / "my work").mkdir()
    shutil.copy(TINY, tmp_path / "my work" / "tiny.toml")
    monkeypatch.chdir(tmp_path)
    return "my work/tiny.toml"


@pytest.mark.parametrize("ask", [
    lambda study: api.report(study, store="store"),
    lambda study: api.find_run(f"{study}/{api.plan(study).trials[0].name}", store="store"),
    lambda study: committee_of(f"{study}/{api.plan(study).study.committee[0].name}", store="store"),
    lambda study: api.compare(f"{study}/{api.plan(study).study.committee[0].name}", "a", store="store"),
    lambda study: api.label_errors(f"{study}/{api.plan(study).trials[0].name}", store="store"),
    lambda study: api.log(study, to="tensorboard", store="store"),
], ids=["report", "run", "committee", "compare", "label errors", "log"])  # fmt: skip
def test_a_hint_names_the_study_as_it_was_typed(study, ask):
    with pytest.raises(ToileError) as raised:
        ask(study)
    (command,) = re.findall(HINT, str(raised.value))
    assert shlex.split(command)[:3] == ["toile", "run", study] and " --store store" in command


def test_a_hint_has_the_options_that_were_given(study, tmp_path):
    """Without them it would speak of other trials, in another store."""
    given = {"seeds": [0, 2], "fraction": np.float64(0.1), "epochs_scale": 0.25, "store": "my runs", "data_dir": tmp_path}
    options = f"--fraction 0.1 --epochs-scale 0.25 --seeds 0 2 --store 'my runs' --data-dir {tmp_path}"
    assert api.plan(study, **given).called == f"'my work/tiny.toml' {options}"
    assert api.plan(study).called == "'my work/tiny.toml'"
    (usual := tmp_path / "toile-runs").touch()  # what is meant where no store is named may be none
    assert api.plan(study, store="other").called == "'my work/tiny.toml' --store other"
    usual.unlink()
    assert api.plan("committee", dataset="digits").called == "committee --dataset digits"


@pytest.mark.parametrize(
    "verb", [["show"], ["compare", "a"], ["mistakes"], ["predict", "one.png"], ["export"], ["label-next", "one.png"]]
)
def test_a_verb_about_a_run_takes_the_options_that_the_run_had(verb, study, capsys):
    """Else a stand-in's committee, or one of fewer epochs, could be trained and reported, and neither compared nor exported."""
    trained = f"{study}/{api.plan(study).study.committee[0].name}"
    if verb == ["show"]:
        trained = f"{study}/{api.plan(study).trials[0].name}"
    with pytest.raises(SystemExit, match="1"):
        main([verb[0], trained, *verb[1:], "--epochs-scale", "0.5", "--store", "my runs"])
    (command,) = re.findall(HINT, " ".join(capsys.readouterr().err.split()))
    assert "--epochs-scale 0.5 --store 'my runs'" in command


def test_a_run_by_its_digits_is_one_whatever_of_a_study_is_meant(study):
    stored = stored_tiny(api.plan(study, store="store").store.root).trials[0]
    digits = stored.fingerprint[:12]
    with pytest.raises(Misuse, match="a run's fingerprint, of which there is one: leave out --seeds, --epochs-scale"):
        api.find_run(digits, store="store", epochs_scale=0.5, seeds=[1])
    assert api.find_run(digits, store="store", fraction=1.0, seeds=None).fingerprint == stored.fingerprint
    with pytest.raises(Misuse, match="leave out --fraction"):
        api.compare(digits, digits, store="store", fraction=0.5)
    with pytest.raises(ToileError, match=r"is not stored; .* --fraction 0\.5"):  # of the trial, not of the digits beside it
        api.compare(digits, f"{study}/{stored.name}", store="store", fraction=0.5)


def test_the_report_says_the_commands_that_were_typed(study):
    stored_tiny(api.plan(study, store="store").store.root)
    assert "toile run &#39;my work/tiny.toml&#39;" in api.report(study, store="store").read_text("utf-8")


def test_two_studies_of_one_name_are_two_reports_and_two_studies_of_the_page(study, tmp_path):
    from toile.viewer.shown import Studies

    store = stored_tiny(tmp_path / "store").store
    paths = {api.report(one, store=store.root) for one in (study, TINY)}
    assert len(paths) == 2 and len(list(store.reports_folder.glob("*.html"))) == 2
    named = Studies(store, [study, str(TINY)])
    assert {one["reference"] for one in named.all()} == {"tiny", "tiny (studies)"}
    assert named.told("tiny (studies)")["title"] == named.told("tiny")["title"]
    # One that was named hides none of the folder, and a file is there once.
    beside = Studies(store, [study], TINY.parent)
    assert {one["reference"] for one in beside.all()} == {"tiny", "tiny (studies)"}
    assert [one["reference"] for one in Studies(store, [str(TINY)], TINY.parent).all()] == ["tiny"]


def test_two_reports_of_one_name_that_are_made_at_once_wait_for_each_other(study, tmp_path, monkeypatch):
    """From the look at which place is free to the note that it is taken."""
    store, seen = stored_tiny(tmp_path / "store").store, []

    def looked(call):
        def is_alone(*arguments):
            other = FileLock(store.root / "lock")
            with pytest.raises(Timeout):
                other.acquire(timeout=0)
            seen.append(call.__name__)
            return call(*arguments)

        return is_alone

    for call in (reports.place, reports.note):
        monkeypatch.setattr(reports, call.__name__, looked(call))
    assert api.report(study, store=store.root).is_file() and seen == ["place", "note"]


def test_a_study_file_that_is_not_there_is_told_with_the_nearest(study):
    with pytest.raises(ToileError, match=r"no study file my work/tni\.toml \(did you mean 'tiny\.toml'\?\)"):
        api.plan("my work/tni.toml")
