"""What came of a search, as reports show it."""

from __future__ import annotations

import io
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from tests.search.fixture import carried_out, make_search, make_study
from toile.errors import Misuse
from toile.evaluation.metrics import accuracy
from toile.evaluation.predictions import Predictions
from toile.reports.page.html import render
from toile.reports.page.search import luck, paragraphs
from toile.reports.results.gather import gather
from toile.reports.results.search import front, search_result
from toile.reports.results.summary import summary
from toile.reports.terminal.search import print_search
from toile.runner.plans import committees
from toile.runner.show import status
from toile.search.importance import importance
from toile.search.outcome import Entry, Outcome, outcome
from toile.search.pruning import Step
from toile.search.samplers import Asked
from toile.search.searched import COMMITTEE, Searched
from toile.search.walk import Outcome as Known
from toile.store.store import Store
from toile.terminal import Terminal


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Searched:
    """A search of 20 proposals that is over."""
    store, study = Store(Path(tmp_path_factory.mktemp("store"))), make_study(trials=20, width=2)
    carried_out(store, study)
    made = make_search(store, study)
    store.keep(made.dataset, made.requested)
    return made


def test_the_validation_images_pick(plan):
    found = outcome(plan)
    figures = [one.figure for one in found.entries]
    assert figures == sorted(figures, reverse=True) and len({one.proposal.said for one in found.entries}) == len(figures)
    assert found.pick.figure == max(one.value for one in plan.walk.outcomes)
    for one in found.entries:
        assert one.figure == accuracy(one.said[0].probabilities, one.said[0].labels)
    seconds, best = zip(*found.course, strict=True)
    assert list(seconds) == sorted(seconds) and list(best) == sorted(best) and best[-1] == found.pick.figure


def test_a_pick_is_judged_on_images_that_it_was_not_picked_on():
    """Sixty that guess: the best looks better than a guess, and on other images it is one."""
    generator, labels = np.random.default_rng(0), np.tile([0, 1], 200)
    entries = []
    for _ in range(60):
        said = Predictions("validation", np.eye(2, dtype=np.float32)[generator.integers(0, 2, len(labels))], labels)
        entries.append(Entry(None, 1, accuracy(said.probabilities, labels), (), (), 1.0, (said,)))
    found = Outcome("accuracy", tuple(sorted(entries, key=lambda one: -one.figure)), ())
    assert found.pick.figure > 0.54 and abs(found.elsewhere - 0.5) < 0.05


def test_of_several_that_are_as_good_none_is_taken_for_what_it_says_of_other_images():
    """Of few images many are as good as the best on four fifths of them. Who comes first of those is better on the rest."""
    generator, labels, found = np.random.default_rng(0), np.tile([0, 1], 10), []
    for _ in range(50):
        entries = []
        for _ in range(25):
            said = Predictions("validation", np.eye(2, dtype=np.float32)[generator.integers(0, 2, len(labels))], labels)
            entries.append(Entry(None, 1, accuracy(said.probabilities, labels), (), (), 1.0, (said,)))
        found.append(Outcome("accuracy", tuple(sorted(entries, key=lambda one: -one.figure)), ()).elsewhere)
    # All guess, so it is a half, with a standard deviation of some 0.14 for each of these.
    assert abs(np.mean(found) - 0.5) < 0.05


def test_those_that_cannot_be_told_apart(plan):
    found = outcome(plan)
    assert found.apart[0] is False and len(found.apart) == len(found.entries)
    # The last is right on less than half of the images on which the first is.
    assert found.apart[-1] is True and found.apart == tuple(sorted(found.apart))


def test_test_figures_are_shown_of_the_pick_and_the_committee_alone(plan):
    results = gather(plan)
    assert [trial.name for trial in results.trials] == list(results.search.pick) == [outcome(plan).pick.name]
    assert [one.name for one in results.committees] == [COMMITTEE] and results.search.shipped == COMMITTEE
    said = summary(results)
    assert "test" not in said["search"]["rows"][0] and said["search"]["test"] == results.trials[0].test["accuracy"]
    assert len(said["search"]["rows"]) == len(outcome(plan).entries)
    # Nor do `toile status` and the checks of `toile plan` know any.
    assert all(one["test"] == {} for one in status(plan)["trials"]) and gather(plan, joined=False).trials == ()


def test_the_command_that_exports_can_be_typed(plan):
    written = io.StringIO()
    print_search(gather(plan).search, shlex.quote("my work/find.toml"), Terminal(file=written, soft_wrap=True, width=200))
    assert "toile export 'my work/find.toml/search-committee'" in written.getvalue()


def test_the_committee_is_chosen_from_all_rungs(plan):
    (committee,) = gather(plan).committees
    assert committee.choice.candidates == len(
        {one.fingerprint for i in range(len(plan.walk.steps)) for one in plan.walk.trials(i)}
    )
    assert committee.rule == "greedy" and committee.fitted_on == "40 validation images"


