"""What the system refuses, a full disk or a file that may not be read, is one line that names the file, and exit code 1."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.fixture import TINY
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


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a line in which `toile` stands for this one."""
    toile = shlex.join([sys.executable, "-m", "toile.cli"])
    return subprocess.run(
        ["/bin/sh", "-c", command.replace("toile", toile, 1)], capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="no shell that closes streams")
@pytest.mark.parametrize(
    ("closed", "code", "out", "err"),
    [
        ("list >&-", 0, "", ""),
        ("status gone 2>&-", 2, "", ""),
        ("status gone >&- <&-", 2, "", "toile: no study 'gone'"),
        ("list 2>&- <&-", 0, "studies:", ""),
    ],
)
def test_a_stream_that_is_closed_is_nowhere(closed: str, code: int, out: str, err: str) -> None:
    done = shell(f"toile {closed}")
    assert (done.returncode, done.stdout[: len(out) or None], done.stderr[: len(err) or None]) == (code, out, err)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="no shell that closes streams")
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Or what a library prints would get into it."""
    code = (
        "import os, sys; from toile import cli\n"
        "cli._open_streams()\n"
        "file = open(sys.argv[1], 'wb')\n"
        "os.write(1, b'printed'); os.write(2, b'printed'); print('printed'); sys.exit(file.fileno())"
    )
    line = shlex.join([sys.executable, "-c", code, str(tmp_path / "file")])
    done = subprocess.run(["/bin/sh", "-c", f"exec {line} <&- >&- 2>&-"], check=False)
    assert done.returncode == 3 and (tmp_path / "file").read_bytes() == b""


def test_an_encoding_that_lacks_a_character_ends_nothing(tmp_path: Path) -> None:
    study = tmp_path / "odd.toml"
    study.write_text(TINY.read_text("utf-8").replace("perceptron", "percepci\u00f3n \u2014 \u4e09"), "utf-8")
    arguments = [sys.executable, "-m", "toile.cli", "status", str(study), "--store", str(tmp_path / "store")]
    said = [
        subprocess.run(
            [*arguments, *more], stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
        ).stdout.decode("ascii")
        for more in ((), ("--json",))
    ]  # fmt: skip
    assert r"percepci\xf3n \u2014 \u4e09" in said[0]
    assert "percepci\u00f3n \u2014 \u4e09" in [one["name"] for one in json.loads(said[1])["trials"]]
