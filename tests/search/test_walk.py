"""The steps of a search are the same in whatever order its trainings end, and however often it is begun again."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.fixture import SPACE, carried_out, imagine, make_search, make_study, said
from toile.search import diverged
from toile.search.pruning import FAILED
from toile.store.store import Store

ONE = {"architecture": {"name": ["mlp"], "dropout": {"low": 0.0, "high": 0.5}}}
KINDS = ["asha", "hyperband", "halving", False]


@cache
def one_after_the_other(pruning, sampler: str = "tpe") -> list[tuple[str, int, float]]:
    with tempfile.TemporaryDirectory() as folder:
        return said(carried_out(Store(Path(folder)), make_study(trials=10, width=3, pruning=pruning, sampler=sampler)))


@pytest.mark.parametrize("pruning", KINDS)
@given(random=st.randoms(use_true_random=False))
@settings(max_examples=3, deadline=None)
def test_no_order_and_no_end_makes_a_difference(pruning, random):
    study = make_study(trials=10, width=3, pruning=pruning)
    with tempfile.TemporaryDirectory() as folder:
        found = said(carried_out(Store(Path(folder)), study, random.choice, lambda: random.random() < 0.2))
    assert found == one_after_the_other(pruning)


def test_what_a_choice_has_not_is_not_proposed(tmp_path):
    walk = make_search(Store(tmp_path), make_study(trials=30, width=30, when={"cnn": {"recipe": {"batch_size": [16]}}})).walk
    for proposal in walk.proposals:
        values, trial = proposal.values, proposal.whole[0].trial
        assert trial.architecture.name == values["architecture", "name"]
        if trial.architecture.name == "logistic-regression":
            assert values.keys() == {("architecture", "name")} and proposal.rungs == (1,)
            continue
        momentum = trial.recipe.optimizer.options.get("momentum")
        assert (
            (("recipe", "optimizer", "momentum") in values) == (trial.recipe.optimizer.name == "sgd") == (momentum is not None)
        )
        assert trial.recipe.optimizer.options["learning_rate"] == values["recipe", "optimizer", "learning_rate"]
        assert (trial.recipe.batch_size == 16) == (trial.architecture.name == "cnn")
        assert proposal.rungs == (1, 3, 9) and [one.trial.recipe.epochs for one in proposal.at(3)] == [3]
    assert {proposal.values["architecture", "name"] for proposal in walk.proposals} == set(SPACE["architecture"]["name"])


def test_a_loss_that_is_no_number_is_the_worst_of_figures_and_is_not_tried_again(tmp_path):
    store, study = (
        Store(tmp_path),
        make_study(trials=9, width=1, space=ONE),
    )
    walk = make_search(store, study).walk
    first = walk.proposals[0]
    diverged.note(store, first.whole[0].fingerprint, 2)
    while open_ := walk.advance():
        for i in open_:
            for one in walk.trials(i):
                imagine(store, one)
    # Its first epoch counts; with three it has failed.
    of_first = [(walk.epochs(i), walk.outcomes[i].value) for i, step in enumerate(walk.steps) if step.proposal == 0]
    assert of_first[0][1] > 0 and all(value == FAILED for epochs, value in of_first if epochs > 1)
    assert said(make_search(store, study).walk) == said(walk)


def test_a_budget_of_core_seconds_is_that_of_all_runs(tmp_path):
    store, study = Store(tmp_path), make_study(core_seconds=10.0, width=1, pruning=False, epochs=2)
    spent = [outcome.seconds for outcome in carried_out(store, study).outcomes]
    assert sum(spent) <= 10 < sum(spent) + max(spent)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("budget", [20.0, 50.0, 100.0])
def test_what_is_open_counts_in_a_budget_of_core_seconds(tmp_path, budget, width):
    """What was begun is trained to its end, and several steps may be open."""
    study = make_study(core_seconds=budget, width=width, epochs=9)
    walk = carried_out(Store(tmp_path), study)
    assert budget - 9 < sum(outcome.seconds for outcome in walk.outcomes) <= budget
    assert said(make_search(Store(tmp_path), study).walk) == said(walk)


@given(random=st.randoms(use_true_random=False))
@settings(max_examples=4, deadline=None)
def test_no_order_and_no_end_makes_a_difference_to_what_a_budget_of_core_seconds_is_spent_on(random):
    study = make_study(core_seconds=40.0, width=3)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        found = said(carried_out(Store(Path(one)), study, random.choice, lambda: random.random() < 0.2))
        assert found == said(carried_out(Store(Path(other)), study))


def test_what_diverges_is_part_of_a_budget_of_core_seconds(tmp_path):
    """Or a search in which everything does would never end."""
    store, study = Store(tmp_path), make_study(core_seconds=15.0, width=1, pruning=False, space=ONE)
    walk = make_search(store, study).walk
    while open_ := walk.advance():
        for one in walk.trials(open_[0]):
            diverged.note(store, one.fingerprint, 1, seconds=6.0)
    assert walk.ended and [(known.value, known.seconds) for known in walk.outcomes] == [(FAILED, 6.0)] * 2


def test_what_holds_for_one_architecture_is_in_place_of_a_table_and_of_its_keys(tmp_path):
    space = {
        "architecture": {"name": ["mlp", "cnn"]},
        "recipe": {"augmentation": {"rotation": [0.1]}, "optimizer": ["sgd", {"name": "adam"}]},
    }
    when = {"mlp": {"recipe": {"augmentation": [False], "optimizer": {"learning_rate": [0.5]}}}}
    walk = make_search(Store(tmp_path), make_study(trials=8, width=8, space=space, when=when, sampler="random")).walk
    recipes = {one.trial.architecture.name: one.trial.recipe for proposal in walk.proposals for one in proposal.whole}
    assert recipes["mlp"].augmentation is None and recipes["mlp"].optimizer.options["learning_rate"] == 0.5
    assert recipes["cnn"].augmentation.rotation == 0.1 and recipes["cnn"].optimizer.options["learning_rate"] != 0.5


def test_a_space_that_has_no_more_ends(tmp_path):
    store, study = Store(tmp_path), make_study(trials=1000, width=1, space={"architecture": {"name": ["mlp", "cnn"]}}, epochs=1)
    walk = carried_out(store, study)
    assert len({one.said for one in walk.proposals}) == 2 and len(walk.proposals) < 100


def test_what_is_left_of_a_budget_is_spent_on_what_was_proposed(tmp_path):
    """A small space has no more proposals long before the time is over. Then all go on, the best of the highest rung first."""
    space = {"architecture": {"name": ["mlp"], "dropout": [0.0, 0.1, 0.2, 0.3, 0.4]}}
    study = make_study(core_seconds=1000.0, width=2, space=space, epochs=9)
    walk = carried_out(Store(tmp_path / "all"), study)
    longest = {walk.proposals[step.proposal].said: 9 for step in walk.steps if step.rung == walk.levels - 1}
    assert walk.exhausted and len(longest) == 5
    assert said(make_search(Store(tmp_path / "all"), study).walk) == said(walk)
    # As far as a budget goes, and in the same order; a number of proposals is no such budget.
    some = carried_out(Store(tmp_path / "some"), make_study(core_seconds=30.0, width=2, space=space, epochs=9))
    assert said(some) == said(walk)[: len(some.steps)] and 20 < sum(known.seconds for known in some.outcomes) <= 30
    few = carried_out(Store(tmp_path / "few"), make_study(trials=1000, width=2, space=space, epochs=9))
    assert not few.exhausted and sum(known.seconds for known in few.outcomes) < 45
