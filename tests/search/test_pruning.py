"""Which step comes next."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toile.search.pruning import FAILED, NEW, Step, decide, rungs
from toile.study.search.search import SearchSpec


def spec(**more) -> SearchSpec:
    return SearchSpec.model_validate({"space": {"architecture": {"name": ["mlp"]}}, "trials": 100, **more})


def carried_out(asked: SearchSpec, levels: int, value, most: int = 500) -> list[Step]:
    """All steps, each known as soon as it is decided. `value` of a step."""
    steps, values = [], []
    while len(steps) < most:
        step = decide(asked, levels, steps, values)
        if isinstance(step, str):
            assert step == "end"
            break
        if step.proposal == NEW:
            step = Step(1 + max((one.proposal for one in steps), default=-1), step.rung)
        steps.append(step)
        values.append(value(step))
    return steps


@pytest.mark.parametrize(
    ("epochs", "more", "expected"),
    [
        (27, {}, (1, 3, 9, 27)),
        (27, {"first_epochs": 3}, (3, 9, 27)),
        (10, {}, (1, 3, 10)),
        (2, {}, (1, 2)),
        (1, {}, (1,)),
        (16, {"factor": 4}, (1, 4, 16)),
        (27, {"pruning": False}, (27,)),
    ],
)
def test_rungs(epochs, more, expected):
    assert rungs(epochs, spec(**more)) == expected


def test_halving_keeps_a_third_each_time():
    steps = carried_out(spec(pruning="halving", trials=27), 4, lambda step: float(step.proposal))
    assert Counter(step.rung for step in steps) == {0: 27, 1: 9, 2: 3, 3: 1}
    assert steps[27:36] == [Step(one, 1) for one in range(26, 17, -1)] and steps[-1] == Step(26, 3)


def test_the_brackets_of_hyperband_are_those_of_the_paper():
    # Li et al. 2018, table 1, with R = 81 and eta = 3.
    steps = carried_out(spec(pruning="hyperband", trials=81 + 34 + 15 + 8 + 5), 5, lambda step: float(step.proposal))
    first = [Counter(), Counter(), Counter(), Counter(), Counter()]
    for step in steps:
        first[sum(step.proposal >= end for end in (81, 115, 130, 138))][step.rung] += 1
    assert first == [{0: 81, 1: 27, 2: 9, 3: 3, 4: 1}, {1: 34, 2: 11, 3: 3, 4: 1}, {2: 15, 3: 5, 4: 1}, {3: 8, 4: 2}, {4: 5}]


def test_asha_promotes_at_once_and_brings_one_to_the_end():
    steps = carried_out(spec(trials=4), 3, lambda step: float(step.proposal))
    # The first third of three is one; after the last proposal the best of a rung goes on where nobody has.
    assert steps == [Step(0, 0), Step(1, 0), Step(2, 0), Step(2, 1), Step(3, 0), Step(3, 1), Step(3, 2)]


def test_where_the_space_has_no_more_all_go_on_and_the_best_of_the_highest_rung_first():
    asked, steps = spec(), [Step(0, 0), Step(1, 0), Step(2, 0), Step(2, 1)]
    values = [2.0, 1.0, 3.0, 0.0]
    for expected in [Step(2, 2), Step(0, 1), Step(0, 2), Step(1, 1), Step(1, 2)]:
        assert decide(asked, 3, steps, values, exhausted=True) == expected
        steps.append(expected)
        values.append(0.5)
    assert decide(asked, 3, steps, values, exhausted=True) == "end"


@given(
    pruning=st.sampled_from(["asha", "halving", "hyperband", False]),
    levels=st.integers(1, 4),
    trials=st.integers(1, 40),
    seed=st.randoms(use_true_random=False),
)
def test_laws(pruning, levels, trials, seed):
    drawn: dict[Step, float] = {}

    def value(step: Step) -> float:
        return drawn.setdefault(step, seed.choice([seed.random(), FAILED]))

    steps = carried_out(spec(pruning=pruning, trials=trials), levels, value)
    assert len(set(steps)) == len(steps) and {step.proposal for step in steps} == set(range(trials))
    for i, step in enumerate(steps):
        before = [one.rung for one in steps[:i] if one.proposal == step.proposal]
        # One rung after the other, and never on from a loss that is no number.
        assert not before or (before[-1] == step.rung - 1 and drawn[Step(step.proposal, before[-1])] != FAILED)
    if pruning is False:
        assert {step.rung for step in steps} == {levels - 1}
