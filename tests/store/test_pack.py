"""Runs in one file: what comes out is what went in, and a file that was touched brings nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.store.fixture import fill
from toile.store import checked
from toile.store.checked import Damaged
from toile.store.pack import ALWAYS_ALLOWED, PackError, pack, packed, unpack
from toile.store.run import Run
from toile.store.store import Store
from toile.study.trial import Trial


def run_of(store: Store, seed: int) -> Run:
    """A made run whose folder is named by its trial's fingerprint, as a real one is."""
    trial = Trial.model_validate(
        {
            "dataset": {"content": "0" * 64, "classes": 2, "image_shape": (28, 28, 1)},
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
def archive(tmp_path: Path) -> tuple[Path, Store]:
    store = Store(tmp_path / "there")
    assert pack([run_of(store, 0), run_of(store, 1)], tmp_path / "a new folder" / "runs.tar") == 2
    return tmp_path / "a new folder" / "runs.tar", store


def touched(path: Path, change: dict[str, bytes | None], *, honestly: bool = False) -> Path:
    """The archive with some files changed, added or (None) left out; `honestly` in its manifest too, as a stranger would."""
    with tarfile.open(path) as opened:
        files = {entry.name: opened.extractfile(entry).read() for entry in opened} | change
    if honestly:
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "manifest.json"}
        files["manifest.json"] = json.dumps(hashes).encode()
    out = path.with_name("touched.tar")
    with tarfile.open(out, "w") as made:
        for name, content in files.items():
            if content is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                made.addfile(entry, io.BytesIO(content))
    return out


def test_what_comes_out_is_what_went_in(archive: tuple[Path, Store], tmp_path: Path) -> None:
    path, store = archive
    here = Store(tmp_path / "here")
    assert unpack(path, here) == [run.fingerprint for run in store.runs()]
    for run in store.runs():
        for path in run.files():
            assert (here.get(run.fingerprint).folder / path.name).read_bytes() == path.read_bytes()
    assert here.unfinished() == []


def test_a_second_time_brings_nothing_new(archive: tuple[Path, Store]) -> None:
    assert unpack(*archive) == []


def test_an_archive_that_was_touched_brings_nothing(archive: tuple[Path, Store], tmp_path: Path) -> None:
    path, store = archive
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


def test_a_run_under_another_name_is_refused(archive: tuple[Path, Store], tmp_path: Path) -> None:
    run = archive[1].runs()[0]
    other = run.folder.with_name("f" * 64)
    run.folder.rename(other)
    pack([Run(other)], tmp_path / "other.tar")
    with pytest.raises(PackError, match="another fingerprint"):
        unpack(tmp_path / "other.tar", Store(tmp_path / "here"))


# What a stranger may send


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("metrics.json", b"[]", "metrics is no JSON object"),
        ("metrics.json", b'{"test": {"accuracy": "0.9"}}', "test has no accuracy"),
        ("metrics.json", b"[" * 100_000, "recursion"),
        ("metrics.json", b'{"test": {"accuracy": NaN}}', "test has no accuracy"),
        ("provenance.json", b'{"images_per_second": "many"}', "images_per_second is no number"),
        ("history.csv", b"loss\n1\n", "it has no epoch"),
        ("history.csv", b"epoch,loss\n1\n", "it is no table"),
        ("probabilities.npz", b"PK", "it is no .npz"),
        ("trial.json", b"{}", "its data set has no content|architecture"),
        # JSON and arrays as they should be, of which no table or plot can be made.
        ("metrics.json", b'{"test": {"accuracy": 1' + b"0" * 400 + b"}}", "test has no accuracy from 0 to 1"),
        ("metrics.json", b'{"test": {"accuracy": 1, "images": 0}}', "test.images is no number of images"),
        ("metrics.json", b'{"test": {"accuracy": 1, "confusion_matrix": [[-1]]}}', "confusion_matrix is no square"),
        ("metrics.json", b'{"test": {"accuracy": 1, "per_class": [{"f1": 1}]}}', "per_class has no f1, precision, recall"),
        ("metrics.json", b'{"test": {"accuracy": 1}}', "there are no metrics of the classes of test"),
        ("provenance.json", b'{"parameters": 1e300}', "parameters is no whole number"),
        ("provenance.json", b'{"images_per_second": -1}', "images_per_second is no number"),
        ("provenance.json", b'{"details": ' + b"[" * 99 + b"]" * 99 + b"}", "nested too deep"),
        ("history.csv", b"epoch,loss\nnan,1\n", "an epoch that is none"),
        ("history.csv", b"epoch,loss\n1,1e300\n", "beyond all measure"),
    ],
)
def test_what_looks_like_no_file_of_a_run_is_refused(
    archive: tuple[Path, Store], tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path, store = archive
    here = Store(tmp_path / "here")
    with pytest.raises(PackError, match=rf"(?i)touched\.tar: \w+/{name} is no file of a run: .*{said}"):
        unpack(touched(path, {f"{store.runs()[0].fingerprint}/{name}": content}, honestly=True), here)
    assert not here.root.exists()


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (lambda said: said - 0.5, "probabilities.npz", "numbers from 0 to 1, and those of an image sum to 1"),
        (lambda said: said / 2, "probabilities.npz", "numbers from 0 to 1, and those of an image sum to 1"),
        (lambda said: said * np.nan, "probabilities.npz", "a probability is no number"),
        (lambda said: said[:-1], "metrics.json", "test has the shape"),
        (lambda said: np.full((len(said), 4), 0.25, np.float32), "metrics.json", "test has the shape"),
        (None, "metrics.json", "it has no test"),
    ],
)
def test_probabilities_that_are_none_or_of_other_images_are_refused(
    archive: tuple[Path, Store], tmp_path: Path, change: Callable[..., np.ndarray] | None, name: str, said: str
) -> None:
    path, store = archive
    run, changed = store.runs()[0], io.BytesIO()
    stored = {split: run.probabilities(split) for split in run.splits()}
    np.savez(
        changed,
        **{key: value for key, value in {**stored, "test": change and change(stored["test"])}.items() if value is not None},
    )
    odd = touched(path, {f"{run.fingerprint}/probabilities.npz": changed.getvalue()}, honestly=True)
    with pytest.raises(PackError, match=rf"\w+/{name} is no file of a run: .*{said}"):
        unpack(odd, Store(tmp_path / "here"))


