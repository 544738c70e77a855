"""A write happened or did not; a failure leaves what was there before, and nothing else."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toile.store import atomic


def broken(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("content", "stored"), [("é\n", "é\n".encode()), (b"\x00\xff", b"\x00\xff"), ("", b"")])
def test_write_makes_and_replaces(tmp_path: Path, content: str | bytes, stored: bytes) -> None:
    path = tmp_path / "file"
    for _ in range(2):
        atomic.write(path, content)
        assert path.read_bytes() == stored
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(("place", "call"), [(os, "fsync"), (Path, "replace"), (Path, "open")])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, call: str, before: str | None
) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_text(before)
    with monkeypatch.context() as patch:
        patch.setattr(place, call, broken)
        with pytest.raises(OSError, match="No space left"):
            atomic.write(path, "new")
    assert names(tmp_path) == ([] if before is None else ["file"])
    assert before is None or path.read_text() == before
    atomic.write(path, "new")
    assert path.read_text() == "new"


def test_an_error_names_the_file_that_was_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the temporary one, which on a read-only file system can neither be made nor deleted."""

    def refused(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "open", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(OSError, match=r"Read-only file system: '.*/file'"):
        atomic.write(tmp_path / "file", "new")


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(path, "new")
    assert (names(tmp_path), path.read_text()) == (["file"], "old")


def test_the_content_reaches_the_disk_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda self, target: (order.append("rename"), replace(self, target))[1])
    atomic.write(tmp_path / "file", "x")
    # The file, its name, and the folder that holds the name.
    assert order == ["fsync", "rename", "fsync"]


def test_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic.write(tmp_path / "no" / "file", "x")
    assert names(tmp_path) == []


def test_two_who_write_one_file_at_once_do_not_meet(tmp_path: Path) -> None:
    """Nor do processes of two containers, which may have one number; here they are even one process."""
    path = tmp_path / "file"
    with atomic.writing(path) as one:
        one.write(b"one")
        with atomic.writing(path) as other:
            other.write(b"the other")
        assert path.read_bytes() == b"the other"
        one.write(b", whole")
    assert (names(tmp_path), path.read_bytes()) == (["file"], b"one, whole")


def test_a_link_leads_to_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "file")
    for content in ("made", "replaced"):
        atomic.write(link, content)
        assert link.is_symlink() and (tmp_path / "there" / "file").read_text() == content
    assert names(tmp_path) == ["link", "there"] and names(tmp_path / "there") == ["file"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """As `/dev/stdout`, a link to a pipe: whoever replaced it would take it from all others."""
    read, write = os.pipe()
    os.mkfifo(tmp_path / "named")
    waiting = os.open(tmp_path / "named", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "out").symlink_to(f"/dev/fd/{write}")
    try:
        for name, end in (("named", waiting), ("out", read)):
            atomic.write(tmp_path / name, "text")
            assert os.read(end, 10) == b"text"
    finally:
        for file in (read, write, waiting):
            os.close(file)
    assert names(tmp_path) == ["named", "out"] and (tmp_path / "named").is_fifo() and (tmp_path / "out").is_symlink()


@pytest.mark.parametrize("name", ["n" * 255, "\u00e9" * 127])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    atomic.write(tmp_path / name, "x")
    assert names(tmp_path) == [name]


def test_a_file_system_that_cannot_sync_folders_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    atomic.write(tmp_path / "file", "x")
    assert (tmp_path / "file").read_text() == "x"


# A byte of a file's name that is no text comes as half of a character.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just("caf\udce9"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=40)
@given(JSON)
def test_json_comes_back(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    path = tmp_path_factory.mktemp("json") / "file.json"
    atomic.write_json(path, content)
    assert json.loads(path.read_text("utf-8")) == content


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_nan(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(tmp_path / "file.json", {"loss": value})
    assert names(tmp_path) == []
