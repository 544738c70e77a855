"""Every comparison of a report, and what it says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.reports.fixture import make_results
from toile.evaluation.multiplicity import holm
from toile.evaluation.predictions import Predictions
from toile.evaluation.significance import mcnemar
from toile.reports.page import comparisons
from toile.reports.page.comparisons import comparison_table
from toile.reports.page.findings import findings
from toile.reports.page.html import render
from toile.reports.plots.groups import told_apart
from toile.reports.results import claims
from toile.reports.results.claim import Claims
from toile.reports.results.study import StudyResults
from toile.reports.results.summary import summary

LINES = {f"{line} (seed {seed})": line for line in ("good", "fair") for seed in range(3)}


@pytest.fixture
def results(tmp_path: Path) -> StudyResults:
    return make_results(tmp_path, train=200, test=400)


def of_seeds(tmp_path: Path, margin: float | None = None) -> StudyResults:
    """Two lines of three seeds each."""
    made = make_results(tmp_path, models=tuple(LINES), train=200, test=400, lines=LINES, committee=False)
    trials = tuple(replace(one, trial={**one.trial, "seed": number % 3}) for number, one in enumerate(made.trials))
    return replace(made, trials=trials, study=made.study.model_copy(update={"equivalence_margin": margin}))


def test_all_are_compared_with_all_and_corrected_together(results: StudyResults) -> None:
    found, labels = results.claims, results.test_images.labels
    said = {("model", one.name): one.stored_run.probabilities("test") for one in results.trials}
    said["committee", "average of all"] = results.committees[0].probabilities
    assert len(found.pairs) == found.tests == 6
    alone = [mcnemar(*(Predictions("test", said[ref], labels) for ref in (one.a, one.b))) for one in found.pairs.values()]
    assert [one.p_value for one in found.pairs.values()] == pytest.approx(holm([test.p_value for test in alone]).tolist())
    assert all(one.test.difference >= 0 for one in found.pairs.values())
    (beside,) = found.beside["average of all"]
    assert {beside.a[0], beside.b[0]} == {"model", "committee"}


def test_lines_are_compared_over_their_seeds(tmp_path: Path) -> None:
    made = of_seeds(tmp_path)
    (claim,) = made.claims.pairs.values()
    of_line = {line: [one.test["accuracy"] for one in made.trials if one.line == line] for line in ("good", "fair")}
    assert (claim.over, claim.test.trainings) == ("seeds", 3)
    assert claim.p_value == pytest.approx(stats.ttest_rel(of_line["good"], of_line["fair"]).pvalue)
    (row,) = comparison_table(made).rows
    assert row[:3] == [claim.a[1], claim.b[1], "3 seeds"]
    assert "speak of architectures and recipes" in findings(made)[-1]


def test_equivalence_is_tested_where_the_study_has_a_margin(tmp_path: Path) -> None:
    made = of_seeds(tmp_path, margin=0.9)
    (claim,) = made.claims.pairs.values()
    assert made.claims.tests == 3 and claim.equivalent and claim.only_not_worse is None
    assert claim.not_worse == (claim.test.not_worse(0.9), claim.test.turned().not_worse(0.9)), "one pair: nothing to correct"
    assert "equivalent within 0.9" in comparison_table(made).rows[0][-1]
    (told,) = summary(made)["comparisons"]
    assert told["equivalent"] is True and told["equivalence_p_value"] == claim.equivalence == max(told["not_worse_p_values"])
    assert told["not_worse"] == [True, True]
    assert "p of equivalence, corrected" in render(made)


def test_folds_are_compared_by_the_corrected_test(tmp_path: Path) -> None:
    lines = {f"{line} (fold {fold})": line for line in ("good", "fair") for fold in (1, 2)}
    made = make_results(tmp_path, models=tuple(lines), train=200, test=60, lines=lines, folds=True, committee=False)
    trials = tuple(
        replace(one, trial={**one.trial, "seed": 0, "fold": number % 2, "split": {"folds": 2}})
        for number, one in enumerate(made.trials)
    )
    (claim,) = replace(made, trials=trials).claims.pairs.values()
    assert (claim.over, claim.test.trainings) == ("folds", 2)
    a, b = ([one.validation["accuracy"] for one in trials if one.line == line] for line in (claim.a[1], claim.b[1]))
    assert claim.test.spread == pytest.approx(np.sqrt((1 / 2 + 1) * np.subtract(a, b).var(ddof=1)))


def test_a_committee_of_some_seeds_is_beside_its_own_best_member(tmp_path: Path) -> None:
    """Nothing pairs one committee with a line of three seeds, so it is compared with a training."""
    made = of_seeds(tmp_path)
    other = make_results(tmp_path / "other", train=200, test=400)
    members = tuple(replace(one, line=LINES[trial.name], name=trial.name) for one, trial in zip(
        other.committees[0].joined, made.trials, strict=False
    ))  # fmt: skip
    both = replace(made, committees=(replace(other.committees[0], joined=members),))
    (claim,) = both.claims.beside["average of all"]
    assert claim.over == "images" and len(both.claims.pairs) == 2
    assert "McNemar’s exact test" in findings(both)[1]


def test_a_member_that_was_chosen_by_the_test_images_has_to_be_better_by_more(tmp_path: Path) -> None:
    """The best of three is better than their committee by a p-value three times as large; the committee by its own."""
    other = make_results(tmp_path / "other", train=200, test=400)
    (committee,), labels = other.committees, other.test_images.labels
    best = claims.best_member(committee)
    for said, times in ((other.trials[2].stored_run.probabilities("test"), 3), (np.eye(10, dtype=np.float32)[labels], 1)):
        alone = mcnemar(*(Predictions("test", one, labels) for one in (said, best.probabilities)))
        ((*_, test, among),) = claims._one_by_one(other, [replace(committee, probabilities=said)])
        assert (test.difference < 0) == (times == 3) and among == 3
        p_value, ours, its = claims._alone(test, among, 0.5)
        assert p_value == pytest.approx(min(1, times * alone.p_value))
        assert (ours, its) == pytest.approx((alone.not_worse(0.5), min(1, 3 * alone.turned().not_worse(0.5))))


def test_one_of_two_that_is_not_worse_is_said(results: StudyResults) -> None:
    """Three findings: equivalent, one of them not worse, or neither."""
    (beside,) = results.claims.beside["average of all"]
    for p_value, not_worse, shown, told in (
        (
            0.2,
            (0.01, 0.3),
            f"{beside.a[1]} not worse by 0.1 or more",
            f"; {beside.a[1]} is shown to be not worse by 0.1 or more",
        ),
        (
            0.2,
            (0.3, 0.01),
            f"{beside.b[1]} not worse by 0.1 or more",
            f"; {beside.b[1]} is shown to be not worse by 0.1 or more",
        ),
        (0.2, (0.01, 0.02), "equivalent within 0.1", "; they are equivalent within 0.1"),
        (0.2, (0.2, 0.3), "nothing", ")"),
        (0.01, (0.01, 0.3), "different", ")"),
    ):
        claim = replace(beside, p_value=p_value, not_worse=not_worse)
        made = Claims(0.1, pairs={frozenset((claim.a, claim.b)): claim}, beside={"average of all": (claim,)})
        results.__dict__["claims"] = made
        assert comparison_table(results).rows[0][-1] == shown
        assert f"{told}." in findings(results)[1]


def test_the_same_training_under_two_names_is_one(results: StudyResults) -> None:
    twice = replace(results, trials=(*results.trials, replace(results.trials[0], name="again", line="again")))
    assert [one.ref for one in claims.contenders(twice)] == [one.ref for one in claims.contenders(results)]


def test_too_many_are_not_compared_all_with_all(results: StudyResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST", 3)
    assert len(results.claims.pairs) == 1 and not told_apart(results)
    assert "not all are compared with all" in comparison_table(results).note


def test_where_all_pairs_are_is_a_command_that_can_be_typed(results: StudyResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "ROWS", 1)
    note = comparison_table(replace(results, called="'my s.toml' --store s")).note
    assert f"of {len(results.claims.pairs)} pairs are shown; `toile report 'my s.toml' --store s --json` has all." in note


def test_all_that_cannot_be_told_from_the_best_are_named(results: StudyResults) -> None:
    """Those of every group that it is in: two of them may differ from each other."""
    found, order = results.claims, results.claims.ranked("test")
    best, *rest = order
    pairs = {
        pair: replace(claim, p_value=0.01 if {claim.a, claim.b} == {rest[0].ref, rest[1].ref} else 0.5)
        for pair, claim in found.pairs.items()
    }
    results.__dict__["claims"] = replace(found, pairs=pairs)
    names = ", ".join(one.ref[1] for one in rest[:-1]) + f" and {rest[-1].ref[1]}"
    assert f"{best.ref[1]} has the highest accuracy on the test images, and {names} cannot be told" in findings(results)[-1]


def test_the_picture_joins_those_that_do_not_differ(results: StudyResults) -> None:
    (panel,) = told_apart(results)
    names = [row["name"] for row in panel["rows"]]
    assert [row["accuracy"] for row in panel["rows"]] == sorted((row["accuracy"] for row in panel["rows"]), reverse=True)
    kind = {row["name"]: row["kind"] for row in panel["rows"]}
    for i, a in enumerate(names):
        for j, b in enumerate(names[:i]):
            together = any(i in group and j in group for group in panel["groups"])
            assert together is not results.claims.of((kind[a], a), (kind[b], b)).differ
