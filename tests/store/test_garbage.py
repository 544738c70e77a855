"""Garbage: what no claim and no hold covers and no run needs. Every way in which a cleaning and a beginning can meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest

from tests.runner.fixture import Pretenders, by_name, four
from tests.store.fixture import DIGITS, FIRST, OTHER, SECOND, fill, made
from tests.store.test_claim import holder, is_free
from tests.training.fixture import make_store, make_trial
from toile.data.dataset import Dataset, Images
from toile.runner.executors.local import Local
from toile.runner.run import run
from toile.store import garbage
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec

NEEDS = {"dataset": {"content": DIGITS}, "architecture": {}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def dataset() -> Dataset:
    return Dataset("made", Images(np.zeros((2, 1, 1, 1), np.uint8), np.zeros(2, np.int64)), None, ("one",))


def keep(store: Store) -> Path:
    """A data set in the store, and where it is."""
    store.prepare()
    store.keep(dataset(), DatasetSpec(name="digits"))
    return store.data_folder / dataset().content


def at_work(store: Store, fingerprint: str, **needs: object) -> None:
    """As a worker writes it when it has its claim."""
    (store.work(fingerprint) / "trial.json").write_text(json.dumps({**NEEDS, **needs}))


def in_thread(work: Callable[[], object]) -> Thread:
    thread = Thread(target=work)
    thread.start()
    return thread


# What is garbage


def test_garbage_is_what_nobody_holds_and_no_run_needs(store: Store) -> None:
    made(store, FIRST)
    with store.claim(OTHER):
        pass
    unused = keep(store)
    (store.data_folder / DIGITS).mkdir()  # what the run was trained on
    with holder(store, SECOND) as process:
        process.stdout.readline()
        at_work(store, SECOND)
        assert garbage.found(store) == [store.work(OTHER), unused]


def test_what_a_killed_process_left_half_written_is_garbage_though_a_run_needs_the_whole(store: Store) -> None:
    made(store, FIRST)
    whole, part = store.data_folder / DIGITS, store.data_folder / f".{DIGITS}.0123456789ab"
    for folder in (whole, part):
        folder.mkdir(parents=True)
        (folder / "train-labels.npy").touch()
    torn = [store.data_folder / "asked.json.0123456789ab.tmp", store.weights_folder / "w.weights.h5.0123456789ab.tmp"]
    for path in torn:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    trial = make_trial().model_copy(update={"dataset": make_trial().dataset.model_copy(update={"content": DIGITS})})
    with store.hold([trial]):
        assert part not in garbage.found(store), "it may be written now"
    assert garbage.remove(store) == [part, *torn]
    assert whole.is_dir()


def test_data_that_is_being_trained_on_is_no_garbage(store: Store) -> None:
    (store.data_folder / DIGITS).mkdir(parents=True)
    with holder(store) as process:
        process.stdout.readline()
        at_work(store, FIRST)
        assert garbage.found(store) == []
        process.communicate()
    assert garbage.found(store) == [store.work(FIRST), store.data_folder / DIGITS]


def test_features_and_weights_of_no_run_are_garbage(store: Store) -> None:
    made(store, FIRST)
    features = [store.features(name, of) for name, of in (("begun", SECOND), ("left", OTHER), ("used", FIRST))]
    for content in ("begun", "left"):
        store.weights_path(content).write_bytes(b"x")
    (store.weights_folder / "begun.weights.h5.123.tmp").write_bytes(b"being written")
    with holder(store, SECOND) as process:
        process.stdout.readline()
        at_work(store, SECOND, architecture={"weights": "begun"})
        assert garbage.remove(store) == [store.weights_path("left"), features[1]]
        assert garbage.found(store) == []
    assert [folder.is_dir() for folder in features] == [True, False, True] and store.weights_path("begun").is_file()


def test_a_data_set_that_is_being_written_is_the_one_it_becomes(store: Store) -> None:
    made(store, FIRST)
    for content in (DIGITS, "e" * 64):
        (store.data_folder / f".{content}.abc123").mkdir()
    assert garbage.found(store) == [store.data_folder / f".{'e' * 64}.abc123"]


def test_garbage_is_removed_and_runs_stay(store: Store) -> None:
    kept = made(store, FIRST)
    with store.claim(OTHER) as work:
        (work / "checkpoint.npz").write_bytes(b"x")
    unused = keep(store)
    assert garbage.remove(store) == [store.work(OTHER), unused]
    assert garbage.found(store) == []
    assert [path.name for path in store.data_folder.iterdir()] == ["asked.json"]
    assert store.unfinished() == [] and list(store.trash_folder.iterdir()) == []
    assert store.runs() == [kept] and kept.damages() == []
    assert is_free(store, OTHER)


def test_what_may_only_be_read_is_listed_as_what_may_be_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [make_trial(seed=seed) for seed in range(3)]
    held, claimed, left = (one.fingerprint for one in trials)
    store.prepare()
    store.claims.holds_folder.mkdir()
    (store.claims.holds_folder / "dead.json").write_text(json.dumps({left: NEEDS}))  # whose holder was killed
    for name in ("dead.lock", f"../work/{left}.lock"):
        (store.claims.holds_folder / name).touch()
    with store.hold(trials[:1]), store.claim(claimed):
        for fingerprint in (held, left):
            store.work(fingerprint).mkdir()
        expected = garbage.found(store)
        with monkeypatch.context() as patch:
            patch.setattr("filelock._unix.os", SimpleNamespace(**{**vars(os), "open": refused}))
            assert garbage.found(store) == expected == [store.work(left)]
            assert store.claims.is_free(left) and not store.claims.is_free(claimed)
            patch.setitem(sys.modules, "fcntl", None)  # where the system cannot say, somebody may be at work
            assert garbage.found(store) == [] and not store.claims.is_free(left)
            with pytest.raises(OSError, match="Read-only"):
                garbage.remove(store)


def refused(path: str, *_: object) -> int:
    raise OSError(30, "Read-only file system", path)


def test_what_was_set_aside_is_garbage(store: Store) -> None:
    kept = made(store, FIRST)
    (kept.folder / "history.csv").write_text("x")
    store.set_aside(kept.folder, kept.damages()[0])
    assert garbage.remove(store) == [store.damaged_folder / "runs"]


@pytest.mark.parametrize("name", ["trial.json", "manifest.json"])
def test_what_a_run_needs_that_cannot_say_it_stays(store: Store, name: str, capsys: pytest.CaptureFixture) -> None:
    kept, unused = made(store, FIRST), keep(store)
    with store.claim(OTHER):
        pass
    (kept.folder / name).write_text("{")
    assert garbage.remove(store) == [store.work(OTHER)]
    assert f"{name} is damaged" in (said := capsys.readouterr().err) and "all data sets, weights and features stay" in said
    store.set_aside(kept.folder, kept.damages()[0])
    assert unused in garbage.remove(store)


# How a cleaning and a beginning meet


def test_what_is_held_is_covered_before_it_is_made(store: Store) -> None:
    trial = make_trial().model_copy(update={"dataset": make_trial().dataset.model_copy(update={"content": dataset().content})})
    store.prepare()
    store.weights_path("w").write_bytes(b"x")
    with store.hold([trial]):
        kept = keep(store)
        store.work(trial.fingerprint).mkdir()  # as the executor does, before the worker has its claim
        assert garbage.remove(store) == [store.weights_path("w")]
    assert garbage.remove(store) == [store.work(trial.fingerprint), kept]
    assert list(store.claims.holds_folder.iterdir()) == []


def test_a_cleaning_at_every_event_of_a_study_takes_nothing(tmp_path: Path, pretenders: Pretenders) -> None:
    """The workers pretend: they take no claim, as none has one in its first seconds."""
    plan, removed = four(make_store(tmp_path / "store")), []
    with Local(workers=2) as place:
        made = run(plan, executor=place, tell=lambda event: removed.extend(garbage.remove(plan.store)))
    assert sorted(made) == sorted(by_name(plan).values()) == [one.fingerprint for one in plan.store.runs()]
    assert removed == []
    assert garbage.remove(plan.store) == [plan.store.work(fingerprint) for fingerprint in sorted(made)]


def test_who_begins_while_garbage_is_looked_for_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, trial = keep(store), make_trial()
    order, looked, begins = [], Event(), Event()
    throw, write = garbage._throw, Store.keep

    def slowly(of: Store, path: Path) -> None:
        looked.set()
        assert begins.wait(60)
        throw(of, path)
        order.append("renamed")

    def begin() -> None:
        begins.set()
        with store.hold([trial]):
            order.append("held")
            assert not kept.exists()
            write(store, dataset(), DatasetSpec(name="digits"))

    monkeypatch.setattr(garbage, "_throw", slowly)
    cleaning = in_thread(lambda: garbage.remove(store))
    assert looked.wait(60)
    beginning = in_thread(begin)
    cleaning.join()
    beginning.join()
    assert order == ["renamed", "held"]
    assert store.dataset(dataset().content).content == dataset().content


def test_who_claims_while_garbage_is_looked_for_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.claim(FIRST) as work:
        (work / "checkpoint.npz").write_bytes(b"x")
    order, looked, begins, throw = [], Event(), Event(), garbage._throw

    def slowly(of: Store, path: Path) -> None:
        looked.set()
        assert begins.wait(60)
        throw(of, path)
        order.append("renamed")

    def begin() -> None:
        begins.set()
        with store.claim(FIRST) as work:
            order.append("claimed")
            assert [path.name for path in work.iterdir()] == ["run"]

    monkeypatch.setattr(garbage, "_throw", slowly)
    cleaning = in_thread(lambda: garbage.remove(store))
    assert looked.wait(60)
    beginning = in_thread(begin)
    cleaning.join()
    beginning.join()
    assert order == ["renamed", "claimed"]


def test_a_claim_whose_needs_are_not_written_yet_covers_everything(store: Store) -> None:
    kept = keep(store)
    with store.claim(FIRST):
        assert garbage.remove(store) == []
        at_work(store, FIRST)
        assert garbage.remove(store) == [kept]


def test_work_that_ends_between_two_looks_is_a_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (store.data_folder / DIGITS).mkdir(parents=True)
    runs = Store.runs
    with store.claim(FIRST) as work:
        fill(work / "run")
        at_work(store, FIRST)
        monkeypatch.setattr(Store, "runs", lambda of: (of.commit(FIRST), runs(of))[1])
        assert garbage.remove(store) == []
    assert (store.data_folder / DIGITS).is_dir()


def test_work_that_is_taken_up_between_two_looks_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By somebody who had waited for its claim, and so needs no short lock for it."""
    with store.claim(FIRST) as work:
        (work / "checkpoint.npz").write_bytes(b"x")
    lock, runs = store.claims.of(FIRST), Store.runs
    monkeypatch.setattr(Store, "runs", lambda of: (lock.acquire(timeout=0), runs(of))[1])
    assert garbage.remove(store) == []
    lock.release()
    assert (store.work(FIRST) / "checkpoint.npz").exists()


