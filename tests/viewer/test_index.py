"""The table of all runs: each read once, and again when it was touched; a cache that is broken is only slower."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.cli.fixture import stored_tiny
from tests.viewer.fixture import everything
from toile.store import checked
from toile.viewer import index
from toile.viewer.index import COLUMNS, Index, words


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return stored_tiny(tmp_path_factory.mktemp("tiny") / "store")


@pytest.fixture
def plan(tiny, tmp_path):
    """The plan, and its store copied: a test may break it."""
    shutil.copytree(tiny.store.root, tmp_path / "store")
    return type(tiny.store)(tmp_path / "store")


def table(found: Index) -> list[dict]:
    rows, left = found.look()
    assert left == 0
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def test_a_row_says_what_the_run_says(tiny, tmp_path):
    rows = {row["fingerprint"]: row for row in table(Index(tiny.store, tmp_path / "rows.json"))}
    assert set(rows) == {one.fingerprint for one in tiny.trials}
    for one in tiny.trials:
        run, row = tiny.run_of(one), rows[one.fingerprint]
        assert row["test_accuracy"] == run.metrics["test"]["accuracy"]
        assert row["validation_loss"] == run.metrics["validation"]["loss"]
        assert (row["architecture"], row["batch_size"], row["seed"]) == (one.trial.architecture.name, 64, 0)
        assert (row["optimizer"], row["learning_rate"], row["seconds"]) == ("adam", 0.001, 3.0)
        assert (row["state"], row["parameters"], row["fold"]) == ("stored", 1000, None)


def test_a_run_is_read_once(tiny, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(index, "row_of", lambda run, made=index.row_of: read.append(run.fingerprint) or made(run))
    first = Index(tiny.store, tmp_path / "rows.json")
    assert table(first) == table(first)
    assert len(read) == 2
    assert table(Index(tiny.store, tmp_path / "rows.json")) == table(first), "from the file, in another process"
    assert len(read) == 2


@pytest.mark.parametrize("content", ["", "no JSON", "{}", '{"rows": 3}', '{"revision": 1, "columns": [], "rows": []}'])
def test_a_cache_that_is_something_else_is_made_anew(tiny, tmp_path, content):
    path = tmp_path / "rows.json"
    path.write_text(content)
    assert len(table(Index(tiny.store, path))) == 2
    assert checked.read_json(path)[1]


def test_one_that_was_tampered_with_is_not_believed(tiny, tmp_path):
    path = tmp_path / "rows.json"
    honest = table(Index(tiny.store, path))
    said = json.loads(path.read_text())
    said["rows"][0][1][COLUMNS.index("test_accuracy")] = 1.0
    path.write_text(json.dumps(said))
    assert table(Index(tiny.store, path)) == honest


def test_what_is_gone_or_damaged_since_is_seen(plan, tmp_path):
    found = Index(plan, tmp_path / "rows.json")
    first, second = (row["fingerprint"] for row in table(found))
    metrics = plan.runs_folder / first / "metrics.json"
    metrics.write_bytes(metrics.read_bytes().replace(b"accuracy", b"akkuracy"))
    shutil.rmtree(plan.runs_folder / second)
    (row,) = table(found)
    assert (row["fingerprint"], row["state"], row["test_accuracy"]) == (first, "damaged", None)


def test_a_large_store_is_read_a_slice_at_a_time(tiny, tmp_path):
    found = Index(tiny.store, tmp_path / "rows.json")
    rows, left = found.look(seconds=0)
    assert (len(rows), left) == (1, 1), "one at least, so that it ends"
    rows, left = found.look(seconds=0)
    assert (len(rows), left) == (2, 0)


def test_a_store_that_is_not_there_is_empty_and_stays_so(tmp_path):
    from toile.viewer.looking import Looking

    assert Index(Looking(tmp_path / "none"), tmp_path / "rows.json").look() == ([], 0)
    assert not (tmp_path / "none").exists()


def test_nothing_is_written_into_the_store(plan, tmp_path):
    before = everything(plan.root)
    table(Index(plan, tmp_path / "rows.json"))
    assert everything(plan.root) == before


def test_options_in_a_line():
    assert words({"filters": [32, 64], "dense_dropout": 0.5, "pool": None, "l2": 0.0}) == "filters 32-64, dense dropout 0.5"