def test_probabilities_that_unpack_to_more_than_they_are_are_refused(archive: tuple[Path, Store], tmp_path: Path) -> None:
    path, store = archive
    buffer = io.BytesIO()
    np.savez_compressed(buffer, test=np.zeros((100_000, 2), np.float32))
    change = {f"{store.runs()[0].fingerprint}/probabilities.npz": buffer.getvalue()}
    with pytest.raises(PackError, match="it is packed, which nothing that toile writes is"):
        unpack(touched(path, change, honestly=True), Store(tmp_path / "here"))


def test_an_archive_that_was_packed_again_is_read(archive: tuple[Path, Store], tmp_path: Path) -> None:
    path, store = archive
    again = tmp_path / "runs.tar.gz"
    again.write_bytes(gzip.compress(path.read_bytes()))
    assert unpack(again, Store(tmp_path / "here")) == [run.fingerprint for run in store.runs()]


def bomb(path: Path, entry: tarfile.TarInfo, size: int) -> Path:
    """A gzip file of one entry of `size` zeros."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(entry.tobuf() if entry.size else entry.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size // 2**20):
            file.write(bytes(2**20))
    return path


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_archive_unpacks_to_no_more_than_one_of_its_size_may(tmp_path: Path, kind: bytes) -> None:
    """As a file, and as a header, which is read whole before it is seen what it is of."""
    entry = tarfile.TarInfo("f" * 64 + "/model.keras")
    entry.size, entry.type = 2 * ALWAYS_ALLOWED, kind
    path = bomb(tmp_path / "bomb.tar", entry, 2 * ALWAYS_ALLOWED)
    assert path.stat().st_size < ALWAYS_ALLOWED / 64
    tracemalloc.start()
    with pytest.raises(PackError, match=r"bomb\.tar unpacks to more than 67,108,864 bytes"):
        unpack(path, Store(tmp_path / "here"))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 3 * ALWAYS_ALLOWED and not (tmp_path / "here").exists()


def test_a_file_with_holes_or_twice_is_refused(archive: tuple[Path, Store], tmp_path: Path) -> None:
    name, out = archive[1].runs()[0].fingerprint + "/model.keras", tmp_path / "odd.tar"
    with tarfile.open(out, "w") as made:
        for _ in range(2):
            made.addfile(tarfile.TarInfo(name))
    with pytest.raises(PackError, match="too many files, or twice the same, or one with holes"):
        unpack(out, Store(tmp_path / "here"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(PackError, match="it is no file"):
        unpack(tmp_path / "pipe.tar", Store(tmp_path / "here"))


# Damage, and a full disk


def test_a_damaged_run_is_named_and_not_packed(archive: tuple[Path, Store], tmp_path: Path, capsys) -> None:
    first, second = archive[1].runs()
    (first.folder / "model.keras").write_bytes(b"Weights")
    assert pack([Run(run.folder) for run in (first, second)], tmp_path / "some.tar") == 1
    assert f"run {first.fingerprint[:12]} is left out: {first.folder}/model.keras is damaged" in capsys.readouterr().err
    assert unpack(tmp_path / "some.tar", Store(tmp_path / "here")) == [second.fingerprint]
    with pytest.raises(Damaged, match=r"model\.keras"):
        packed([Run(first.folder)])


def test_a_full_disk_names_the_file_and_leaves_nothing(
    archive: tuple[Path, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, here = archive[0], Store(tmp_path / "here")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*trial\.json'"):
        unpack(path, here)
    assert here.runs() == []
    with pytest.raises(OSError, match=r"No space left on device: '.*again\.tar'"):
        pack(archive[1].runs(), tmp_path / "again.tar")
    assert not (tmp_path / "again.tar").exists()
    monkeypatch.undo()
    assert len(unpack(path, here)) == 2


def test_who_waits_for_a_training_to_end_says_so(
    archive: tuple[Path, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Waits(Exception):
        pass

    def say(text: str) -> None:
        raise Waits(text)

    path, there = archive
    here, begun = Store(tmp_path / "here"), there.runs()[0].fingerprint
    monkeypatch.setattr(checked, "say", say)
    with here.claim(begun), pytest.raises(Waits, match=f"run {begun[:12]} is being trained here; waiting"):
        unpack(path, here)
