"""A student beside its committee: figures, cost, and what was shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.reports.fixture import make_results
from toile.evaluation.repeated import PairedT
from toile.reports.page.html import render
from toile.reports.page.students import sentences, student_table
from toile.reports.results.claim import Claims
from toile.reports.results.students import students
from toile.reports.results.study import StudyResults
from toile.reports.results.summary import summary
from toile.study.spec import StudySpec

COMMITTEE = {"name": "average of all", "members": ["model-1", "model-2"]}
LINES = [
    *({"name": name, "architecture": "cnn"} for name in COMMITTEE["members"]),
    {"name": "model-3", "architecture": "cnn", "recipe": {"teacher": "average of all"}},
]


@pytest.fixture
def results(tmp_path: Path) -> StudyResults:
    made = make_results(tmp_path, train=200, test=400)
    study = {"title": "t", "dataset": "digits", "trial": LINES, "committee": [COMMITTEE], "equivalence_margin": 0.3}
    committee = replace(made.committees[0], joined=made.committees[0].joined[:2])
    return replace(made, study=StudySpec.model_validate(study), committees=(committee,))


def test_a_student_is_beside_its_committee(results: StudyResults) -> None:
    (student,) = students(results)
    assert (student.line.name, student.teacher) == ("model-3", "average of all")
    assert student.claim is results.claims.of(("committee", "average of all"), ("model", "model-3"))
    runs = [one.stored_run.provenance["parameters"] for one in results.trials]
    assert student.costs["parameters"] == (runs[2], runs[0] + runs[1])


def test_it_is_said_whether_it_is_as_good_and_what_it_costs(results: StudyResults) -> None:
    (sentence,) = sentences(results)
    assert sentence.startswith("“model-3” learned from the committee “average of all”: it has 0.")
    assert "They are shown to be equally good within 0.3" in sentence
    own, teacher = student_table(results).rows
    assert own[0] == "model-3" and "equivalent within 0.3" in own[-1]
    assert teacher[0] == "its teacher, average of all"
    assert "Students and their committees" in render(results)


def test_a_student_that_may_be_better_by_more_is_not_worse(results: StudyResults) -> None:
    (student,) = students(results)
    pair, of_student = frozenset((student.claim.a, student.claim.b)), student.claim.a[0] == "model"
    for p, said in (
        (0.01, "(two one-sided tests, p\xa0= 0.6) is not shown, but that the student is not worse by 0.3 or more (the lower "
         "one of them, p\xa0= 0.01) is."),
        (0.2, "Neither is shown: that they are equally good within 0.3 (two one-sided tests, p\xa0= 0.6), or at least that the "
         "student is not worse by 0.3 or more (the lower one of them, p\xa0= 0.2)."),
    ):  # fmt: skip
        claim = replace(student.claim, not_worse=(p, 0.6) if of_student else (0.6, p))
        results.__dict__["claims"] = Claims(0.3, pairs={pair: claim})
        assert sentences(results)[0].endswith(said)


def test_a_difference_that_is_the_same_each_time_has_no_interval_and_no_p(results: StudyResults) -> None:
    """It was "(95 % interval – to –, over 3 seeds; p = 1 of no difference)", however large."""
    (student,) = students(results)
    claim = replace(student.claim, test=PairedT(0.25, 0.0, 3), over="seeds", p_value=1.0, not_worse=(1.0, 1.0))
    results.__dict__["claims"] = Claims(0.3, pairs={frozenset((claim.a, claim.b)): claim})
    assert sentences(results)[0].endswith("is 0.2500 better each time, over 3 seeds: without any spread that cannot be tested.")


def test_it_is_in_the_json(results: StudyResults) -> None:
    (found,) = summary(results)["students"]
    (student,), trained = students(results), results.trials
    assert (found["name"], found["teacher"]) == ("model-3", "average of all")
    assert found["test"] == {name: trained[2].test[name] for name in ("accuracy", "loss")}
    assert found["teacher_test"] == {name: results.committees[0].test[name] for name in ("accuracy", "loss")}
    assert found["parameters"] == dict(zip(("student", "teacher"), student.costs["parameters"], strict=True))
    assert found["comparison"] in summary(results)["comparisons"] and found["comparison"]["equivalent"]


def test_of_parameters_that_nobody_knows_there_is_no_share(results: StudyResults) -> None:
    """A model of scikit-learn says none; that was "0.00 of the committee's", and "inf"."""
    results.committees[0].joined[0].trainings[results.committees[0].joined[0].name].provenance["parameters"] = None
    assert "with – of the committee’s parameters" in sentences(results)[0]
    own, teacher = student_table(results).rows
    assert own[3] != teacher[3] == "–"


def test_a_teacher_that_took_no_measurable_time_is_no_error(results: StudyResults) -> None:
    for one in results.committees[0].joined:
        for run in one.trainings.values():
            run.provenance["seconds"]["evaluate"] = 0
    assert "and – of its time for an image" in sentences(results)[0]


def test_without_a_margin_nothing_is_said_to_be_equal(results: StudyResults) -> None:
    without = replace(results, study=results.study.model_copy(update={"equivalence_margin": None}))
    assert "tested where the study has an equivalence_margin" in sentences(without)[0]


def test_of_others_nothing_is_said(tmp_path: Path) -> None:
    assert not student_table(make_results(tmp_path, train=100, test=60)).rows