def test_of_few_validation_images_so_many_of_the_best_are_candidates(tmp_path):
    store, study = Store(tmp_path), make_study(trials=16, width=2, study={"split": {"validation": 0.05}}, sampler="random")
    carried_out(store, study)
    made = make_search(store, study)
    store.keep(made.dataset, made.requested)
    (committee,) = gather(committees.check(made.checked())).committees
    assert len([one for one in made.trials if made.run_of(one)]) > committee.choice.candidates == 10


def test_what_was_proposed_twice_is_one_candidate(tmp_path):
    space = {"architecture": {"name": ["mlp"], "hidden": [[8], [16], [32], [64]], "dropout": [0.0, 0.1, 0.2]}}
    store, study = Store(tmp_path), make_study(trials=24, width=2, study={"split": {"validation": 0.05}}, space=space)
    walk = carried_out(store, study)
    assert len({one.said for one in walk.proposals}) < 24
    # And is trained once: an epoch takes a second.
    longest: dict[str, int] = {}
    for i, step in enumerate(walk.steps):
        longest[walk.proposals[step.proposal].said] = max(walk.epochs(i), longest.get(walk.proposals[step.proposal].said, 0))
    assert sum(known.seconds for known in walk.outcomes) == sum(longest.values())
    made = make_search(store, study)
    assert made.alone == "" and [one.name for one in made.study.committee] == [COMMITTEE]
    committees.check(made.checked())


def test_a_proposal_that_the_study_names_itself_is_called_so(tmp_path):
    """Or what the report says to export would be nothing that there is."""
    own = {"name": "baseline", "architecture": {"name": "logistic-regression"}}
    study = make_study(trials=2, width=1, space={"architecture": {"name": ["logistic-regression"]}}, study={"trial": [own]})
    carried_out(Store(tmp_path), study)
    made = make_search(Store(tmp_path), study)
    made.store.keep(made.dataset, made.requested)
    search = search_result(made)
    assert search.pick == ("baseline",) and search.rows[0]["fingerprints"] == [made.own.trials[0].fingerprint]
    assert [one.candidates for one in made.study.committee] == [("baseline",)]


def test_a_committee_that_cannot_be_stops_no_search(plan, monkeypatch):
    def refuse(made, group):
        raise Misuse("they hold out different images")

    monkeypatch.setattr(committees, "check_group", refuse)
    made = make_search(plan.store, plan.own.study)
    results = gather(made)
    assert results.committees == () and results.search.shipped == outcome(plan).pick.trainings[0].name
    assert "No committee is chosen from what was trained: they hold out different images." in " ".join(paragraphs(results))


def test_a_pick_may_be_better_elsewhere(plan):
    search = gather(plan).search
    for elsewhere, said in [(0.5, "less good."), (0.9999, "better."), (search.figure, "no less good.")]:
        assert said in luck(replace(search, elsewhere=elsewhere))


def test_the_report(plan):
    page = render(gather(plan))
    assert page.count('<section id="search">') == 1
    for figure in ("search-course", "search-fronts"):
        assert f'<figure id="{figure}"' in page
    assert "McNemar, corrected for so many tests" in page
    assert page == render(gather(plan))


def test_what_mattered_are_shares(plan):
    found = gather(plan).search.importance
    assert found["all"].keys() == {"architecture.name"} and all(abs(sum(one.values()) - 1) < 1e-6 for one in found.values())


def test_where_all_that_they_share_is_the_same_nothing_mattered():
    """Optuna has no share of what never differs: each of these has another parameter, and one is the same in all."""
    shared = CategoricalDistribution(["sgd", "adam"])
    walk = SimpleNamespace(steps=[], proposals=[], outcomes=[], space=SimpleNamespace(architectures=["mlp"]))
    for number in range(12):
        asked = Asked({"name": "sgd", f"of {number}": 0.5}, {"name": shared, f"of {number}": FloatDistribution(0, 1)})
        walk.proposals.append(SimpleNamespace(asked=asked))
        walk.steps.append(Step(number, 0))
        walk.outcomes.append(Known(number / 12, 1.0))
    assert importance(walk) == {}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_front(sign):
    rows = [
        {"cost": c, "figure": sign * f, "name": n}
        for c, f, n in [(3, 0.9, "a"), (1, 0.5, "b"), (2, 0.4, "c"), (3, 0.8, "d"), (4, 0.9, "e")]
    ]
    rows.append({"cost": float("inf"), "figure": sign * 1.0, "name": "f"})
    assert [row["name"] for row in front(rows, "cost", sign)] == ["b", "a"]


def test_nothing_came_of_a_search_that_has_not_begun(tmp_path):
    made = make_search(Store(tmp_path), make_study(trials=3))
    assert outcome(made) is None and made.study.committee == ()