def test_a_hold_ends_with_its_holder_however_that_ends(store: Store) -> None:
    kept = keep(store)
    code = (
        "import sys; from toile.store.store import Store; from tests.training.fixture import make_trial\n"
        "with Store(sys.argv[1]).hold([make_trial()]):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", code, str(store.root)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert len(list(store.claims.holds_folder.iterdir())) == 2
        process.kill()
    assert garbage.remove(store) == [kept]
    assert list(store.claims.holds_folder.iterdir()) == []


def test_a_cleaning_that_was_killed_is_finished_by_the_next(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = keep(store)
    with monkeypatch.context() as patch:
        patch.setattr(garbage, "empty_trash", lambda of: None)
        assert garbage.remove(store) == [kept]
    (left,) = store.trash_folder.iterdir()
    assert not kept.exists() and left.is_dir()
    assert garbage.found(store) == [left] == garbage.remove(store)
    assert list(store.trash_folder.iterdir()) == []


# Claims and their lock files

CLAIM = """
import os, sys
from pathlib import Path
from toile.store import garbage
from toile.store.store import Store
store, mark = Store(sys.argv[1]), Path(sys.argv[1], "mark")
for _ in range(int(sys.argv[2])):
    with store.claim("a" * 64):
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        mark.unlink()
    garbage.remove(store)
"""


def test_of_many_processes_that_claim_and_clean_one_at_a_time_has_the_claim(store: Store) -> None:
    """Each cleans between its claims, and so deletes the work that another is about to take up."""
    store.prepare()
    arguments = [sys.executable, "-c", CLAIM, str(store.root), "12"]
    processes = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0)] * 4


def test_the_lock_of_a_claim_is_never_deleted(store: Store) -> None:
    with store.claim(FIRST):
        pass
    lock = store.work_folder / f"{FIRST}.lock"
    before = lock.stat().st_ino
    assert garbage.remove(store) == [store.work(FIRST)]
    with store.claim(FIRST):
        assert lock.stat().st_ino == before
