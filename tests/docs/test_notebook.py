"""`docs/notebook.ipynb` runs as it stands there, cell by cell, and what it shows is shown as in a notebook."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.docs.test_docs import REPOSITORY, Here
from tests.training.fixture import elsewhere
from toile.runner import cell
from toile.runner import run as runs

NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"


def cells() -> list[dict[str, Any]]:
    return json.loads(NOTEBOOK.read_text("utf-8"))["cells"]


def carried_out(source: str, names: dict[str, Any]) -> Any:
    """What a cell's last expression is, None where it ends otherwise."""
    *first, last = ast.parse(source).body
    shown = isinstance(last, ast.Expr) and not source.rstrip().endswith(";")
    exec(compile(ast.Module(first if shown else [*first, last], []), "a cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "a cell", "eval"), names) if shown else None  # type: ignore[union-attr]


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(int)  # starts the process that forks, before the folder is another one
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOILE_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(runs, "Local", Here)
    drawn: list[str] = []
    monkeypatch.setattr(cell, "place", lambda: drawn.append)
    names: dict[str, Any] = {}
    shown = [carried_out("".join(one["source"]), names) for one in cells() if one["cell_type"] == "code"]
    html = [one._repr_html_() for one in shown if hasattr(one, "_repr_html_")]
    assert [type(one).__name__ for one in shown if hasattr(one, "_repr_html_")] == [
        "Plan", "StudyResults", "Committees", "Comparison", "Run",
    ]  # fmt: skip
    assert all('<div class="toile">' in one for one in html)
    assert "3 of 3 ended" in drawn[-1] and not any("\x1b" in one for one in drawn)
    assert len(names["trained"]) == 3 and shown[-1].is_file()


def test_it_has_no_outputs_and_the_form_of_a_notebook() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert all(not one.get("outputs") and one.get("execution_count") is None for one in notebook["cells"])
    ids = [one["id"] for one in notebook["cells"]]
    assert len(set(ids)) == len(ids)
