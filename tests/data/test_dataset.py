"""Snapshots of a data set: what is saved is what is opened, whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace

import numpy as np
import pytest

from toile.data.dataset import Dataset, Images
from toile.data.errors import DamagedSnapshot, DataError


def made(test: bool = True) -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 3, 4, 1), dtype=np.uint8)
    labels = np.arange(9) % 3
    return Dataset(
        "made", Images(images[:6], labels[:6]), Images(images[6:], labels[6:]) if test else None, ("a", "b", "é / c")
    )


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("test", [True, False])
def test_opened_as_saved(tmp_path, mmap, test):
    dataset = made(test)
    opened = Dataset.open(dataset.save(tmp_path / "deep" / "snapshot"), mmap=mmap, verify=True)
    assert (opened.name, opened.class_names, opened.content) == (dataset.name, dataset.class_names, dataset.content)
    assert isinstance(opened.train.images, np.memmap) == mmap
    np.testing.assert_array_equal(opened.train.images, dataset.train.images)
    np.testing.assert_array_equal(opened.train.labels, dataset.train.labels)
    assert (opened.test is None) == (not test)
    if test:
        np.testing.assert_array_equal(opened.test.images, dataset.test.images)
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["snapshot"]


def test_content_ignores_names_and_sees_everything_else():
    dataset = made()
    assert replace(dataset, name="other", class_names=("x", "y", "z")).content == dataset.content
    swapped = replace(dataset, train=dataset.train[np.array([1, 0, 2, 3, 4, 5])])
    relabelled = replace(dataset, train=Images(dataset.train.images, dataset.train.labels[::-1]))
    assert len({dataset.content, swapped.content, relabelled.content, made(test=False).content}) == 4


def test_content_is_golden():
    """Fingerprints are made of it: it may never change."""
    assert made().content == "217e752ee63e6646d7a47afce29fd82a29e9b3f28828721e288a7840faf0e890"


def test_saved_twice_is_kept_and_renamed(tmp_path):
    folder = made().save(tmp_path / "snapshot")
    before = (folder / "train-images.npy").stat().st_ino
    replace(made(), name="new name").save(folder)
    assert (folder / "train-images.npy").stat().st_ino == before
    assert Dataset.open(folder).name == "new name"
    assert sorted(entry.name for entry in folder.iterdir()) == [
        "dataset.json",
        "test-images.npy",
        "test-labels.npy",
        "train-images.npy",
        "train-labels.npy",
    ]


def test_other_content_is_not_overwritten(tmp_path):
    folder = made().save(tmp_path / "snapshot")
    with pytest.raises(DataError, match="holds another data set"):
        made(test=False).save(folder)
    assert Dataset.open(folder, verify=True).test is not None


def test_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*images\.npy"):
        made().save(tmp_path / "snapshot")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_a_snapshot_is_as_open_to_others_as_its_maker_makes_files(tmp_path, umask):
    before = os.umask(umask)
    try:
        folder = made().save(tmp_path / "snapshot")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask


def test_believes_the_record_unless_told_to_verify(tmp_path):
    folder = made().save(tmp_path / "snapshot")
    record = json.loads((folder / "dataset.json").read_text("utf-8"))
    (folder / "dataset.json").write_text(json.dumps({**record, "content": "0" * 64}), "utf-8")
    with pytest.raises(DamagedSnapshot, match=r"dataset.json: .* its own SHA-256 differs"):
        Dataset.open(folder)
    earlier = {key: record[key] for key in ("name", "class_names")}
    (folder / "dataset.json").write_text(json.dumps({**earlier, "content": "0" * 64}), "utf-8")
    assert Dataset.open(folder).content == "0" * 64
    with pytest.raises(DataError, match="expected 000000000000"):
        Dataset.open(folder, verify=True)


def test_the_file_that_is_not_what_was_kept_is_named(tmp_path):
    folder = made().save(tmp_path / "snapshot")
    labels = np.load(folder / "train-labels.npy")
    np.save(folder / "train-labels.npy", labels[::-1])
    with pytest.raises(DamagedSnapshot, match=r"snapshot: train-labels\.npy is not what was kept"):
        Dataset.open(folder, verify=True)


def test_images_that_changed_after_they_were_hashed_are_not_kept(tmp_path):
    dataset = made()
    assert dataset.content
    dataset.train.images[0] += 1
    with pytest.raises(DataError, match="is not what it was"):
        dataset.save(tmp_path / "snapshot")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "record", "truncated", "mismatched"])
def test_damaged_snapshot(tmp_path, damage):
    folder = tmp_path / "snapshot"
    if damage != "missing":
        made().save(folder)
    if damage == "record":
        (folder / "dataset.json").write_text("[]")
    if damage == "truncated":
        (folder / "train-images.npy").write_bytes((folder / "train-images.npy").read_bytes()[:140])
    if damage == "mismatched":
        np.save(folder / "train-labels.npy", np.zeros(2, np.int64))
    with pytest.raises(DataError, match="snapshot"):
        Dataset.open(folder)
