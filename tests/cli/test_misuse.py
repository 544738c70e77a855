"""Command lines that cannot be read, or that ask for what cannot be: told in the words of the help, before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from toile import cli
from toile.data import sources


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(list(arguments))
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    return said.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("plan", "plan wants STUDY; `toile plan --help` shows what it takes"),
        ("plan committee digits", "plan takes no 'digits'; `toile plan --help` shows what it takes"),
        ("list metrics x", "list takes no 'metrics', 'x'; `toile list --help` shows what it takes"),
        ("compare committee/a", "compare wants B; `toile compare --help` shows what it takes"),
        ("show", "show wants RUN; `toile show --help` shows what it takes"),
        ("log committee", "log wants --to; `toile log --help` shows what it takes"),
        ("plan committee --only", "--only wants a value; `toile plan --help` shows what it takes"),
        (
            "plan --seeds 0 1 committee",
            "plan wants STUDY before --seeds, which takes all that follows; `toile plan --help` shows what it takes",
        ),
        ("pln committee", "no verb 'pln' (did you mean 'plan'?); `toile --help` lists them"),
        ("zzz", "no verb 'zzz'; `toile --help` lists them"),
        ("run committee --workers two", "--workers: a whole number is wanted, got 'two'"),
        ("plan committee --seeds 0,1", "--seeds: a whole number is wanted, got '0,1'"),
        ("plan committee --fraction half", "--fraction: a number is wanted, got 'half'"),
        ("run committee --workers", "--workers wants a value; `toile run --help` shows what it takes"),
    ],
)
def test_a_command_line_that_cannot_be_read(typed: str, said: str, capsys: pytest.CaptureFixture) -> None:
    assert refused(capsys, *typed.split()) == f"toile: {said}\n"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--fraction", "0"), "--fraction is above 0 and at most 1, got 0"),
        (("--epochs-scale", "nan"), "--epochs-scale is above 0 and at most 1, got nan"),
        (("--seeds", "1", "1"), "every seed once is wanted"),
        (("--minutes", "-1"), "--minutes is above 0, got -1"),
    ],
)
def test_what_cannot_be_asked_for_is_told_before_data_is_looked_for(
    option: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def looked_for(*_: object, **__: object) -> None:
        raise AssertionError("a data set was looked for, which may be a download")

    monkeypatch.setattr(sources, "load", looked_for)
    told = refused(capsys, "run", "committee", "--store", str(tmp_path), *option)
    assert said in told and told.startswith("toile: ") and len(told.splitlines()) == 1


def test_a_plan_for_no_workers_is_refused(capsys: pytest.CaptureFixture) -> None:
    assert (
        refused(capsys, "plan", "committee", "--dataset", "digits", "--workers", "0")
        == "toile: --workers is at least 1, got 0\n"
    )


@pytest.mark.parametrize("folder", [".", "/", "sub"])
def test_a_folder_in_the_place_of_a_file_is_said(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    with pytest.raises(SystemExit) as end:
        cli.main(["reference", "--output", folder])
    assert end.value.code == 1
    assert capsys.readouterr().err == f"toile: cannot read or write {folder}: Is a directory\n"
    assert [path.name for path in tmp_path.iterdir()] == ["sub"] and not list(Path("sub").iterdir())


def test_what_is_no_study_may_be_near_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("first.toml").write_text("")
    Path("folder.toml").mkdir()
    assert "no study 'first' (did you mean 'first.toml'?)" in refused(capsys, "plan", "first")
    assert refused(capsys, "plan", "folder.toml") == "toile: no study file folder.toml: it is no file\n"
    assert "something in first.toml, and a whole study is wanted" in refused(capsys, "plan", "first.toml/cnn")
    assert "--only 'cnn (seed 0)'" in refused(capsys, "plan", "first.toml/cnn (seed 0)")
    assert "no study 'xxx" in refused(capsys, "plan", "x" * 5000)
