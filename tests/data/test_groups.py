"""Images of a group stay in one part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from toile import api
from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.images import as_names
from toile.data.parts.groups import digest, found, shared_out, spelt
from toile.data.parts.splits import split
from toile.study.data.split import SplitSpec


def made(labels, names=None, columns=None, images=None) -> Dataset:
    labels = np.array(labels)
    if images is None:
        images = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8, 1), dtype=np.uint8)
    columns = None if columns is None else {name: as_names(column) for name, column in columns.items()}
    return Dataset("made", Images(images, labels, None if names is None else as_names(names), columns), None, ("a", "b"))


@given(st.integers(0, 999), st.integers(3, 60), st.sampled_from([(0.8, 0.2), (0.7, 0.1, 0.2), (0.5, 0.5)]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_whole_groups_and_every_image_once(seed, count, shares, stratify):
    random = np.random.default_rng(seed)
    groups, labels = random.integers(0, count, 300), random.integers(0, 3, 300)
    if len(np.unique(groups)) < len(shares):
        return
    parts = shared_out(labels, groups, list(shares), seed, stratify)
    assert sorted(np.concatenate(parts).tolist()) == list(range(300))
    of_part = [set(groups[part].tolist()) for part in parts]
    assert sum(map(len, of_part)) == len(set().union(*of_part))
    largest = np.bincount(groups).max()
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - 300 * share) <= largest * (3 if stratify else 1) + 1


def test_groups_of_one_image_are_shares_to_the_image():
    labels = np.repeat([0, 1], [80, 20])
    train, held = shared_out(labels, np.arange(100), [0.75, 0.25], 0, True)
    assert (np.bincount(labels[train]).tolist(), np.bincount(labels[held]).tolist()) == ([60, 15], [20, 5])


@pytest.mark.parametrize(
    "spec",
    [
        {"test": 0.2},
        {"test": 0.2, "validation": 0.0},
        {"test": 0.2, "folds": 3},
        {"test": 0.2, "method": "random"},
        {"folds": 4, "method": "random", "shuffle": False, "validation": 0.0},
    ],
)
@pytest.mark.parametrize("groups", ["patient", r"p(\d+)_"])
def test_splits_and_folds_keep_patients_together(spec, groups):
    patients = np.random.default_rng(1).integers(0, 15, 120)
    names = [f"scans/p{patient}_{number}.png" for number, patient in enumerate(patients)]
    dataset = made([0, 1] * 60, names, {"patient": [f"P{patient}" for patient in patients]})
    made_of = SplitSpec(groups=groups, **spec)
    for fold in range(made_of.folds) if made_of.folds else [None]:
        parts = split(dataset, made_of, fold)
        of_part = [set(patients[at].tolist()) for at in parts.indices.values()]
        assert sum(map(len, of_part)) == 15 and sum(parts.counts().values()) == 120


def test_near_duplicates_stay_together():
    images = np.random.default_rng(0).integers(0, 256, (30, 10, 10, 1), dtype=np.uint8)
    both = np.concatenate([images, images // 2 + 9])
    dataset = made([0, 1] * 30, images=both)
    parts = split(dataset, SplitSpec(groups="near-duplicates", test=0.3, validation=0.2))
    for at in parts.indices.values():
        assert sorted((at % 30).tolist()) == sorted(2 * np.unique(at % 30).tolist())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("patinet", r"'patinet' is no column; its columns are patient, and the file name 'x0.png' .*did you mean 'patient'"),
        ("x(", r"no regular expression \(missing \)"),
        ("sha256:00", "are not kept beside it"),
    ],
)
def test_what_are_no_groups(said, why):
    with pytest.raises(DataError, match=why):
        found(made([0, 1], ["x0.png", "x1.png"], {"patient": ["1", "2"]}), said)


@pytest.mark.parametrize("empty", ["", " ", "nan", "None"])
def test_images_without_a_group_are_no_group(empty):
    names = [f"{at}.png" for at in range(6)]
    dataset = made([0, 1] * 3, names, {"patient": ["1", empty, "2", "1", empty, "3"]})
    with pytest.raises(DataError, match=r"2 of 6 training images have no 'patient', the first of them '1\.png'; write"):
        found(dataset, "patient")
    with pytest.raises(DataError, match=r"'1\.png' is empty, which is no group; expected an expression that"):
        found(dataset, r"(0?)")
    whole = made([0, 1] * 3, names, {"patient": ["1", "x", "2", "1", "y", "0"]})
    assert found(whole, "patient").tolist() == [0, 1, 2, 0, 3, 4]


def test_too_few_groups_and_no_names():
    with pytest.raises(DataError, match="2 groups for 3 parts; expected one group a part at least"):
        split(made([0, 1, 0, 1], ["a0", "a1", "b0", "b1"]), SplitSpec(groups="^.", test=0.2))
    with pytest.raises(DataError, match="2 groups for 3 folds"):
        split(made([0, 1, 0, 1], ["a0", "a1", "b0", "b1"]), SplitSpec(groups="^.", folds=3), 0)
    with pytest.raises(DataError, match="no names of files to find groups in"):
        found(made([0, 1]), "^.")
    with pytest.raises(ValidationError, match="keeps no groups"):
        SplitSpec(groups="^.", method="tail")


STUDY = """
title = "groups"
dataset = { path = "list.csv" }
split = { groups = "patient", test = 0.3, validation = 0.2 }
[[trial]]
name = "a"
architecture = "logistic-regression"
"""


def test_other_groups_are_another_trial_and_the_store_knows_them(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    patients = random.integers(0, 12, 60)
    lines = ["filename,label,patient"]
    for number, patient in enumerate(patients):
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / f"{number:02}.png")
        lines.append(f"{number:02}.png,{number % 2},{patient}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    (tmp_path / "study.toml").write_text(STUDY)
    plan = api.plan(tmp_path / "study.toml", store=tmp_path / "store")
    [planned] = plan.trials
    assert planned.trial.split.groups == digest(found(plan.dataset, "patient"))
    plan.store.prepare()
    plan.store.keep(plan.dataset, plan.requested)
    again = plan.store.dataset(plan.dataset.content)
    parts, same = (split(one, planned.trial.split) for one in (plan.dataset, again))
    assert all(np.array_equal(at, same.indices[name]) for name, at in parts.indices.items())
    assert again.train.columns["patient"].tolist() == [str(patient) for patient in patients]
    (tmp_path / "list.csv").write_text(
        "\n".join([lines[0], *(line.rpartition(",")[0] + f",{n % 9}" for n, line in enumerate(lines[1:]))])
    )
    other = api.plan(tmp_path / "study.toml", store=tmp_path / "store")
    assert other.dataset.content == plan.dataset.content
    assert other.trials[0].fingerprint != planned.fingerprint


@pytest.mark.parametrize("groups", ["patient", r"^(p\d)"])
def test_groups_that_the_data_sets_own_parts_share_are_told_of(tmp_path: Path, groups: str) -> None:
    random = np.random.default_rng(0)
    lines = ["filename,label,patient,split"]
    for number in range(48):
        name, part = f"p{number % 8}-{number}.png", "val" if number > 39 else "train"
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / name)
        lines.append(f"{name},{number // 8 % 2},p{number % 8},{part}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    study = STUDY.replace('"patient"', f"'{groups}'").replace(", validation = 0.2", "")
    (tmp_path / "study.toml").write_text(study)
    plan = api.plan(tmp_path / "study.toml", store=tmp_path / "store")
    said = "split.groups: 8 groups are among the training images and among the validation images that the data set brings, such"
    assert [note.startswith(said) for note in plan.dataset.notes] == [True]
    plan.store.prepare()
    plan.store.keep(plan.dataset, plan.requested)
    again = plan.store.dataset(plan.dataset.content)
    assert again.validation.columns["patient"].tolist() == [f"p{number % 8}" for number in range(40, 48)]
    assert len(api.plan(tmp_path / "study.toml", store=tmp_path / "store").dataset.notes) == 1
    (tmp_path / "study.toml").write_text(study.replace('"list.csv"', '"list.csv", pool = "validation"'))
    assert api.plan(tmp_path / "study.toml", store=tmp_path / "store").dataset.notes == ()


def test_a_name_in_letters_of_two_pieces_is_one_group():
    one, two = "Jos\u00e9", "Jose\u0301"  # as Windows and as macOS write it
    people = [one, two, "Ida", "Ida", one, "Bo"]
    assert found(made([0, 1] * 3, columns={"person": people}), "person").tolist() == [0, 0, 1, 1, 0, 2]
    assert found(made([0, 1] * 3, names=[f"{name}-{at}.png" for at, name in enumerate(people)]), "(.*)-").tolist() == [
        0, 0, 1, 1, 0, 2
    ]  # fmt: skip


def test_groups_that_are_written_in_two_ways_are_told_of():
    data = made([0, 1] * 3, columns={"person": ["P 1", "p-1", "p2", "-3", "3", "p2"]})
    assert spelt(data, "person") == (
        "split.groups: 'P 1' and 'p-1' are groups of their own; if they are one, write them in one way"
    )
    assert spelt(made([0, 1], columns={"person": ["a", "b"]}), "person") is None
