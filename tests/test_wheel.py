"""What users get: a wheel and an sdist with everything in them, and a wheel that works where nothing else of ours is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from toile.version import DISTRIBUTION, __version__

pytestmark = pytest.mark.slow

pytest.importorskip("hatchling", reason="hatchling is not installed")

REPOSITORY = Path(__file__).parents[1]
STUDY = """
title = "One small model on digits"
dataset = "digits"
recipe.epochs = 1

[[trial]]
name = "perceptron"
architecture = { name = "mlp", hidden = [16] }
"""


def done(command: list[str | Path], folder: Path, environment: dict[str, str] | None = None) -> str:
    """What a command prints, which has to succeed."""
    ran = subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A wheel of the checkout, an sdist, and a wheel of what is in the sdist."""
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "hatchling", "build"]
    done([*build, "-t", "wheel", "-t", "sdist", "-d", folder / "checkout"], REPOSITORY)
    (sdist,) = (folder / "checkout").glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        packed.extractall(folder, filter="data")
    done([*build, "-t", "wheel", "-d", folder / "sdist"], folder / sdist.name.removesuffix(".tar.gz"))
    (ours,), (theirs,) = (folder.glob(f"{source}/*.whl") for source in ("checkout", "sdist"))
    return SimpleNamespace(of_checkout=ours, of_sdist=theirs, sources=folder / sdist.name.removesuffix(".tar.gz"))


def contents(wheel: Path) -> dict[str, str]:
    """Every file of a wheel, and the hash of its bytes."""
    with zipfile.ZipFile(wheel) as packed:
        return {name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist()}


def test_the_wheel_has_every_file_of_the_sources(built: SimpleNamespace) -> None:
    files = [file for file in (REPOSITORY / "src").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    sources = {file.relative_to(REPOSITORY / "src").as_posix() for file in files if ".egg-info" not in str(file)}
    found = {name for name in contents(built.of_checkout) if ".dist-info/" not in name}
    assert found == sources
    assert {Path(name).suffix for name in found} >= {".py", ".toml", ".j2", ".css", ".html", ".js", ".svg"}


def test_the_sdist_makes_the_same_wheel(built: SimpleNamespace) -> None:
    assert contents(built.of_sdist) == contents(built.of_checkout)
    assert {"LICENSE", "README.md", "constraints.txt", "tests"} <= {file.name for file in built.sources.iterdir()}


@pytest.fixture(scope="module")
def installed(built: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of programs of an environment into which the sdist's wheel was installed, with what it asks for."""
    uv = pytest.importorskip("uv", reason="uv is not installed").find_uv_bin()
    asked = subprocess.run([uv, "pip", "compile", "--refresh", "-"], input="h11", capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip(f"no package index answers: {asked.stderr.strip().splitlines()[-1]}")
    folder = tmp_path_factory.mktemp("installed")
    done([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], folder)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    with_what_was_tried = ["--constraints", REPOSITORY / "constraints.txt"]
    done([uv, "pip", "install", "--quiet", "--python", programs / "python", *with_what_was_tried, built.of_sdist], folder)
    yield programs
    shutil.rmtree(folder)  # 2 GB, where they are not links into uv's cache


def test_it_trains_and_reports_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    ours = ("PYTHON", "TOILE", "KERAS", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    folder = tmp_path / "empty"
    folder.mkdir()

    def run(program: str, *arguments: str) -> str:
        return done([installed / program, *arguments], folder, environment)

    where = Path(run("python", "-c", "import toile; print(toile.__file__)").strip())
    assert installed.parent in where.parents
    assert run("toile", "--version") == f"toile {__version__} ({DISTRIBUTION})\n"
    assert "mlp" in json.loads(run("toile", "list", "--json"))["architectures"]
    (folder / "small.toml").write_text(STUDY, "utf-8")
    run("toile", "run", "small.toml")
    assert json.loads(run("toile", "show", "small.toml/perceptron"))["metrics"]["test"]["accuracy"] > 0.2
    run("toile", "report", "small.toml")
    assert "One small model on digits" in (folder / "toile-runs" / "reports" / "small.html").read_text("utf-8")
