"""What README.md and docs/ show works as it stands there: a page is read from top to bottom, as its reader does it.

A study (`toml`) whose first line is its name in a comment, `# shoes.toml`, is written there and planned; one under the comment
`<!-- in shoes.toml -->` is added to it. Another is part of a study, which `completed` makes whole. `python` runs, but where its
first line names a source file, `# src/toile/…`, it is put there. `sh` runs line by line.

Three things are otherwise than for a reader, or it would take hours: the digits stand in for Fashion-MNIST, every trial has one
epoch, and trainings run in forks of one process. `docs/extend.md` adds to the sources: it is read in a copy of them, and
nothing is otherwise there.

What cannot be run is in `NOT_RUN`, with the reason, and is at least looked at.
"""

from __future__ import annotations

import ast
import os
import queue
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cyclopts import CycloptsError, MissingArgumentError
from distributed.cli import dask_scheduler, dask_worker
from PIL import Image

import toile
from tests.data.test_layouts import write_idx
from tests.runner.fixture import in_process_cluster
from tests.serving.fixture import serving
from tests.training.fixture import train_elsewhere
from toile import cli
from toile.api import studies as verbs
from toile.data.sources import digits, fashion_mnist
from toile.runner import run as runs
from toile.runner.events import Event
from toile.runner.executors.local import Local
from toile.runner.jobs import Job
from toile.store.store import Store
from toile.study.reduction import Reduction
from toile.version import DISTRIBUTION

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
PAGES = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))

ENVIRONMENT = "makes an environment, from the network"
GPU = "wants a GPU"
NOT_RUN = {
    "make committee": ENVIRONMENT,
    "make test": "would run this test",
    "python3 -m venv .venv": ENVIRONMENT,
    ".venv/bin/pip install --constraint constraints.txt --editable .": ENVIRONMENT,
    "pip install 'toile-workbench[serve]'": ENVIRONMENT,
    "toile open": "never ends; tests/viewer/test_page.py opens it",
    "pip install 'toile-workbench[search]'": ENVIRONMENT,
    "pip install 'toile-workbench[tensorboard]'": ENVIRONMENT,
    "dask scheduler": "never ends; `toile run` is given a cluster in this process",
    "dask worker tcp://first:8786": "never ends",
    "from dask_jobqueue import SLURMCluster": "wants a Slurm",
    "timeout 540 toile run speedrun-large --workers 1": GPU,
    "toile report speedrun-large": "has nothing to show without it",
    "python -m benchmarks train --repeats 1": "measures for minutes; tests/benchmarks/test_benchmarks.py runs it small",
    "python -m benchmarks study --repeats 1": "likewise",
    **{
        f"timeout {most} python -m benchmarks gpu --only {piece} --repeats 1 --limit {limit} --output gpu-results": GPU
        for piece, most, limit in (
            ("works", 240, 100),
            ("resume", 240, 100),
            ("many", 240, 100),
            ("speed:", 540, 100),
            ("speedrun", 540, 200),
        )
    },
    "python -m benchmarks.harness.tables": "writes docs/performance.md, which tests/benchmarks/test_benchmarks.py compares",
}


