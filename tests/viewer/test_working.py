"""What is being trained, as seen from outside."""

from __future__ import annotations

import io
import os
import zipfile
import zlib

import pytest

from tests.runner.fixture import line, make_plan
from tests.viewer.fixture import at_work, checkpoint, everything
from toile.store.store import Store
from toile.viewer import working
from toile.viewer.working import Working, is_held


@pytest.fixture
def plan(tmp_path):
    made = make_plan(Store(tmp_path / "store"), line("a", 10), line("b", 4))
    made.store.prepare()
    return made


def test_how_far_a_training_is(plan):
    looking = Working(plan.store)
    a = plan.trials[0]
    assert looking.look() == []
    with at_work(plan.store, a, 0):
        (begun,) = looking.look()
        assert (begun.at_work, begun.history, begun.plain()["seconds_left"]) == (True, [], None)
        checkpoint(plan.store, a.fingerprint, 3)
        told = looking.look()[0].plain()
        assert (told["epoch"], told["epochs"], told["seconds_an_epoch"], told["seconds_left"]) == (3, 10, 2.0, 14.0)
        assert [row["epoch"] for row in told["history"]] == [1, 2, 3]


@pytest.mark.skipif(not working.LOCKS.exists(), reason="the system does not list its locks")
def test_who_has_died_is_not_at_work(plan):
    a, b = plan.trials
    with at_work(plan.store, a, 3):
        pass
    with at_work(plan.store, b, 1):
        found = Working(plan.store).look()
    assert [(one.fingerprint, one.at_work) for one in found] == [(b.fingerprint, True), (a.fingerprint, False)]


def test_where_locks_cannot_be_listed_files_tell(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(working, "LOCKS", tmp_path / "none")
    with at_work(plan.store, plan.trials[0], 3):
        pass
    assert Working(plan.store).look()[0].at_work, "it was written a moment ago"
    monkeypatch.setattr(working, "FRESH", -1.0)
    assert not Working(plan.store).look()[0].at_work


def test_a_file_is_locked_under_the_number_that_the_list_has_for_it():
    disk, tree, whole = os.makedev(8, 1), os.makedev(0, 40), os.makedev(0, 33)
    assert (
        is_held((disk, 7), {(disk, 7)}) and not is_held((disk, 7), {(disk, 8), (whole, 7)}) and not is_held(None, {(disk, 7)})
    )
    # btrfs: the list has the number of the whole file system, and the file that of its subvolume.
    assert is_held((tree, 7), {(whole, 7)}) and not is_held((tree, 7), {(whole, 8), (disk, 7)})
    assert not is_held((tree, 7), {(whole, 7), (tree, 8)})


def packed(content: bytes) -> bytes:
    """An archive that says of its one member, packed, what is not so."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        writing.writestr("state.npy", content)
    return archive.getvalue().replace(zlib.compress(content)[2:-4], b"\xff" * len(zlib.compress(content)[2:-4]))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off", packed(b"some state" * 9)])
def test_a_checkpoint_that_cannot_be_read_says_nothing(plan, content):
    with at_work(plan.store, plan.trials[0], 0):
        (plan.store.work(plan.trials[0].fingerprint) / "checkpoint.npz").write_bytes(content)
        (begun,) = Working(plan.store).look()
    assert begun.history == []


def test_looking_takes_no_lock_and_writes_nothing(plan):
    with at_work(plan.store, plan.trials[0], 2):
        before = everything(plan.store.root)
        Working(plan.store).look()
        assert everything(plan.store.root) == before
    assert plan.store.claims.is_free(plan.trials[0].fingerprint)
