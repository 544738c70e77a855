"""`toile check`: everything that a store has is looked at; what is damaged is named file by file, and set aside on demand."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.cli.fixture import stored_tiny
from tests.store.test_claim import holder
from tests.training.fixture import dataset, make_store, make_trial
from toile import api
from toile.store import check as checks
from toile.store import sealed
from toile.store.check import Checked
from toile.store.checked import Damaged
from toile.store.run import MANIFEST, Run
from toile.store.store import Store

WEIGHTS = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two runs, a data set, weights, features and a checkpoint."""
    store = stored_tiny(tmp_path / "store").store
    weights = tmp_path / "weights"
    weights.write_bytes(b"weights")
    store.keep_weights(weights, WEIGHTS)
    with sealed.writing(store.features("k" * 64, "f" * 64) / "features.npy") as file:
        np.save(file, np.ones((3, 2), np.float32))
    with store.claim("c" * 64) as work, sealed.writing(work / "checkpoint.npz") as file:
        file.write(b"weights and optimizer")
    return store


def damaged(store: Store, *, repair: bool = False) -> list[Checked]:
    return [one for one in api.check(store=store.root, repair=repair) if one.state == "damaged"]


def test_what_is_whole_is_sound(store: Store) -> None:
    found = api.check(store=store.root)
    assert {one.state for one in found} == {"sound"}
    assert sorted(one.kind for one in found) == ["data set", "features", "record", "run", "run", "weights", "work"]
    assert api.check(store=store.root.parent / "none") == []


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("run", "runs/*/model.keras"), ("run", "runs/*/manifest.json"), ("data set", "data/*/test-labels.npy"),
        ("data set", "data/*/dataset.json"), ("weights", "weights/*.h5"), ("features", "features/*/features.npy"),
        ("work", "work/*/checkpoint.npz"), ("record", "data/asked.json"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_named_and_set_aside(store: Store, kind: str, pattern: str) -> None:
    path = sorted(store.root.glob(pattern))[0]
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    (found,) = damaged(store)
    assert (found.kind, found.done) == (kind, "") and path.name in str(found.damages[0])
    assert path.exists(), "it only looks"
    (found,) = damaged(store, repair=True)
    there = store.damaged_folder / found.path.parent.name / found.path.name
    assert found.done == f"it is in {there} now" and there.exists() and not path.exists()
    assert there.with_name(f"{there.name}.why.txt").read_text() == f"{found.damages[0]}\n"
    assert damaged(store) == []


def test_every_damaged_file_of_a_run_is_named(store: Store) -> None:
    folder = store.runs()[0].folder
    for name in ("history.csv", "model.keras", "probabilities.npz"):
        (folder / name).write_bytes(b"x")
    (folder / "provenance.json").unlink()
    (found,) = damaged(store)
    assert {error.path.name for error in found.damages} == {
        "history.csv",
        "model.keras",
        "probabilities.npz",
        "provenance.json",
    }


def test_what_is_set_aside_twice_is_kept_twice(store: Store) -> None:
    for number in range(2):
        path = store.root / "data" / "asked.json"
        path.write_text(f"{number}")
        damaged(store, repair=True)
    assert sorted(path.name for path in (store.damaged_folder / "data").iterdir()) == [
        "asked.json", "asked.json.2", "asked.json.2.why.txt", "asked.json.why.txt",
    ]  # fmt: skip


def test_what_somebody_works_on_is_left_alone(store: Store) -> None:
    folder = store.runs()[0].folder
    (folder / "history.csv").write_text("x")
    (store.work("c" * 64) / "checkpoint.npz").write_text("half")
    with holder(store, folder.name) as one, holder(store, "c" * 64) as other:
        assert one.stdout.readline() == other.stdout.readline() == "held\n"
        (found,) = damaged(store, repair=True)
    assert (found.path, found.done) == (folder, "somebody works there; it was left alone")


def test_what_may_not_be_read_is_no_reason_to_move_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run, read = store.runs()[0], Path.read_bytes

    def refused(self: Path) -> bytes:
        if self.name == "history.csv" and self.parent == run.folder:
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refused)
    (found,) = damaged(store, repair=True)
    assert "history.csv is damaged: it cannot be read: Permission denied" in str(found.damages[0])
    assert found.done == "it may not be read; it was left alone" and run.folder.is_dir()


# Runs of before manifests


@pytest.fixture
def earlier(tmp_path: Path) -> Store:
    """Two runs without manifests, whose models are zip files, as Keras's are."""
    store = stored_tiny(tmp_path / "earlier", manifests=False).store
    for run in store.runs():
        np.savez(run.folder / "model", weights=np.arange(100))
        (run.folder / "model.npz").replace(run.folder / "model.keras")
    return store


def test_a_run_of_before_manifests_is_unchecked_until_one_is_written(earlier: Store) -> None:
    for repair in (False, True):
        unchecked = [one for one in api.check(store=earlier.root, repair=repair) if one.state == "unchecked"]
        assert [one.path for one in unchecked] == [run.folder for run in earlier.runs()]
        assert {one.unchecked for one in unchecked} == {"it is of before manifests; its metrics are those of its probabilities"}
        assert {one.done for one in unchecked} == {"a manifest of what it is now was written" if repair else ""}
    assert {one.state for one in api.check(store=earlier.root)} == {"sound"}
    assert all((run.folder / MANIFEST).is_file() for run in earlier.runs())