@dataclass(frozen=True)
class Block:
    """A block of code, its language, and the HTML comment before it."""

    comment: str
    language: str
    text: str


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^(?:<!-- ([^\n]*) -->\n)?```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(*one) for one in found]


def lines(block: Block) -> list[str]:
    """The commands of a `sh` block, without comments."""
    joined = block.text.replace("\\\n", " ")
    return [shlex.join(words) for line in joined.splitlines() if (words := shlex.split(line, comments=True))]


def spoken(page: Path) -> list[str]:
    """The commands in a page's sentences and tables."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]


def completed(text: str) -> str:
    """Part of a study as a whole one: with a title, the digits, and small perceptrons of all names that it speaks of."""
    study = tomllib.loads(text)
    trials = study.get("trial", [])
    tables = [one for one in study.get("committee", []) if isinstance(one, dict)]  # or the word for one of folds
    wanted = [name for committee in tables for name in committee.get("members", []) if not set(name) & set("*[")]
    wanted += [name for comparison in study.get("comparison", []) for name in comparison["trials"]]
    missing = [name for name in dict.fromkeys(wanted) if name not in {trial["name"] for trial in trials}]
    if not (trials or missing or "sweep" in study or "search" in study):
        missing = ["any"]
    head = 'title = "part"\n' * ("title" not in study) + 'dataset = "digits"\n' * ("dataset" not in study)
    return head + text + "".join(f'\n[[trial]]\nname = "{name}"\narchitecture = "mlp"\n' for name in missing)


class Reader:
    """Does in a folder what a page shows, with the command in this process."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.folder, self.held, self.address = folder, held, ""
        folders = [f"pictures/{part}/{label}" for part in ("train", "test") for label in ("boots", "shoes")]
        names = ["shoe.png", "bag.jpg", "three.png", *(f"{one}/{number}.png" for one in folders for number in range(5))]
        names += [f"people/{mood}/person{number // 2}_{number}.png" for mood in ("calm", "glad") for number in range(40)]
        for name, image in zip(names, digits.load().test.images, strict=False):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0]).save(folder / name)
        part = digits.load().test[:100]
        table = [f"emotion,{','.join(f'pixel{i}' for i in range(784))}"]
        table += [f"{label},{','.join(map(str, image.ravel()))}" for image, label in zip(part.images, part.labels, strict=True)]
        for name in ("faces.csv", "more-faces.csv"):
            (folder / name).write_text("\n".join(table), "utf-8")
        (folder / "emnist").mkdir()
        for name in ("train", "test"):
            write_idx(folder / "emnist", f"emnist-letters-{name}", part.images[..., 0], part.labels)

    def read(self, block: Block) -> None:
        if block.language != "sh":
            return {"toml": self.toml, "python": self.python}[block.language](block)
        for line in lines(block):
            self.run(line)
        return None

    def toml(self, block: Block) -> None:
        if name := re.match(r"# (\S+\.toml)\n", block.text):
            file, text = self.folder / name[1], block.text
        elif block.comment.startswith("in "):
            file = self.folder / block.comment.removeprefix("in ")
            text = f"{file.read_text('utf-8')}\n{block.text}"
        else:
            file, text = self.folder / "part.toml", completed(block.text)
        file.write_text(text, "utf-8")
        self.plan(file)

    def plan(self, file: Path) -> None:
        assert toile.plan(file).trials

    def python(self, block: Block) -> None:
        if block.text.partition("\n")[0] in NOT_RUN:
            ast.parse(block.text)
        else:
            exec(compile(block.text, "a block of python", "exec"), {})

    def run(self, line: str) -> None:
        first, *rest = shlex.split(line)
        if line in NOT_RUN:
            look_at(line)
        elif first.endswith("toile"):
            self.toile(rest)
        elif first == "curl":
            self.curl(rest)
        else:
            pytest.fail(f"no rule for {line!r}")

    def toile(self, words: list[str]) -> None:
        if words[0] == "serve":
            self.address = self.held.enter_context(serving(Path(words[1]))).address
            return
        if "--scheduler" in words:
            words[words.index("--scheduler") + 1] = self.held.enter_context(in_process_cluster(self.folder / "scratch"))
        stored = next((Store.at(None).root / "runs").iterdir()).name
        cli.main([stored[:8] if re.fullmatch("[0-9a-f]{8}", word) else word for word in words])

    def curl(self, words: list[str]) -> None:
        if not shutil.which("curl"):
            pytest.skip("no curl on this machine")
        words = [word.replace("http://127.0.0.1:8000", self.address) for word in words]
        done = subprocess.run(["curl", "--silent", "--fail", *words], capture_output=True, text=True, check=True)
        assert '"predictions"' in done.stdout


class Adder(Reader):
    """The same in a copy of the repository, with every command in a process of its own."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        super().__init__(folder, held)
        for part in ("src", "tests", "docs"):
            shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(REPOSITORY / "pyproject.toml", folder)

    def plan(self, file: Path) -> None:
        self.run(f"toile plan {file.name}")

    def python(self, block: Block) -> None:
        """Put where the first line says: a file of its own, above a table, or in one."""
        name, where, table = re.match(r"# (src/\S+\.py)(?:, (above|in) (\w+))?\n", block.text).groups()
        text, file = block.text.partition("\n")[2], self.folder / name
        if table is None:
            assert not file.exists()
            file.write_text(text, "utf-8")
        else:
            begun = re.compile(rf"^{table}\b.*\n", re.MULTILINE)
            with_it = rf"{text}\n\n\g<0>" if where == "above" else rf"\g<0>{text}"
            changed, count = begun.subn(with_it, file.read_text("utf-8"))
            assert count == 1, f"{name} has no {table}"
            file.write_text(changed, "utf-8")

    def run(self, line: str) -> None:
        first, *rest = shlex.split(line)
        command = {"toile": ["-m", "toile.cli"], "python": []}[first]
        path = os.pathsep.join([str(self.folder / "src"), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, *command, *rest], cwd=self.folder, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": path, "TOILE_STORE": str(self.folder / "store")},
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def look_at(command: str) -> None:
    """That a command which is not run is one."""
    words = shlex.split(command)
    if words[0] == "timeout":
        words = words[2:]
    if words[0] == "make":
        makefile = (REPOSITORY / "Makefile").read_text("utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), command
    elif words[0] == "dask":
        tool = {"scheduler": dask_scheduler, "worker": dask_worker}[words[1]].main
        tool.make_context(words[1], words[2:])
    elif extras := re.search(rf"{DISTRIBUTION}\[([\w,]+)\]", command):
        assert set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"]), command
    elif words[:3] == ["python", "-m", "benchmarks"]:
        assert words[3] == "NAME" or (REPOSITORY / "benchmarks" / f"{words[3]}.py").is_file(), command
    elif words[0] == "toile":
        try:
            cli.app.parse_args(words[1:], print_error=False, exit_on_error=False)
        except MissingArgumentError:
            assert not [word for word in words[2:] if not word.startswith("-")], f"{command} lacks something"
        except CycloptsError as error:
            pytest.fail(f"{command}: {error}")


class Here(Local):
    """Carries out jobs one after the other, in forks, which start at once."""

    def start(self, job: Job, store: Store, events: queue.Queue[Event]) -> SimpleNamespace:
        train_elsewhere(job.longest.trial, store, also=job.also, until=job.until)
        events.put(job.event("done", fingerprint=job.fingerprint))
        return SimpleNamespace(job=job, close=lambda: None)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The stand-ins, and a store in which the packaged committee is trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOILE_STORE", str(tmp_path_factory.mktemp("store")))
        clothes = replace(digits.load(), name="fashion-mnist", class_names=fashion_mnist.CLASS_NAMES)
        patch.setattr(fashion_mnist, "load", lambda *_: clothes)
        patch.setattr(verbs, "Reduction", lambda fraction, epochs_scale: Reduction(fraction, epochs_scale / 1000))
        patch.setattr(runs, "Local", Here)
        toile.run("committee")
        yield


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_every_block_of_code_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None) -> None:
    monkeypatch.chdir(tmp_path)
    with ExitStack() as held:
        reader = (Adder if page.name == "extend.md" else Reader)(tmp_path, held)
        for block in blocks(page):
            reader.read(block)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_a_sentence_shows_is_one(page: Path) -> None:
    for command in spoken(page):
        if re.match(r"(toile|make|pip install|python -m) ", command):
            look_at(command.replace("…", ""))


def test_nothing_is_left_out_that_is_not_there() -> None:
    shown = {line for page in PAGES for block in blocks(page) if block.language == "sh" for line in lines(block)}
    shown |= {block.text.partition("\n")[0] for page in PAGES for block in blocks(page)}
    assert set(NOT_RUN) <= shown


def test_the_two_commands_for_a_newcomer() -> None:
    assert {line for block in blocks(README) for line in lines(block) if line.startswith("make ")} == {
        "make committee",
        "make test",
    }


def test_every_verb_is_in_the_table_and_every_verb_of_the_table_is_there() -> None:
    shown = set(re.findall(r"`toile ([a-z-]+)", README.read_text("utf-8")))
    assert shown == {name for name in cli.app if not name.startswith("-")}


def test_the_index_has_every_page() -> None:
    index = REPOSITORY / "docs" / "README.md"
    listed = re.findall(r"^\d+\. .*?\]\(([\w-]+\.md)\)", index.read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in PAGES if page not in (README, index))


def test_every_dependency_has_its_reason() -> None:
    project = PROJECT["project"]
    groups = [one for group in ("docs", "test") for one in PROJECT["dependency-groups"][group] if isinstance(one, str)]
    wanted = [*project["dependencies"], *groups, *PROJECT["build-system"]["requires"]]
    wanted += [one for extra in project["optional-dependencies"].values() for one in extra]
    rows = [
        row.split("|")[1] for row in (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8").splitlines() if row.startswith("|")
    ]
    named = {name for row in rows for name in re.findall(r"[\w-]+", row)}
    # tensorflow is tensorflow-cpu where there is no such package.
    assert {re.match(r"[\w-]+", one)[0] for one in wanted} - {"tensorflow"} <= named


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    for page in [*PAGES, REPOSITORY / "CONTRIBUTING.md"]:
        for link, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text("utf-8")):
            there = page.parent / link if link else page
            assert there.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in anchors(there), f"{page.name}: {link}#{anchor}"
