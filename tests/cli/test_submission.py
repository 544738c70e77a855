"""A submission for Kaggle and the gradient check, through the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess, run

import numpy as np
import pytest

from toile.data.reading.load import load
from toile.study.data.dataset import DatasetSpec

pytestmark = pytest.mark.slow

STUDY = """
title = "small"
dataset = "digits"
[recipe]
epochs = 1
optimizer = { name = "sgd", momentum = 0.9 }
[[trial]]
name = "numpy"
architecture = { name = "numpy-mlp", hidden = [8], l2 = 0.001 }
[[trial]]
name = "neighbours"
architecture = { name = "nearest-neighbours", components = 20 }
[[committee]]
name = "both"
members = ["numpy", "neighbours"]
"""


def toile(*arguments: object, cwd: Path) -> CompletedProcess[str]:
    return run([sys.executable, "-m", "toile.cli", *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a NumPy network and a classical model, trained; and a file of the test images without labels."""
    folder = tmp_path_factory.mktemp("submission")
    (folder / "small.toml").write_text(STUDY)
    images = load(DatasetSpec(name="digits")).test.images
    np.save(folder / "test.npy", {"features": images.reshape(len(images), -1) / 255, "id": np.arange(len(images)) + 500})
    done = toile("run", "small.toml", "--workers", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(("reference", "first"), [("small.toml/neighbours", 1), ("small.toml", 0)])
def test_submission_is_what_the_report_counts(folder: Path, reference: str, first: int) -> None:
    options = ("--format", "kaggle", "--output", "submission.csv", "--first", first)
    done = toile("predict", reference, "test.npy", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    header, *lines = (folder / "submission.csv").read_text().splitlines()
    assert header == "id,target"
    ids, targets = np.array([line.split(",") for line in lines], int).T
    labels = load(DatasetSpec(name="digits")).test.labels
    np.testing.assert_array_equal(ids, np.arange(len(labels)) + 500)
    report = json.loads(toile("report", "small.toml", "--json", cwd=folder).stdout)
    (one,) = [
        found for found in (*report["trials"], *report["committees"])
        if found["name"] == ("neighbours" if "/" in reference else "both")
    ]  # fmt: skip
    assert (targets - first == labels).mean() == pytest.approx(one["test"]["accuracy"], abs=0.005)


def test_ids_that_are_names_are_given_back_as_they_are(folder: Path) -> None:
    images = load(DatasetSpec(name="digits")).test.images
    names = [f"{number:05}" + ".png" * (number % 2) for number in range(len(images))]
    rows = [",".join([name, *map(str, image.ravel())]) for name, image in zip(names, images, strict=True)]
    (folder / "named.csv").write_text("\n".join(["id," + ",".join(f"pixel{i}" for i in range(images[0].size)), *rows]))
    done = toile("predict", "small.toml/neighbours", "named.csv", "--format", "kaggle", "--output", "said.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = (folder / "said.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["id", *names]


def test_submission_of_one_file(folder: Path) -> None:
    done = toile("predict", "small.toml", "test.npy", "test.npy", "--format", "kaggle", cwd=folder)
    assert done.returncode == 2 and "takes one file of images without labels, got 2" in done.stderr
    done = toile("predict", "small.toml", "test.npy", "--format", "kaggle", "--json", "--as-is", cwd=folder)
    assert done.returncode == 2 and "--json, --as-is: not with --format kaggle" in done.stderr


def test_gradient_check(folder: Path) -> None:
    done = toile("check-gradients", "small.toml/numpy", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["layer"], row["array"]) for row in rows] == [
        ("hidden-1", "kernel"), ("hidden-1", "bias"), ("logits", "kernel"), ("logits", "bias"),
    ]  # fmt: skip
    assert max(row["relative_error"] for row in rows) < 1e-6
    assert "relative" in toile("check-gradients", "small.toml/numpy", cwd=folder).stdout
    done = toile("check-gradients", "small.toml/neighbours", cwd=folder)
    assert done.returncode == 2 and "only numpy-mlp has gradients of its own" in done.stderr
    assert toile("check-gradients", "small.toml/numpy", "--epsilon", "0", cwd=folder).returncode == 2
