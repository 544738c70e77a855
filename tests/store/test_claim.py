"""Claims: one process at a time, and the system ends them with their holder. The processes tell each other through pipes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.store.fixture import FIRST, METRICS, OTHER, fill
from tests.training.fixture import make_trial
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
            assert store.get(FIRST).metrics == METRICS
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


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
def test_a_lock_may_be_had_by_all_who_may_write_in_its_folder(store: Store) -> None:
    """Or the first who locks a shared store, with a umask of his own, would lock all others out for good."""
    store.prepare()
    for folder in (store.root, store.work_folder):
        folder.chmod(0o2775)
    before = os.umask(0o077)
    try:
        with store.claim(FIRST):
            pass
    finally:
        os.umask(before)
    for path in (store.root / "lock", store.work_folder / f"{FIRST}.lock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_a_hold_of_another_user_keeps_nobody_from_beginning(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.prepare()
    store.claims.holds_folder.mkdir()
    others = store.claims.holds_folder / "others.lock"
    others.touch()
    open_ = os.open

    def refused(path: str, *rest: int, **more: int) -> int:
        if str(path) == str(others):
            raise PermissionError(13, "Permission denied", path)
        return open_(path, *rest, **more)

    monkeypatch.setattr(os, "open", refused)
    with store.hold([make_trial()]):
        assert others.exists()


def test_a_file_system_without_locks_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    store.prepare()
    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(OSError, match=r"No locks available: '.*/store/lock'"), store.hold([make_trial()]):
        pass
