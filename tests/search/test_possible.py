"""What no training can be is told when a search is planned; what only turns out later counts as the worst."""

from __future__ import annotations

import pytest

from tests.search.fixture import carried_out, make_search, make_study
from toile import studies
from toile.search.outcome import outcome
from toile.search.pruning import FAILED
from toile.search.searched import coming
from toile.store.store import Store
from toile.study.file.read import StudyError

DEEP = [8] * 7


def told(tmp_path, space, **search) -> list[str]:
    with pytest.raises(StudyError) as caught:
        make_search(Store(tmp_path), make_study(**{"trials": 5, **search}, space=space)).checked()
    return caught.value.mistakes


def test_values_that_cannot_be_are_told_with_budgets_that_are_too_small_all_at_once(tmp_path):
    space = {"architecture": {"name": ["cnn", "numpy-mlp"], "filters": [[8], DEEP]}}
    budget = {"trials": None, "minutes": 0.01, "core_seconds": 3.0}
    filters, learner, minutes, seconds = told(tmp_path, space, **budget, study={"seeds": [0, 1]})
    assert filters.startswith(f"search.space: cnn, architecture.filters = {DEEP}: cnn cannot be built for (28, 28, 1) images")
    assert learner == (
        "search.space: numpy-mlp: numpy-mlp learns by sgd with learning_rate and momentum only; [search.when.NAME] says what "
        "holds for one architecture alone"
    )
    assert minutes.startswith("search.minutes: 0.01 is less than one training takes, which is about 8 s; give more, or search")
    # Two seeds are twice the core seconds.
    assert seconds.startswith("search.core_seconds: 3 is less than one proposal takes with all its seeds and folds")
    assert "about 16 s" in seconds


def test_what_holds_for_one_architecture_alone_makes_it_possible(tmp_path):
    space = {"architecture": {"name": ["mlp", "numpy-mlp"]}, "recipe": {"optimizer": {"learning_rate": [0.01, 0.1]}}}
    when = {"numpy-mlp": {"recipe": {"optimizer": {"name": ["sgd"]}}}}
    made = make_search(Store(tmp_path), make_study(trials=5, space=space, when=when))
    assert made.checked() is made


def test_a_search_that_has_begun_is_not_asked_whether_its_budget_is_enough(tmp_path):
    store, study = Store(tmp_path), make_study(core_seconds=1.0, epochs=1)
    assert len(told(tmp_path, study.search.space, trials=None, core_seconds=1.0, epochs=1)) == 1
    carried_out(store, study)
    make_search(store, study).checked()


def test_values_that_do_not_go_together_count_as_the_worst_and_train_nothing(tmp_path):
    """Three blocks can be built, or a block that leaves a third of each side; three such blocks cannot."""
    space = {"architecture": {"name": ["cnn"], "filters": [[4], [4] * 3], "pool": [2, 3]}}
    store, study = Store(tmp_path), make_study(trials=8, width=1, space=space, epochs=1, sampler="random")
    make_search(store, study).checked()
    walk = carried_out(store, study)
    failed = {i for i, known in enumerate(walk.outcomes) if known.value == FAILED}
    chosen = [walk.proposals[step.proposal].values for step in walk.steps]
    both = {i for i, one in enumerate(chosen) if one["architecture", "pool"] == 3 and len(one["architecture", "filters"]) == 3}
    assert failed == both != set() and all(walk.trials(i) == () for i in failed)
    assert len(outcome(make_search(store, study)).entries) == 3


def test_a_space_of_nothing_that_can_be_trained_ends(tmp_path):
    space = {"architecture": {"name": ["cnn"], "filters": [DEEP], "dropout": {"low": 0.0, "high": 0.5}}}
    made = make_search(Store(tmp_path), make_study(minutes=60.0, space=space))
    assert made.walk.ended and made.trials == ()


def test_weights_of_a_space_lie_beside_the_study(tmp_path):
    (tmp_path / "some.weights.h5").write_bytes(b"")
    text = (
        'title = "a"\ndataset = "digits"\n[search]\ntrials = 1\n[search.space]\narchitecture.name = ["transfer"]\n'
        'architecture.weights = ["some.weights.h5"]\n'
        '[search.when.transfer]\narchitecture.weights = ["none", "some.weights.h5"]\n'
    )
    (tmp_path / "study.toml").write_text(text)
    search = studies.load(tmp_path / "study.toml").spec.search
    there = str(tmp_path / "some.weights.h5")
    assert search.space["architecture"]["weights"] == [there]
    assert search.when["transfer"]["architecture"]["weights"] == ["none", there]


def test_a_plan_says_what_a_search_is_going_to_do(tmp_path):
    store, study = Store(tmp_path), make_study(trials=3, core_seconds=100.0, width=2, sampler="random")
    assert coming(make_search(store, study)) == (
        "The search (random, asha) ends after 3 proposals or 100 core seconds. So far 2 proposals are made, and 0 of 2 steps "
        "with them are known; the trials that are missing come next, and others after them."
    )
    walk = carried_out(store, study)
    assert coming(make_search(store, study)) == (
        f"The search (random, asha) is over: 3 proposals are made, and {len(walk.steps)} of {len(walk.steps)} steps with them "
        "are known."
    )
    short = make_search(Store(tmp_path / "short"), make_study(epochs=5, first_epochs=3, trials=1, sampler="random"))
    assert coming(short).startswith("The search (random, asha: too few epochs to prune) ends after 1 proposal.")