@pytest.mark.parametrize("what", ["accuracy", "confusion_matrix", "trial", "model", "probabilities"])
def test_a_run_of_before_manifests_that_contradicts_itself_is_damaged(earlier: Store, what: str) -> None:
    first, second = earlier.runs()
    name = "metrics.json"
    if what in ("accuracy", "confusion_matrix"):
        figures = json.loads((first.folder / name).read_text())
        if what == "accuracy":
            figures["test"]["accuracy"] -= 0.01
        else:
            figures["validation"]["confusion_matrix"][0][0] += 1
        (first.folder / name).write_text(json.dumps(figures))
    elif what == "probabilities":  # of another run, of the same shape: the metrics are not theirs
        (first.folder / "probabilities.npz").write_bytes((second.folder / "probabilities.npz").read_bytes())
    elif what == "trial":
        name = "trial.json"
        (first.folder / name).write_bytes((second.folder / name).read_bytes())
    else:
        name = "model.keras"
        whole = bytearray((first.folder / name).read_bytes())
        whole[200] ^= 1
        (first.folder / name).write_bytes(whole)
    (found,) = damaged(earlier)
    assert found.path == first.folder and {error.path.name for error in found.damages} == {name}


def test_without_its_data_set_metrics_are_not_computed_again(earlier: Store) -> None:
    for path in earlier.data_folder.glob("*/*"):
        path.unlink()
    for path in earlier.data_folder.glob("*/"):
        path.rmdir()
    (why,) = {one.unchecked for one in api.check(store=earlier.root)} - {""}
    assert "its metrics were not computed again: the store" in why and "has no data set" in why


def test_features_of_before_hashes_are_unchecked(store: Store) -> None:
    np.save(store.features_folder / ("k" * 64) / "features.npy", np.ones((3, 2), np.float32))
    (found,) = [one for one in api.check(store=store.root) if one.kind == "features"]
    assert (found.state, found.unchecked) == ("unchecked", "they are of before features had a hash")


# Where each is believed


def test_weights_are_hashed_before_they_are_used_and_kept_anew(store: Store, tmp_path: Path) -> None:
    path = store.weights(WEIGHTS)
    path.write_bytes(b"Weights")
    with pytest.raises(Damaged, match=r"weights\.h5 is damaged: its SHA-256"):
        store.weights(WEIGHTS)
    store.keep_weights(tmp_path / "weights", WEIGHTS)
    assert store.weights(WEIGHTS).read_bytes() == b"weights"
    assert len(list((store.damaged_folder / "weights").glob("*.h5"))) == 1


def test_a_model_is_hashed_before_it_is_loaded(store: Store) -> None:
    run = store.runs()[0]
    (run.folder / "model.keras").write_bytes(b"another")
    with pytest.raises(Damaged, match=r"model\.keras is damaged: its SHA-256"):
        _ = Run(run.folder).model


def test_a_data_set_is_hashed_once_in_a_process_and_again_when_a_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, hashed = make_store(tmp_path / "store"), []
    opened = type(dataset()).open
    monkeypatch.setattr(
        type(dataset()), "open", lambda folder, verify=False: (hashed.append(verify), opened(folder, verify=verify))[1]
    )
    trial = make_trial()
    for _ in range(3):
        store.dataset(trial.dataset.content)
    path = store.data_folder / trial.dataset.content / "train-labels.npy"
    labels = np.load(path)
    np.save(path, labels[::-1])
    with pytest.raises(Damaged, match=r"train-labels\.npy is not what was kept"):
        store.dataset(trial.dataset.content)
    np.save(path, labels)
    store.dataset(trial.dataset.content)
    assert hashed == [True, False, False, True, True]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(store: Store) -> None:
    for pattern in (
        "runs/*/history.csv", "runs/*/model.keras", "runs/*/manifest.json", "runs/*/probabilities.npz", "data/asked.json",
        "data/*/train-labels.npy", "data/*/dataset.json", "weights/*.h5", "features/*/features.npy", "work/*/checkpoint.npz",
    ):  # fmt: skip
        for path in sorted(store.root.glob(pattern))[:1]:
            path.unlink()
            os.mkfifo(path)
    found = api.check(store=store.root, repair=True)
    assert {one.kind for one in found if one.state == "damaged"} == {one.kind for one in found}
    assert all("it is in" in one.done for one in found if one.state == "damaged")


def test_two_who_repair_at_once_set_each_thing_aside_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for pattern in ("runs/*/model.keras", "data/*/test-labels.npy"):
        sorted(store.root.glob(pattern))[0].write_bytes(b"x")
    look, found = checks._run, []

    def first(*arguments: object) -> Checked:
        """As the one who comes second sees it: all was damaged, and another sets it aside."""
        seen = look(*arguments)
        if seen.damages and not found:
            found.append(None)
            found.extend(damaged(store, repair=True))
        return seen

    monkeypatch.setattr(checks, "_run", first)
    assert damaged(store, repair=True) == [] and len(found) == 3
    assert len([path for path in store.damaged_folder.glob("*/*") if path.name.endswith(".why.txt")]) == 2


def test_what_cannot_be_set_aside_is_said_and_stops_nobody_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = store.runs()
    for run in (first, second):
        (run.folder / "history.csv").write_text("x")
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self == first.folder:
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    found = {one.path: one.done for one in damaged(store, repair=True)}
    assert found[first.folder] == f"it was left alone: cannot read or write {first.folder}: Permission denied"
    assert "it is in" in found[second.folder] and first.folder.is_dir() and not second.folder.exists()
    assert len(list(store.damaged_folder.glob("runs/*.why.txt"))) == 1
