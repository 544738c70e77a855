"""Damaged files of every kind: data or one clear error, whatever was done to them. Nothing hangs, nothing is run."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.data.damage import KINDS, Hung, Watch, damaged, outcomes
from toile.data import formats

COUNT = int(os.environ.get("TOILE_DAMAGES", "600"))


@pytest.fixture(scope="module")
def watch():
    return Watch()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_damage_is_read_or_refused(name: str, watch: Watch) -> None:
    found = outcomes(name, COUNT, 0, watch)
    assert not found["examples"], "\n".join(found["examples"].values())
    assert sum(found["outcomes"].values()) == COUNT
    assert found["outcomes"]["refused"] > COUNT / 3


def test_every_format_is_damaged() -> None:
    assert {name.partition(",")[0].partition(".")[0].partition(" ")[0] for name in KINDS} > {*formats.names()} - {"folder"}


def test_damage_is_the_same_each_time_and_of_many_kinds() -> None:
    good = bytes(range(256)) * 4
    made = [damaged(good, random.Random(seed)) for seed in range(300)]
    assert made == [damaged(good, random.Random(seed)) for seed in range(300)]
    assert len(set(made)) > 200
    assert good not in made


def test_the_watch_sees_what_is_run(watch: Watch, tmp_path: Path) -> None:
    """Or the test above would say nothing."""
    with watch.watching():
        os.system(f"touch {tmp_path / 'run'}")
    assert watch.seen
    assert not issubclass(Hung, Exception)
