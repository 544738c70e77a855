"""The command line with a study of odd names, and with a pattern for some of its trials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toile.cli import main
from toile.text import obeyed

ODD = r"""
title = "odd [/x] names \u001b]0;pwned\u0007"
question = "\u001b[2J"
[dataset]
name = "digits"
class_names = ["$\\frac$", "[/b]", "a$b_{", "{", "\\", "%s", "]]", "\u001b[31m", "[bold]", "é\u202e"]
[split]
validation = 0.1
[recipe]
epochs = 1
[[trial]]
name = "[red] x"
architecture = { name = "mlp", hidden = [4] }
[[trial]]
name = "$\\frac{$ [link=x]"
architecture = { name = "mlp", hidden = [5] }
[[trial]]
name = "after"
architecture = { name = "mlp", hidden = [4] }
warm_start = "[red] x"
recipe = { epochs = 2 }
[[committee]]
name = "[bold]"
members = ["[red] x", "$\\frac{$ [link=x]"]
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("TOILE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "odd.toml").write_text(ODD, "utf-8")
    return tmp_path / "odd.toml"


def said(capsys, *arguments: object, code: int = 0) -> str:
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        assert end.code == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert not [one for one in out + err if obeyed(one) and one != "\n"]
    return out + err


@pytest.mark.parametrize("verb", ["plan", "status"])
def test_odd_names_are_shown_as_they_are(verb: str, study: Path, capsys) -> None:
    text = said(capsys, verb, study)
    for name in ("[red] x", "$\\frac{$ [link=x]", "after", "odd [/x] names \\x1b]0;pwned\\x07"):
        assert name in text
    found = json.loads(said(capsys, verb, study, "--json"))
    assert found["title"] == "odd [/x] names \x1b]0;pwned\x07"


@pytest.mark.parametrize("arguments", [["plan"], ["status"], ["show"], ["predict"]])
def test_odd_arguments_end_in_one_line(arguments: list[str], study: Path, capsys) -> None:
    odd = "\x1b[31mno\u202e[x]"
    more = ["image.png"] if arguments == ["predict"] else []
    assert "\\x1b[31mno\\u202e[x]" in said(capsys, *arguments, f"{odd}.toml", *more, code=2)
    said(capsys, *arguments, f"{study}/{odd}", *more, code=2)


def test_a_name_that_cannot_be_said_is_refused_in_words_that_can(study: Path, capsys) -> None:
    study.write_text(ODD.replace('"after"', r'"\u001b[31m/x"'), "utf-8")
    text = said(capsys, "plan", study, code=2)
    assert "trial[2].name: a name without control characters is wanted, got '\\x1b[31m/x'" in text
    study.write_text(ODD.replace('"after"', '"a/b"'), "utf-8")
    assert "without / and not beginning with -, got 'a/b'" in said(capsys, "plan", study, code=2)


def test_only_some_trials_are_planned_and_told_of(study: Path, capsys) -> None:
    def names(verb: str, *only: str) -> list[str]:
        found = json.loads(said(capsys, verb, study, "--json", *(part for one in only for part in ("--only", one))))
        return [one["name"] for one in found["trials"]]

    assert names("plan", "$*") == ["$\\frac{$ [link=x]"]
    assert names("status", "$*", "[red] x") == ["[red] x", "$\\frac{$ [link=x]"]
    # With a trial comes the one that it begins with: it would be trained too.
    assert names("plan", "after") == ["[red] x", "after"]
    assert names("status", "after") == ["after"]
    found = json.loads(said(capsys, "plan", study, "--json", "--only", "after"))
    assert (found["to_train"], found["distinct"]) == (2, 2)
    for verb in ("plan", "status"):
        assert "no trial matches 'aftr' (did you mean 'after'?)" in said(capsys, verb, study, "--only", "aftr", code=2)
