"""A limited time: what cannot end in it is not begun, and what runs at its end is stopped."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from tests.runner.fixture import by_name, four, kinds, line, make_plan
from tests.training.fixture import make_store
from toile.errors import Misuse
from toile.runner import limit
from toile.runner.executors.executor import execute
from toile.runner.executors.local import Local
from toile.runner.jobs import jobs
from toile.runner.limit import TimeLimit


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "store")


def test_what_cannot_end_in_time_is_not_begun(store, pretenders):
    plan, told = four(store), []
    within = TimeLimit(1000.0, lambda job: 1e9 if job.name == "b" else 0.0)
    with Local(2) as place:
        assert execute(jobs(plan.pending()), store, place, told.append, limit=within) == {}
    assert [one.name for one in plan.pending()] == ["b"] and "b" not in {event.name for event in told}


def test_what_runs_at_the_end_is_stopped(store, pretenders, monkeypatch):
    plan, told = four(store), []
    pretenders.tell(dict.fromkeys(by_name(plan).values(), "hang"))
    # The time is over as soon as the first is begun: each look at the clock is a minute later, after one for each job.
    clock = itertools.chain([0.0] * 5, itertools.count(60.0, 60.0))
    monkeypatch.setattr(limit, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with Local(1) as place:
        assert execute(jobs(plan.pending()), store, place, told.append, limit=TimeLimit(1.0, lambda job: 1.0)) == {}
    (name,) = {event.name for event in told}
    assert kinds(told, name)[-1] == "stopped" and len(plan.pending()) == 4


def test_what_waits_for_one_that_cannot_end_in_time_is_not_begun_either(store, pretenders):
    plan, told = make_plan(
        store,
        line("grandchild", 1, warm_start="child"),
        line("child", 2, warm_start="parent"),
        line("parent", 3),
        line("other", 4, seeds=[1]),
    ), []  # fmt: skip
    within = TimeLimit(1000.0, lambda job: 1e9 if job.name == "parent" else 0.0)
    with Local(2) as place:
        assert execute(jobs(plan.pending()), store, place, told.append, limit=within) == {}
    assert {event.name for event in told} == {"other"} and len(plan.pending()) == 3


@pytest.mark.parametrize("minutes", [0, -1, float("inf"), float("nan")])
def test_no_time(minutes):
    with pytest.raises(Misuse, match="--minutes is above 0, got"):
        TimeLimit(minutes, lambda job: 1.0)
