"""Damaged files under every verb: one that is damaged is named; what is about others goes on; nothing ends in a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.cli.fixture import TINY, stored_tiny
from toile import api, cli
from toile.runner import show
from toile.store import checked
from toile.store.run import FILES, MANIFEST
from toile.store.store import Store

FIRST, SECOND = f"{TINY}/perceptron", f"{TINY}/convolution"
VERBS = {
    "run": ["run", TINY], "plan": ["plan", TINY], "status": ["status", TINY, "--json"], "combine": ["combine", TINY],
    "report": ["report", TINY, "--json"], "compare": ["compare", FIRST, SECOND], "show": ["show", FIRST],
    "pack": ["pack", TINY, "{out}/runs.tar"], "gc": ["gc"], "check": ["check"],
    "ledger": ["ledger", "--results", "{out}/results", "--output", "{out}/ledger.md"],
}  # fmt: skip
DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"\x93\xff\x00garbage" + content[:3],
    "empty": lambda content: b"",
    "another type": lambda content: b'[{"a": 1}]',
    "one bit": lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored_tiny(tmp_path_factory.mktemp("whole") / "store").store.root


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(whole, tmp_path / "store")
    yield Store(tmp_path / "store")
    shutil.rmtree(tmp_path / "store")


def first(store: Store) -> Path:
    """The folder of the perceptron's run."""
    return store.runs_folder / next(one.fingerprint for one in api.plan(TINY, store=store.root).trials)


def toile(verb: str, store: Store, capsys: pytest.CaptureFixture) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a verb."""
    arguments = [str(one).replace("{out}", str(store.root.parent)) for one in VERBS[verb]]
    capsys.readouterr()
    checked._said.clear()  # as in a process of its own
    code = 0
    try:
        cli.main([*arguments, "--store", str(store.root)])
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


def test_all_verbs_over_what_is_whole(store: Store, capsys: pytest.CaptureFixture) -> None:
    for verb in VERBS:
        code, _, err = toile(verb, store, capsys)
        assert (verb, code) == (verb, 0), err
        assert "damaged" not in err and "left out" not in err


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [*FILES, "model.keras", MANIFEST])
def test_a_damaged_file_of_a_run_is_named_and_stops_no_verb_about_others(
    store: Store, name: str, damage: str, capsys: pytest.CaptureFixture
) -> None:
    folder = first(store)
    (folder / name).write_bytes(DAMAGES[damage]((folder / name).read_bytes()))
    noticed = {"check", "pack"}  # which read everything
    if name != "model.keras":
        noticed |= {"combine", "report", "compare"}  # which read probabilities
    if name not in ("model.keras", "probabilities.npz"):
        noticed |= {"run", "status", "show", "plan"}
    if name in ("trial.json", MANIFEST):
        noticed |= {"gc"}
    for verb in ("status", "combine", "compare", "show", "run", "pack", "check", "gc", "plan"):
        code, out, err = toile(verb, store, capsys)
        about = verb in ("compare", "show", "check", "run") and verb in noticed
        # There is no committee without it; that is no failure of the store.
        assert (verb, code) == (verb, int(about or (verb == "combine" and verb in noticed)))
        assert (verb, f"{folder.name[:12]}" in err + out and name in err + out) == (verb, verb in noticed)
        assert "Traceback" not in err


@pytest.mark.parametrize("name", [*FILES, "model.keras", MANIFEST])
def test_reports_leave_a_damaged_run_out(store: Store, name: str, capsys: pytest.CaptureFixture) -> None:
    folder = first(store)
    shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    (folder / name).mkdir()  # a folder in the file's place
    code, out, _ = toile("report", store, capsys)
    trials = {one["name"]: one["status"] for one in json.loads(out)["trials"]}
    expected = "stored" if name == "model.keras" else "damaged"
    assert (code, trials) == (0, {"perceptron": expected, "convolution": "stored", "perceptron again": expected})
    assert toile("ledger", store, capsys)[0] == 0


def test_metrics_that_were_edited_are_shown_nowhere(store: Store, capsys: pytest.CaptureFixture) -> None:
    path = first(store) / "metrics.json"
    figures = json.loads(path.read_text())
    figures["test"]["accuracy"] = 0.987654
    path.write_text(json.dumps(figures, indent=1))
    for verb in ("status", "combine", "report", "show"):
        _, out, err = toile(verb, store, capsys)
        assert "0.987" not in out + err
    found = show.status(api.plan(TINY, fresh=False, store=store.root))
    assert (found["damaged"], found["stored"]) == (2, 1)


def test_what_is_damaged_is_set_aside_and_trained_anew(store: Store, capsys: pytest.CaptureFixture) -> None:
    folder, content = first(store), b"not what was written"
    (folder / "history.csv").write_bytes(content)
    code, _, err = toile("run", store, capsys)
    assert code == 1 and "history.csv is damaged" in err and "`toile check --repair` sets the run aside" in err
    with pytest.raises(SystemExit) as end:
        cli.main(["check", "--repair", "--store", str(store.root)])
    out, err = capsys.readouterr()
    assert end.value.code == 1 and f"damaged: {folder}/history.csv: its SHA-256" in out and "is in" in out
    there = store.damaged_folder / "runs" / folder.name
    assert (there / "history.csv").read_bytes() == content and not folder.exists()
    assert "history.csv is damaged" in there.with_name(f"{there.name}.why.txt").read_text()
    assert toile("check", store, capsys)[0] == 0
    assert [one.name for one in api.plan(TINY, store=store.root).pending()] == ["perceptron"]


# Data sets


def test_a_damaged_data_set_is_never_trained_on(
    store: Store, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the labels changed, and a run missing: it is read anew from where it came from, and the other is set aside."""
    plan = api.plan(TINY, store=store.root)
    data, path = store.data_folder / plan.dataset.content, store.data_folder / plan.dataset.content / "train-labels.npy"
    labels = np.load(path)
    np.save(path, np.where(np.arange(len(labels)) % 2, labels, (labels + 1) % 10))
    shutil.rmtree(first(store))
    seen = []
    monkeypatch.setattr(
        "toile.runner.run.execute", lambda jobs, store, place, tell, **_: seen.append(store.dataset(plan.dataset.content)) or {}
    )
    code, _, err = toile("run", store, capsys)
    assert code == 0 and "train-labels.npy is not what was kept" in err and "1 to train, 1 stored already" in err
    np.testing.assert_array_equal(seen[0].train.labels, labels)
    assert [one.name for one in (store.damaged_folder / "data").iterdir() if one.is_dir()] == [data.name]
    assert toile("check", store, capsys)[0] == 0


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["train-images.npy", "test-labels.npy", "dataset.json", "../asked.json"])
def test_damage_of_a_data_set_changes_no_figure(
    store: Store, name: str, damage: str, capsys: pytest.CaptureFixture
) -> None:  # fmt: skip
    expected = toile("status", store, capsys)[1]
    path = store.data_folder / api.plan(TINY, store=store.root).dataset.content / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    for verb in ("status", "combine", "check", "gc"):
        code, out, err = toile(verb, store, capsys)
        assert (verb, code) == (verb, int(verb == "check"))
        assert verb != "status" or out == expected
        assert (verb, path.name in err + out or "is not what was kept" in err) == (verb, verb != "gc")
    code, _, err = toile("compare", store, capsys)
    assert code == (0 if path.name == "asked.json" else 1) and "Traceback" not in err


