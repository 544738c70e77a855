"""The page's view of a search: its proposals, what it came to, and which trainings rest."""

from __future__ import annotations

import pytest

from tests.search.fixture import carried_out, imagine, make_search
from tests.training.fixture import make_store
from toile import studies
from toile.viewer.looking import Looking
from toile.viewer.shown import Studies

STUDY = """
title = "found"
dataset = "digits"
[recipe]
epochs = 4
[search]
trials = 6
width = 2
factor = 2
[search.space]
architecture.name = ["mlp"]
architecture.dropout = { low = 0.0, high = 0.5 }
"""


@pytest.fixture
def shown(tmp_path):
    (tmp_path / "find.toml").write_text(STUDY)
    store = make_store(tmp_path / "store")
    return Studies(Looking(store.root), folder=tmp_path), store, studies.load(tmp_path / "find.toml").spec


def test_a_search_that_has_not_begun_is_not_shown(shown):
    assert shown[0].all() == []


def test_what_it_has_come_to_is_shown_as_it_goes(shown):
    studies, store, spec = shown
    first = make_search(store, spec).walk.trials(0)[0]
    imagine(store, first)
    (about,) = studies.all()
    assert about["states"]["stored"] == 1 and about["names"][first.fingerprint] == "search 1, 1 epoch"
    carried_out(store, spec)
    (about,) = studies.all()
    walk = make_search(store, spec).walk
    assert about["states"] == {"stored": len(walk.steps), "begun": 0, "missing": 0}
    # All of its trainings have a name, and nobody goes on with any.
    wholes = [one.fingerprint for proposal in walk.proposals for one in proposal.whole]
    assert set(about["resting"]) == set(wholes) <= about["names"].keys() and about["committees"] == 1


def test_the_leaderboard(shown):
    studies, store, spec = shown
    carried_out(store, spec)
    found = studies.told("find")
    search, known = found["search"], {one.fingerprint for one in store.runs()}
    assert search["metric"] == "accuracy" and len(search["rows"]) == 6
    figures = [row["figure"] for row in search["rows"]]
    assert figures == sorted(figures, reverse=True)
    assert all(set(row["fingerprints"]) <= known for row in search["rows"])
    assert search["paragraphs"][0].startswith("6 different proposals by tpe, pruned by asha")
    assert [one["name"] for one in found["committees"]] == ["search-committee"]
