"""What users install: under which name."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from toile import cli
from toile.version import DISTRIBUTION, __version__, installing

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
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
    assert PROJECT["project"]["name"] == DISTRIBUTION
    assert installing("serve") == f"pip install '{DISTRIBUTION}[serve]'"


def test_the_oldest_versions_that_are_tested_are_the_oldest_that_are_allowed() -> None:
    """`constraints-lowest.txt` says how it is made anew. PyTorch is left out: the index has it with CUDA alone."""
    project, extras, groups = PROJECT["project"], PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    asked = [*project["dependencies"], *groups["test"], *groups["docs"]]
    asked.remove({"include-group": "docs"})
    asked += [one for name, extra in extras.items() if name != "torch" for one in extra]
    allowed: dict[str, list[Version]] = defaultdict(list)
    for requirement in map(Requirement, asked):
        if requirement.marker is None or requirement.marker.evaluate({"platform_system": "Linux"}):
            (bound,) = requirement.specifier
            assert bound.operator == ">=", requirement
            allowed[canonicalize_name(requirement.name)].append(Version(bound.version))
    lines = (REPOSITORY / "constraints-lowest.txt").read_text("utf-8").splitlines()
    tested = {name: Version(version) for name, _, version in (line.partition("==") for line in lines if line[0] != "#")}
    assert {name: tested[name] for name in allowed} == {name: max(bounds) for name, bounds in allowed.items()}


def test_version_says_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--version"])
    assert capsys.readouterr().out == f"toile {__version__} ({DISTRIBUTION})\n"
