"""Claims: one process at a time, and the system ends them with their holder. The processes tell each other through pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.store.fixture import DIGITS, FIRST, OTHER, SECOND, fill, made
from toile.data.dataset import Dataset, Images
from toile.errors import ToileError
from toile.store.store import Store

# Claims a run, says so, and keeps it until its standard input closes.
HOLD = """
import sys
from toile.store.store import Store
with Store(sys.argv[1]).claim(sys.argv[2], waiting=lambda: print("waiting", flush=True)):
    print("held", flush=True)
    sys.stdin.read()
print("let go", flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@contextmanager
def holder(store: Store, fingerprint: str = FIRST) -> Iterator[subprocess.Popen]:
    arguments = [sys.executable, "-c", HOLD, str(store.root), fingerprint]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class Held(Exception):
    """Somebody else has it."""


def held() -> None:
    raise Held


def is_free(store: Store, fingerprint: str = FIRST) -> bool:
    try:
        with store.claim(fingerprint, waiting=held):
            return True
    except Held:
        return False


def test_one_process_at_a_time(store: Store) -> None:
    with holder(store) as process:
        assert process.stdout.readline() == "held\n"
        assert not is_free(store)
        assert is_free(store, OTHER)
        assert process.communicate()[0] == "let go\n"
        assert is_free(store)


def test_who_waits_says_so_and_gets_it_when_the_other_ends(store: Store) -> None:
    with holder(store) as first, holder(store, OTHER) as elsewhere:
        assert first.stdout.readline() == "held\n"
        assert elsewhere.stdout.readline() == "held\n"
        with holder(store) as second:
            assert second.stdout.readline() == "waiting\n"
            assert first.communicate()[0] == "let go\n"
            assert second.stdout.readline() == "held\n"


def test_who_waited_finds_the_run_that_the_other_has_made(store: Store) -> None:
    with holder(store) as process:
        assert process.stdout.readline() == "held\n"

        def finish() -> None:
            fill(store.work(FIRST) / "run")
            store.commit(FIRST)
            assert process.communicate()[0] == "let go\n"

        with store.claim(FIRST, waiting=finish):
            assert store.get(FIRST).metrics == {"test": {"accuracy": 0.5}}
        assert store.unfinished() == []


def test_a_claim_ends_when_its_holder_is_killed(store: Store) -> None:
    with holder(store) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()
        process.wait()
        assert is_free(store)
        assert store.unfinished() == [FIRST]


def test_what_a_killed_holder_left_is_there_for_the_next(store: Store) -> None:
    with holder(store) as process:
        process.stdout.readline()
        (store.work(FIRST) / "checkpoint.npz").write_bytes(b"epoch 3")
        process.kill()
        process.wait()
        with store.claim(FIRST) as work:
            assert (work / "checkpoint.npz").read_bytes() == b"epoch 3"


def test_a_claim_ends_when_the_work_fails(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.claim(FIRST):
        _ = 1 / 0
    assert is_free(store)


def test_two_claims_in_one_process_exclude_each_other_too(store: Store) -> None:
    with store.claim(FIRST):
        assert not is_free(store)
    assert is_free(store)


# Garbage: what no claim holds and no run needs


def keep(store: Store) -> str:
    """A data set in the store, by its content."""
    images = Images(np.zeros((2, 1, 1, 1), np.uint8), np.zeros(2, np.int64))
    dataset = Dataset("made", images, None, ("one",))
    dataset.save(store.data_folder / dataset.content)
    return dataset.content


def test_garbage_is_what_nobody_holds_and_no_run_needs(store: Store) -> None:
    made(store, FIRST)
    with store.claim(OTHER):
        pass
    unused = keep(store)
    (store.data_folder / DIGITS).mkdir()  # what the run was trained on
    with holder(store, SECOND) as process:
        process.stdout.readline()
        assert store.garbage() == [store.work(OTHER), store.data_folder / unused]


def test_data_that_is_being_trained_on_is_no_garbage(store: Store) -> None:
    (store.data_folder / DIGITS).mkdir(parents=True)
    with holder(store) as process:
        process.stdout.readline()
        # As the executor writes it before the worker starts.
        (store.work(FIRST) / "trial.json").write_text(json.dumps({"dataset": {"content": DIGITS}, "architecture": {}}))
        assert store.garbage() == []
        process.communicate()
    assert store.garbage() == [store.work(FIRST), store.data_folder / DIGITS]


def test_features_and_weights_of_no_run_are_garbage(store: Store) -> None:
    made(store, FIRST)
    features = [store.features_folder / name for name in ("begun", "left", "used")]
    for folder, fingerprint in zip(features, (SECOND, OTHER, FIRST), strict=True):
        folder.mkdir(parents=True)
        (folder / "features.npy").write_bytes(b"x")
        (folder / fingerprint).touch()
    for content in ("begun", "left"):
        store.weights(content).write_bytes(b"x")
    with holder(store, SECOND) as process:
        process.stdout.readline()
        trial = {"dataset": {"content": DIGITS}, "architecture": {"weights": "begun"}}
        (store.work(SECOND) / "trial.json").write_text(json.dumps(trial))
        assert store.garbage() == [store.weights("left"), features[1]]
        for path in store.garbage():
            store.remove(path)
        assert store.garbage() == []
    assert [folder.is_dir() for folder in features] == [True, False, True] and store.weights("begun").is_file()


def test_garbage_is_removed_and_runs_stay(store: Store) -> None:
    run = made(store, FIRST)
    with store.claim(OTHER) as work:
        (work / "checkpoint.npz").write_bytes(b"x")
    keep(store)
    for path in store.garbage():
        store.remove(path)
    assert store.garbage() == []
    assert list(store.data_folder.iterdir()) == []
    assert not list(store.work_folder.glob(f"{OTHER}*"))
    assert store.runs() == [run]
    assert is_free(store, OTHER)


def test_work_that_was_taken_up_meanwhile_stays(store: Store) -> None:
    with store.claim(FIRST) as work:
        (work / "checkpoint.npz").write_bytes(b"x")
    (path,) = store.garbage()
    with store.claim(FIRST), pytest.raises(ToileError, match="is being worked on; it stays"):
        store.remove(path)
    assert (path / "checkpoint.npz").exists()