# The store itself


def test_a_store_that_is_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store = Store(tmp_path / "store")
    store.root.write_text("x")
    for verb in VERBS:
        code, out, err = toile(verb, store, capsys)
        assert (verb, code, out) == (verb, 1, "")
        assert err == f"toile: {store.root} is no store: a folder is wanted, and it is a file\n"


def test_a_store_that_may_only_be_read_is_read(
    store: Store, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only file system, where every opening for writing and every new name is refused. Who reads, reads."""

    def refuse(self: Path, *arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    def open_(self: Path, mode: str = "r", *arguments: object, **options: object) -> object:
        return (refuse if set(mode) & set("wax+") else opened)(self, mode, *arguments, **options)

    def low(path: str, flags: int, *arguments: object, **options: object) -> int:
        return (refuse if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else opened_low)(path, flags, *arguments, **options)

    opened, opened_low = Path.open, os.open
    store.work("0" * 64).mkdir()
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "open", open_)
    monkeypatch.setattr(os, "open", low)  # by which locks are opened
    for verb in ("plan", "status", "combine", "report", "compare", "show", "check", "gc"):
        assert (verb, toile(verb, store, capsys)[0]) == (verb, 0)
    for verb in ("run", "pack", "ledger"):
        code, _, err = toile(verb, store, capsys)
        assert (verb, code) == (verb, 1) and "Read-only file system" in err and err.count("\n") <= 2


def test_a_run_that_may_not_be_read_stops_nobody_else(
    store: Store, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of another user, in a folder that this one may not enter: even whether a file is there is not told."""
    folder, stat = first(store), Path.stat

    def stat_(self: Path, **options: object) -> os.stat_result:
        if self.parent == folder:
            raise PermissionError(13, "Permission denied", str(self))
        return stat(self, **options)

    monkeypatch.setattr(Path, "stat", stat_)
    for verb in VERBS.keys() - {"ledger"}:  # which asks for other studies
        code, _, err = toile(verb, store, capsys)
        assert (verb, code) == (verb, int(verb in ("run", "combine", "compare", "show", "check")))
        if verb not in ("gc", "check"):
            assert (
                f"{folder.name}/manifest.json is damaged: it cannot be read: Permission denied; it has to be made readable"
                in err
            )
        assert "--repair" not in err and "Traceback" not in err
    assert folder.is_dir()
