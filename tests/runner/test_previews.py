"""Previews of augmentations: made once, kept with their hash, shown in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.reports.fixture import make_results
from tests.training.fixture import dataset, make_store
from toile import api
from toile.errors import ToileError
from toile.reports.page.html import render
from toile.runner import previews
from toile.study.recipe.augmentation import Augmentation

FLIPPED = Augmentation(flip="horizontal")


def test_a_preview_is_what_a_training_sees_and_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, data = make_store(tmp_path), dataset()
    images, changed = previews.augmented(store, data, FLIPPED, "tensorflow")
    assert images.shape == (10, 28, 28, 1) and changed.shape == (4, 10, 28, 28, 1) and changed.dtype == np.uint8
    flipped = images[:, :, ::-1]
    as_it_is = np.array([[np.array_equal(one, image) for one, image in zip(some, images, strict=True)] for some in changed])
    mirrored = np.array([[np.array_equal(one, image) for one, image in zip(some, flipped, strict=True)] for some in changed])
    assert (as_it_is | mirrored).all() and as_it_is.any() and mirrored.any()

    calls = []
    monkeypatch.setattr(previews, "preview", lambda *arguments: calls.append(arguments) or changed)
    np.testing.assert_array_equal(previews.augmented(store, data, FLIPPED, "tensorflow")[1], changed)
    assert calls == []
    (kept,) = (store.reports_folder / previews.FOLDER).iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    previews.augmented(store, data, FLIPPED, "tensorflow")
    assert len(calls) == 1
    previews.augmented(store, data, Augmentation(flip="vertical"), "tensorflow")
    assert len(calls) == 2


def test_the_report_shows_them_for_each_augmentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = make_results(tmp_path / "runs", models=("a", "b", "c"), committee=False)
    for trial in results.trials[:2]:
        trial.trial["recipe"]["augmentation"] = {"flip": "vertical"}
    monkeypatch.setattr(previews, "preview", lambda _, __, images: np.stack([images[:, ::-1]] * 4))
    found = api.with_previews(results, make_store(tmp_path / "store"))
    ((name, images, changed),) = found.previews
    assert name == "a and b" and len(images) == 10 and changed.shape[0] == 4
    page = render(found)
    assert page.count('data-figure="augmented-images"') == 1 and "the augmentation of a and b" in page
    assert "augmented-images" not in render(replace(results, previews=()))


def test_where_none_can_be_made_the_report_is_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise ToileError("no Keras here")

    results = make_results(tmp_path / "runs", models=("a",), committee=False)
    results.trials[0].trial["recipe"]["augmentation"] = {"flip": "vertical"}
    monkeypatch.setattr(previews, "preview", fails)
    assert api.with_previews(results, make_store(tmp_path / "store")).previews == ()
    assert "shows no augmented images: no Keras here" in capsys.readouterr().err
