"""Runs: complete or not there; found by the beginning of their fingerprint; read as they were written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.store.fixture import DIGITS, FIRST, METRICS, OTHER, SECOND, fill, made
from toile.errors import Misuse, ToileError
from toile.store import atomic, garbage
from toile.store.checked import Damaged
from toile.store.run import FILES, MANIFEST, MODELS, Run
from toile.store.store import Store
from toile.store.usual import DEFAULT


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_store_is_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOILE_STORE", raising=False)
    assert Store.at().root == Path(DEFAULT)
    monkeypatch.setenv("TOILE_STORE", "elsewhere")
    assert Store.at().root == Path("elsewhere")
    assert Store.at("here").root == Path("here")


def test_a_store_that_is_only_asked_is_not_made(store: Store) -> None:
    assert (store.runs(), store.unfinished(), garbage.found(store), store.get(FIRST)) == ([], [], [], None)
    assert not store.root.exists()


@pytest.mark.parametrize("at", [".", "runs", "work"])
def test_a_store_that_cannot_be_written_to(tmp_path: Path, at: str) -> None:
    path = tmp_path / "store" / at
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file where a folder should be")
    store = Store(tmp_path / "store")
    with pytest.raises(ToileError, match=r"cannot write to the store .*store: (File exists|Not a directory)"):
        store.prepare()
    with pytest.raises(ToileError, match="cannot write"), store.claim(FIRST):
        pytest.fail("it was claimed")


# Commit


def test_a_committed_run_is_read_as_it_was_written(store: Store) -> None:
    run = made(store, FIRST)
    assert store.get(FIRST) == run == Run(store.root / "runs" / FIRST)
    assert run.fingerprint == FIRST
    assert run.trial["dataset"]["content"] == DIGITS
    assert run.metrics == METRICS
    assert run.provenance == {"threads": 1}
    assert run.history == [{"epoch": 1, "loss": 0.5, "seconds": 2}, {"epoch": 2, "loss": 0.25, "seconds": 1.5}]
    assert run.model_path.read_bytes() == b"weights"
    assert run.splits() == ("validation", "test")
    assert run.probabilities("test").shape == (3, 2)
    assert run.probabilities("validation").dtype == np.float32
    with pytest.raises(KeyError, match="has no split 'train'; it has validation, test"):
        run.probabilities("train")
    assert sorted(run.folder.iterdir()) == sorted([*run.files(), run.folder / MANIFEST])
    assert {path.name for path in run.files()} == set(run.manifest) == {*FILES, "model.keras"}


def test_nothing_of_the_work_stays_behind(store: Store) -> None:
    with store.claim(FIRST) as work:
        fill(work / "run")
        (work / "checkpoint.npz").write_bytes(b"x")
        store.commit(FIRST)
        # Until the claim ends the checkpoint is there: no moment has neither.
        assert (work / "checkpoint.npz").exists()
    assert store.unfinished() == []
    assert not work.exists()


@pytest.mark.parametrize("name", MODELS)
def test_a_run_has_one_model_of_whatever_kind(store: Store, name: str) -> None:
    with store.claim(FIRST) as work:
        fill(work / "run", but=("model.keras",))
        (work / "run" / name).write_bytes(b"weights")
        run = store.commit(FIRST)
    assert run.model_path.name == name and run.model_path in run.files()


@pytest.mark.parametrize("name", (*FILES, "model.keras"))
def test_an_incomplete_run_is_not_committed(store: Store, name: str) -> None:
    with store.claim(FIRST) as work:
        fill(work / "run", but=(name,))
        with pytest.raises(ToileError, match=f"run abcdef000000 is not complete: {name}.* missing in "):
            store.commit(FIRST)
    assert store.runs() == []
    assert list(store.runs_folder.iterdir()) == []
    assert store.unfinished() == [FIRST]


def test_an_error_names_all_missing_files(store: Store) -> None:
    with store.claim(FIRST), pytest.raises(ToileError, match=", ".join([*FILES, " or ".join(MODELS)])):
        store.commit(FIRST)


def test_what_does_not_belong_to_a_run_does_not_get_into_it(store: Store) -> None:
    with store.claim(FIRST) as work:
        fill(work / "run")
        (work / "run" / "metrics.json.123.tmp").write_text("{")
        (work / "run" / "left").mkdir()
        (work / "run" / "left" / "over").write_text("x")
        run = store.commit(FIRST)
    assert sorted(run.folder.iterdir()) == sorted([*run.files(), run.folder / MANIFEST])


@pytest.mark.parametrize(("place", "call"), [(os, "fsync"), (Path, "rename")])
def test_a_commit_that_fails_can_be_made_again(store: Store, monkeypatch: pytest.MonkeyPatch, place: object, call: str) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with store.claim(FIRST) as work:
        fill(work / "run")
        (work / "checkpoint.npz").write_bytes(b"x")
        with monkeypatch.context() as patch:
            patch.setattr(place, call, broken)
            with pytest.raises(OSError, match="No space left"):
                store.commit(FIRST)
        assert list(store.runs_folder.iterdir()) == []
    assert (work / "checkpoint.npz").exists()
    with store.claim(FIRST):
        assert store.commit(FIRST).metrics == METRICS
    assert [run.fingerprint for run in store.runs()] == [FIRST]
    assert store.unfinished() == []


def test_everything_reaches_the_disk_before_the_rename(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    rename, sync_file, sync_folder = Path.rename, atomic.sync_file, atomic.sync_folder
    monkeypatch.setattr(atomic, "sync_file", lambda path: (steps.append(path.name), sync_file(path)))
    monkeypatch.setattr(atomic, "sync_folder", lambda path: (steps.append(path.name), sync_folder(path)))
    with store.claim(FIRST) as work:
        fill(work / "run")
        steps.clear()
        monkeypatch.setattr(Path, "rename", lambda self, target: (steps.append("rename"), rename(self, target))[1])
        store.commit(FIRST)
    written = {*FILES, "model.keras"}
    assert set(steps[: len(written)]) == written
    assert steps[len(written) :] == ["run", "rename", "runs"]


def test_a_run_that_is_there_stays_as_it_is(store: Store) -> None:
    made(store, FIRST)
    with store.claim(FIRST) as work:
        fill(work / "run")
        (work / "run" / "model.keras").write_bytes(b"other weights")
        assert store.commit(FIRST).model_path.read_bytes() == b"weights"
    assert store.unfinished() == []


def test_work_that_was_cut_off_after_its_rename_is_cleaned_by_the_next_claim(store: Store) -> None:
    made(store, FIRST)
    store.work(FIRST).mkdir()
    (store.work(FIRST) / "checkpoint.npz").write_bytes(b"x")
    with store.claim(FIRST):
        pass
    assert store.unfinished() == []
    assert store.get(FIRST) is not None


# Finding


def test_a_run_is_found_by_the_beginning_of_its_fingerprint(store: Store) -> None:
    for fingerprint in (FIRST, SECOND, OTHER):
        made(store, fingerprint)
    assert store.find("123456").fingerprint == OTHER
    assert store.find("abcdef0").fingerprint == FIRST
    assert store.find(SECOND).fingerprint == SECOND
    with pytest.raises(Misuse, match=r"no single run 'abcdef' in .*: 2 runs begin so"):
        store.find("abcdef")
    for prefix in ("12345", "", "fedcba", OTHER + "0"):
        with pytest.raises(Misuse, match=f"no single run '{prefix}' in .*: at least 6 digits"):
            store.find(prefix)


def test_only_fingerprints_are_runs_in_their_order(store: Store) -> None:
    for fingerprint in (SECOND, OTHER, FIRST):
        made(store, fingerprint)
    (store.runs_folder / ".DS_Store").write_text("x")
    (store.runs_folder / "notes").mkdir()
    assert [run.fingerprint for run in store.runs()] == [OTHER, FIRST, SECOND]


def test_who_looks_for_long_sees_that_a_damaged_run_was_trained_anew(store: Store) -> None:
    """As a page does, which is open while it is set aside and made again."""
    before = made(store, FIRST)
    metrics = before.folder / "metrics.json"
    metrics.write_text("{}")
    assert store.sound(FIRST) is None and store.damaged(FIRST) is not None
    store.set_aside(before.folder, Damaged(metrics, "it is another"))
    assert store.damaged(FIRST) is None
    made(store, FIRST)
    assert store.sound(FIRST) is not None and store.damaged(FIRST) is None


def test_unfinished_work_is_no_run(store: Store) -> None:
    with store.claim(FIRST) as work:
        fill(work / "run")
        assert (store.get(FIRST), store.runs(), store.unfinished()) == (None, [], [FIRST])
    assert json.loads((work / "run" / "metrics.json").read_text()) == METRICS


def test_what_was_left_out_and_is_made_anew_is_left_out_no_longer(store: Store) -> None:
    """By who looks at a store for days, as `toile open` does."""
    run = made(store, FIRST)
    (run.folder / "history.csv").write_text("x")
    assert store.sound(FIRST) is None and store.damaged(FIRST) is not None
    store.set_aside(run.folder, run.damages()[0])
    assert store.sound(FIRST) is None and store.damaged(FIRST) is None
    made(store, FIRST)
    assert store.sound(FIRST) is not None and store.damaged(FIRST) is None


def other_disk() -> bool:
    return Path("/dev/shm").is_dir() and Path("/dev/shm").stat().st_dev != Path("/tmp").stat().st_dev


@pytest.mark.skipif(not other_disk(), reason="there is one file system alone")
def test_runs_on_another_disk_than_work_are_an_error_before_anything_is_made(store: Store, tmp_path: Path) -> None:
    store.root.mkdir()
    (store.root / "runs").symlink_to("/dev/shm")
    with pytest.raises(ToileError, match=r"renamed from .*work to .*runs: these are on two disks"):
        store.prepare()
