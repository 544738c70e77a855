"""What may be compared, by which test: runs, committees, lines of several trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import toile
from tests.runner.fixture import keep_run
from toile import api
from toile.errors import Misuse, ToileError

STUDY = """
title = "made"
dataset = "digits"
seeds = [0, 1, 2]
{more}
[[trial]]
name = "a"
architecture = "mlp"
[[trial]]
name = "b"
architecture = "mlp"
recipe = {{ optimizer = "sgd" }}
[[trial]]
name = "one"
architecture = "mlp"
seeds = [7]
[[committee]]
name = "both"
members = ["a", "b"]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return stored(tmp_path)


def stored(folder: Path, more: str = "") -> Path:
    path = folder / "made.toml"
    path.write_text(STUDY.format(more=more), "utf-8")
    plan = api.plan(path, store=folder / "store")
    plan.store.prepare()
    plan.store.keep(plan.dataset, plan.requested)
    for one in plan.trials:
        parts, said = plan.parts(one), {}
        for name in ("validation", "test"):
            if (images := getattr(parts, name)) is not None:
                scores = np.random.default_rng([one.trial.seed, len(said), ord(one.line[0])]).normal(size=(len(images), 10))
                scores[np.arange(len(images)), images.labels] += 3 if one.line == "a" else 1
                exponentials = np.exp(scores)
                said[name] = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
        keep_run(plan.store, one, probabilities=said)
    return path


def test_lines_are_compared_over_seeds_and_trainings_over_images(study: Path) -> None:
    where = {"store": study.parent / "store"}
    over_seeds = toile.compare(f"{study}/a", f"{study}/b", **where)
    assert (over_seeds["over"], over_seeds["trainings"], over_seeds["differ"]) == ("seeds", 3, True)
    single = toile.compare(f"{study}/a (seed 0)", f"{study}/b (seed 0)", **where)
    assert (single["over"], single["trainings"]) == ("images", 1)
    assert over_seeds["each"][0] == pytest.approx(single["accuracies"])


def test_committees_are_compared_with_their_members(study: Path) -> None:
    where = {"store": study.parent / "store"}
    found = toile.compare(f"{study}/both", f"{study}/a", margin=0.001, **where)
    assert (found["over"], found["trainings"]) == ("seeds", 3)
    assert found["equivalence"]["margin"] == 0.001
    single = toile.compare(f"{study}/both (seed 1)", f"{study}/one", **where)
    assert single["over"] == "images"
    assert single["accuracies"][0] == pytest.approx(found["each"][1][0])


def test_folds_are_compared_by_the_corrected_test(tmp_path: Path) -> None:
    study = stored(tmp_path, "split = { folds = 3 }")
    found = toile.compare(f"{study}/a", f"{study}/b", store=tmp_path / "store")
    assert (found["split"], found["over"], found["trainings"]) == ("validation", "folds", 9)
    differences = np.subtract(*np.transpose(found["each"]))
    half = (found["interval"][1] - found["interval"][0]) / 2
    spread = np.sqrt((1 / 9 + 1 / 2) * differences.var(ddof=1))
    assert half == pytest.approx(2.306004135 * spread)  # t of 8 degrees of freedom


def test_what_is_no_pair_is_refused(study: Path) -> None:
    where = {"store": study.parent / "store"}
    with pytest.raises(Misuse, match=r"'.*/a' has 3 trainings and '.*/one' has 1, of which 0 are of the same seed"):
        toile.compare(f"{study}/a", f"{study}/one", **where)
    with pytest.raises(Misuse, match="has no trial 'c'"):
        toile.compare(f"{study}/a", f"{study}/c", **where)
    with pytest.raises(Misuse, match="a margin is above 0"):
        toile.compare(f"{study}/a", f"{study}/b", margin=0, **where)
    with pytest.raises(ToileError, match="not all members of 'both' are stored"):
        toile.compare(f"{study}/both", f"{study}/a", store=study.parent / "other")
