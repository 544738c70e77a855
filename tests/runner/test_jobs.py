"""Jobs: trials that are the beginning of a longer one are read on its way, and only those."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.fixture import make_trial
from toile.runner.jobs import jobs, seconds_left
from toile.runner.plans.planned import PlannedTrial

EPOCH_FREE = ("constant", "hold-then-decay", "exponential", "cosine-restarts")
SCHEDULES = (*EPOCH_FREE, "cosine", "one-cycle")


def planned(**trial) -> PlannedTrial:
    made = make_trial(**trial)
    return PlannedTrial(made.fingerprint[:6], "line", made, None)


trials = st.builds(
    planned,
    seed=st.integers(0, 1),
    epochs=st.integers(1, 5),
    schedule=st.sampled_from(SCHEDULES).map(lambda name: {"name": name}),
    early_stopping=st.sampled_from([False, False, {"patience": 2}]),
    batch_size=st.sampled_from([32, 64]),
)
pendings = st.lists(trials, max_size=12, unique_by=lambda one: one.fingerprint)


def without_epochs(one: PlannedTrial) -> str:
    content = json.loads(one.trial.canonical())
    del content["recipe"]["epochs"]
    return json.dumps(content, sort_keys=True)


@given(pending=pendings)
@settings(max_examples=60, deadline=None)
def test_laws(pending):
    made = jobs(pending)
    # Every trial is in exactly one job.
    assert sorted(one.fingerprint for job in made for one in job.trials) == sorted(one.fingerprint for one in pending)
    position = np.linspace(0, 5, 11)
    for job in made:
        # They differ in their epochs and nothing else, fewest first.
        epochs = [one.trial.recipe.epochs for one in job.trials]
        assert epochs == sorted(set(epochs)) and job.longest is job.trials[-1] and job.fingerprint == job.longest.fingerprint
        assert len({without_epochs(one) for one in job.trials}) == 1
        # What is shared looks at no number of epochs: at each moment all have the same learning rate, and none stops early.
        if len(job.trials) > 1:
            factors = [one.trial.recipe.schedule.factors(position, one.trial.recipe.epochs) for one in job.trials]
            assert all(np.array_equal(factor, factors[0]) for factor in factors)
            assert job.longest.trial.recipe.early_stopping is None
    # Whatever may be shared is: no two jobs are the same but for their epochs.
    shareable = [
        without_epochs(job.longest) for job in made
        if job.longest.trial.recipe.schedule.name in EPOCH_FREE and job.longest.trial.recipe.early_stopping is None
    ]  # fmt: skip
    assert len(set(shareable)) == len(shareable)
    # The order of `pending`, by the first trial of each job.
    position_of = {one.fingerprint: i for i, one in enumerate(pending)}
    firsts = [min(position_of[one.fingerprint] for one in job.trials) for job in made]
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_that_look_at_the_number_of_epochs_share_nothing(schedule):
    made = jobs([planned(epochs=epochs, schedule={"name": schedule}) for epochs in (3, 1, 2)])
    assert [len(job.trials) for job in made] == ([3] if schedule in EPOCH_FREE else [1, 1, 1])


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
def test_schedules_that_are_laid_out_for_the_same_length_are_shared(schedule):
    laid_out = {"schedule": {"name": schedule}, "schedule_epochs": 9}
    made = jobs([planned(epochs=3, **laid_out), planned(epochs=9, schedule={"name": schedule}), planned(epochs=1, **laid_out)])
    assert [[one.trial.recipe.epochs for one in job.trials] for job in made] == [[1, 3, 9]]
    assert all(made[0].longest.trial.first(one.trial.recipe.epochs) == one.trial for one in made[0].trials)


def test_early_stopping_shares_nothing():
    assert len(jobs([planned(epochs=epochs, early_stopping={}) for epochs in (3, 1)])) == 2


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"batch_size": 16}, {"optimizer": "sgd"}, {"validation": 0.5}, {"options": {"dropout": 0.1}},
     {"backend": "jax"}, {"scaling": "min-max"}, {"augmentation": {}}],
)  # fmt: skip
def test_whatever_else_differs_is_a_training_of_its_own(other):
    assert len(jobs([planned(epochs=3), planned(**{"epochs": 2, **other})])) == 2


def test_trials_of_different_beginnings_share_nothing():
    cold = planned(epochs=2)
    warm = [
        PlannedTrial(f"warm {epochs}", "line", make_trial(epochs=epochs).model_copy(update={"warm_start": parent}), None)
        for epochs, parent in ((1, "a" * 64), (3, "a" * 64), (2, "b" * 64))
    ]
    made = jobs([cold, *warm])
    assert [job.name for job in made] == [cold.name, "warm 3 + warm 1", "warm 2"]
    assert [job.after for job in made] == [(), ("a" * 64,), ("b" * 64,)]


def test_no_trial_is_no_job():
    assert jobs([]) == [] and seconds_left(SimpleNamespace(seconds=None), [], 2) == 0


@given(pending=pendings, workers=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_time_left(pending, workers):
    """Spread over the workers it is no less than a fair share, nor than the longest; with one worker it is the sum."""
    plan = SimpleNamespace(seconds=lambda one: float(one.trial.recipe.epochs))
    each = [plan.seconds(job.longest) for job in jobs(pending)]
    left = seconds_left(plan, pending, workers)
    assert max([sum(each) / workers, *each], default=0) <= left <= sum(each)
    assert seconds_left(plan, pending, 1) == sum(each)
