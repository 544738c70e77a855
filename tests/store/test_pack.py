"""Runs in one file: what comes out is what went in, and a file that was touched brings nothing."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.store.fixture import fill
from toile.store.pack import PackError, pack, unpack
from toile.store.run import Run
from toile.store.store import Store
from toile.study.trial import Trial


def run_of(store: Store, seed: int) -> Run:
    """A made run whose folder is named by its trial's fingerprint, as a real one is."""
    trial = Trial.model_validate(
        {
            "dataset": {"content": "0" * 64, "classes": 10, "image_shape": (28, 28, 1)},
            "split": {},
            "architecture": {"name": "mlp", "options": {}, "revision": 1},
            "recipe": {},
            "seed": seed,
        }
    )
    with store.claim(trial.fingerprint) as work:
        fill(work / "run")
        (work / "run" / "trial.json").write_text(trial.canonical())
        return store.commit(trial.fingerprint)


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Path, Store]:
    store = Store(tmp_path / "there")
    assert pack([run_of(store, 0), run_of(store, 1)], tmp_path / "runs.tar") == 2
    return tmp_path / "runs.tar", store


def touched(path: Path, change: dict[str, bytes | None]) -> Path:
    """The archive with some files changed, added or (None) left out."""
    with tarfile.open(path) as archive:
        files = {entry.name: archive.extractfile(entry).read() for entry in archive}
    out = path.with_name("touched.tar")
    with tarfile.open(out, "w") as archive:
        for name, content in {**files, **change}.items():
            if content is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return out


def test_what_comes_out_is_what_went_in(packed: tuple[Path, Store], tmp_path: Path) -> None:
    path, store = packed
    here = Store(tmp_path / "here")
    assert unpack(path, here) == [run.fingerprint for run in store.runs()]
    for run in store.runs():
        for path in run.files():
            assert (here.get(run.fingerprint).folder / path.name).read_bytes() == path.read_bytes()
    assert here.unfinished() == []


def test_a_second_time_brings_nothing_new(packed: tuple[Path, Store]) -> None:
    assert unpack(*packed) == []


def test_an_archive_that_was_touched_brings_nothing(packed: tuple[Path, Store], tmp_path: Path) -> None:
    path, store = packed
    here, first = Store(tmp_path / "here"), store.runs()[0].fingerprint
    for change, said in [
        ({f"{first}/metrics.json": b"{}"}, "not what was packed"),
        ({f"{first}/metrics.json": None}, "not whole"),
        ({"../outside.txt": b"x"}, "not whole"),
        ({"manifest.json": b"{"}, "no archive of runs"),
        ({"manifest.json": None}, "no archive of runs"),
    ]:
        with pytest.raises(PackError, match=said):
            unpack(touched(path, change), here)
    assert here.runs() == []
    assert not (tmp_path / "outside.txt").exists()


def test_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("not an archive")
    for path in (tmp_path / "text.tar", tmp_path / "none.tar"):
        with pytest.raises(PackError, match="no archive of runs"):
            unpack(path, Store(tmp_path / "here"))


def test_a_run_under_another_name_is_refused(packed: tuple[Path, Store], tmp_path: Path) -> None:
    run = packed[1].runs()[0]
    other = run.folder.with_name("f" * 64)
    run.folder.rename(other)
    pack([Run(other)], tmp_path / "other.tar")
    with pytest.raises(PackError, match="another fingerprint"):
        unpack(tmp_path / "other.tar", Store(tmp_path / "here"))
