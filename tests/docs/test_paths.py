"""What the pages and docstrings name is there: files, folders, modules and what is in them, and the rooms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import toile
from tests.docs.test_docs import PAGES, REPOSITORY, name_of
from tests.test_rooms import ENTRIES, ROOMS, WITH_KERAS

SOURCE = Path(toile.__file__).parent
CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"
ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"
TEXTS = [*PAGES, CONTRIBUTING, REPOSITORY / "CHANGELOG.md", *sorted(SOURCE.rglob("*.py"))]
# The folders that a path in a text may start from, and the first folders by which it is known to be one of the repository.
STARTS = (REPOSITORY, SOURCE)
FOLDERS = ("src", "tests", "docs", "benchmarks", *ROOMS, *ENTRIES)


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`\s]+)`", text))


def paths(text: str) -> set[str]:
    """Files and folders of the repository: `src/…`, `models/layers.py`, `models/architectures/`, `cnn.py`."""
    starting = "|".join(FOLDERS)
    inside = re.compile(rf"(?:{starting})(?:/[\w*.-]+)*(?:/|/[\w*.-]+\.\w+)")
    return {name for name in quoted(text) if inside.fullmatch(name) or re.fullmatch(r"\w+\.py", name)}


def modules(text: str) -> set[str]:
    """`toile.study.trial`, `toile.run`."""
    return {name for name in quoted(text) if re.fullmatch(r"toile(?:\.\w+)+", name) and not name.endswith((".json", ".toml"))}


def is_there(path: str, page: Path) -> bool:
    pattern = path.strip("/").replace("NAME", "*")
    if "/" not in path:
        # Or a file that the page itself makes.
        return any(SOURCE.rglob(path)) or any(REPOSITORY.glob(f"*/**/{path}")) or f"/{path}\n" in page.read_text("utf-8")
    return any(any(start.glob(pattern)) for start in STARTS)


def exists(module: str) -> bool:
    """Whether it is a module, or a name in one."""
    *parts, last = module.split(".")[1:]
    for parent, name in (((*parts, last), None), (tuple(parts), last)):
        place = SOURCE.joinpath(*parent)
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file() and (name is None or re.search(rf"\b{name}\b", file.read_text("utf-8"))):
                return True
    # A method or a field: the class is looked for in the module before it.
    return bool(parts) and parts[-1][:1].isupper() and exists(".".join(["toile", *parts]))


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_what_a_text_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not {path for path in paths(text) if not is_there(path, page)}
    assert not {name for name in modules(text) if not exists(name)}


def test_the_check_sees_what_is_missing() -> None:
    text = "`src/toile/nowhere.py`, `models/nothing/`, `cnn.py`, `models/layers.py`, `benchmarks/NAME.py`, `data`"
    assert paths(text) == {"src/toile/nowhere.py", "models/nothing/", "cnn.py", "models/layers.py", "benchmarks/NAME.py"}
    assert {path for path in paths(text) if not is_there(path, ARCHITECTURE)} == {"src/toile/nowhere.py", "models/nothing/"}
    assert not exists("toile.gone.x") and not exists("toile.study.trial.Nothing")
    assert exists("toile.study.trial") and exists("toile.store.store.Store.claim") and exists("toile.run")


@pytest.mark.parametrize("page", [CONTRIBUTING, ARCHITECTURE], ids=name_of)
def test_the_tables_of_rooms_are_those_of_the_house(page: Path) -> None:
    rows = re.findall(r"^\| `(\w+)`( \*)? \|", page.read_text("utf-8"), re.MULTILINE)
    assert tuple(room for room, _ in rows) == ROOMS
    assert {room for room, star in rows if star} == WITH_KERAS
