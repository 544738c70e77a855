"""What users install: under which name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from toile import cli
from toile.version import DISTRIBUTION, __version__, installing

REPOSITORY = Path(__file__).parents[1]
OURS = ["*.md", "Makefile", "*.toml", "*.txt", ".ci/*", "docs/**/*", "src/**/*", "benchmarks/**/*"]
WRITTEN = {"", ".css", ".html", ".j2", ".js", ".md", ".py", ".toml", ".txt", ".yml"}
# `toile` is somebody else's on the package index: neither it nor an extra of it may be what we tell anybody to install.
ANOTHERS = re.compile(r"install\b[^\n`]*[\s'\"]toile(?![\w./-])|(?<![\w.-])toile\[")


def texts() -> list[Path]:
    found = [file for pattern in OURS for file in REPOSITORY.glob(pattern)]
    return [file for file in found if file.suffix in WRITTEN and file.is_file()]


def test_no_text_of_ours_installs_anothers_program() -> None:
    wrong = [
        f"{file.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for file in texts()
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if ANOTHERS.search(line)
    ]
    assert len(texts()) > 100
    assert not wrong


@pytest.mark.parametrize(
    "line", ["pip install toile", "uv tool install 'toile'", "pip install 'toile[serve]'", "`toile[serve]`"]
)
def test_anothers_program_is_found(line: str) -> None:
    assert ANOTHERS.search(line)


@pytest.mark.parametrize(
    "line", ["pip install toile-workbench", "pip install 'toile-workbench[serve]'", "uv pip install src/toile"]
)
def test_ours_is_not(line: str) -> None:
    assert not ANOTHERS.search(line)


def test_the_name_is_that_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == DISTRIBUTION
    assert installing("serve") == f"pip install '{project['name']}[serve]'"


def test_version_says_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--version"])
    assert capsys.readouterr().out == f"toile {__version__} ({DISTRIBUTION})\n"
