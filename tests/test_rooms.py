"""The rules of the house that a machine can check: rooms, what may import what, sizes, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import toile

SOURCE = Path(toile.__file__).parent
# In the order in which the work flows; a room imports only from rooms above it.
ROOMS = (
    "study", "pictures", "data", "store", "evaluation", "committee", "models", "training", "inference", "workers", "runner",
    "search", "trackers", "reports", "serving", "studies", "drafts", "viewer",
)  # fmt: skip
# What is no room: the entries, which import from all, and the ground, which all import from.
ENTRIES = ("api", "estimators", "cli")
GROUND = {"arrays", "errors", "terminal", "text", "version"}
# Only these rooms import what trains.
WITH_KERAS = {"models", "training", "inference", "workers"}
TRAINERS = {"keras", "tensorflow", "jax", "torch"}
FILES = sorted(SOURCE.rglob("*.py"))
OURS = set(FILES)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names if node.module == "toile"}
    return found


def neighbours(path: Path) -> set[Path]:
    """Every file of ours that a file takes something from, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    named = [(name.name, "") for node in nodes if isinstance(node, ast.Import) for name in node.names]
    named += [(str(node.module), name.name) for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names]
    found = set()
    for module, name in named:
        place = SOURCE.parent.joinpath(*module.split("."))
        # A module of the package, or what is defined in it.
        files = (place / f"{name}.py", place / name / "__init__.py", place.with_suffix(".py"), place / "__init__.py")
        found.add(next((file for file in files if file in OURS), path))
    return found - {path}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_from_rooms_above(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    if room not in ROOMS:
        assert path.parent == SOURCE or room in ENTRIES, f"{room} is no room"
        return
    allowed = {*ROOMS[: ROOMS.index(room) + 1], *GROUND}
    inside = {name.split(".")[1] for name in imports(path) if name.startswith("toile.")}
    assert inside <= allowed, f"{room} imports from below: {sorted(inside - allowed)}"
    assert "toile" not in imports(path), f"{room} imports the whole program"


def test_no_files_import_each_other() -> None:
    """Not in a circle of several either, nor inside a function: what two files need of each other belongs into a third."""
    order = TopologicalSorter({path: neighbours(path) for path in FILES})
    try:
        order.prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(str(path.relative_to(SOURCE)) for path in error.args[1]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_four_rooms_import_a_trainer(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] not in WITH_KERAS:
        assert not {name.split(".")[0] for name in imports(path)} & TRAINERS


def test_no_file_is_two() -> None:
    sizes = {str(path.relative_to(SOURCE)): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert not {name: lines for name, lines in sizes.items() if lines > 300}


def test_no_room_is_a_crowd() -> None:
    """No room has more than a fifth of the lines."""
    lines = Counter()
    for path in FILES:
        lines[path.relative_to(SOURCE).parts[0]] += len(path.read_text("utf-8").splitlines())
    room, most = lines.most_common(1)[0]
    assert most <= lines.total() / 5, f"{room} has {most} of {lines.total()} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_signatures_are_formatted(path: Path) -> None:
    """Tables of data may be kept from the formatter; a signature is read by everybody, and looks as everywhere."""
    text = path.read_text("utf-8")
    lines = text.splitlines()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    heads = [(node.name, "\n".join(lines[node.lineno - 1 : node.body[0].lineno - 1])) for node in functions]
    assert not [name for name, head in heads if "fmt: skip" in head or "fmt: off" in head]


def test_no_room_without_a_noun() -> None:
    assert not [path.name for path in FILES if path.stem in {"utils", "helpers", "common", "misc", "manager"}]


@pytest.mark.parametrize("verb", [["--help"], ["list"], ["plan", "committee", "--dataset", "digits"]])
def test_the_parent_never_imports_a_trainer(verb: list[str], tmp_path: Path) -> None:
    script = (
        "import sys; from toile.cli import main; main(sys.argv[1:]); "
        f"loaded = set(sys.modules) & {TRAINERS}; assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", script, *verb], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
