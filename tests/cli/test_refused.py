"""What the system refuses, a full disk or a file that may not be read, is one line that names the file, and exit code 1."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toile import cli
from toile.errors import refused
from toile.store import atomic


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "runs.tar"), "cannot write runs.tar: No space left on device"),
        (OSError(errno.EROFS, "Read-only file system", "a"), "cannot write a: Read-only file system"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "cannot read or write a: Permission denied"),
        (OSError(errno.EXDEV, "Invalid link", "a.tmp", None, "a"), "cannot read or write a: Invalid link"),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write: No space left on device"),
        (OSError("not of the system"), "cannot read or write: not of the system"),
    ],
)
def test_what_was_refused_is_said_in_one_line(error: OSError, said: str) -> None:
    assert refused(error) == said


def test_an_error_of_the_system_ends_any_verb_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemExit) as end:
        cli.main(["reference", "--output", str(tmp_path / "page.md")])
    assert end.value.code == 1
    assert capsys.readouterr().err == f"toile: cannot write {tmp_path}/page.md: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no file that is always full")
def test_output_that_cannot_be_written_is_an_error() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "toile.cli", "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "toile: cannot write: No space left on device\n")


def test_another_files_error_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, atomic.writing(tmp_path / "whole"):
        (tmp_path / "piece").read_bytes()
    assert error.value.filename == str(tmp_path / "piece")
