"""What a student has of its committee, and at what cost."""

from __future__ import annotations

import math
from statistics import fmean

from toile.evaluation.significance import LEVEL, McNemar
from toile.reports.page.comparisons import over, shown_by
from toile.reports.results.students import Student, students
from toile.reports.results.study import StudyResults
from toile.reports.table import TEXT, WIDE, Column, Table
from toile.reports.text import count, figure, p_value, spread


def student_table(results: StudyResults) -> Table:
    """Each student beside its committee: accuracy, log loss, parameters, milliseconds, and what was shown."""
    rows, strong = [], set()
    for student in students(results):
        costs = student.costs
        strong.add(len(rows))
        line, of = student.line, student.committees
        rows.append([
            line.name, spread(line.values("accuracy")), spread(line.values("loss")), count(costs["parameters"][0]),
            figure(costs["milliseconds"][0], 3), shown_by(student.claim, results.claims) if student.claim else "not compared",
        ])  # fmt: skip
        rows.append([
            f"its teacher, {student.teacher}", spread([one.test["accuracy"] for one in of]),
            spread([one.test["loss"] for one in of]), count(costs["parameters"][1]), figure(costs["milliseconds"][1], 3), "",
        ])  # fmt: skip
    columns = [
        Column("", TEXT), Column("accuracy"), Column("log loss"), Column("parameters"), Column("milliseconds an image"),
        Column("shown", WIDE),
    ]  # fmt: skip
    note = "Milliseconds as the runs were evaluated, in batches, on the machine that trained them." if rows else ""
    return Table("Students and their committees, on the test images", columns, rows, strong, note=note)


def sentences(results: StudyResults) -> list[str]:
    """A paragraph for each student."""
    found = []
    for student in students(results):
        costs = student.costs.values()
        # What no member says is infinite, and of that a student would have 0.00.
        parameters, milliseconds = (mine / its if its and math.isfinite(its) else math.nan for mine, its in costs)
        accuracy = fmean(one.test["accuracy"] for one in student.committees)
        found.append(
            f"“{student.line.name}” learned from the committee “{student.teacher}”: it has "
            f"{figure(student.line.mean('accuracy'))} beside {figure(accuracy)}, with {figure(parameters, 2)} of the "
            f"committee’s parameters and {figure(milliseconds, 2)} of its time for an image. {_told(results, student)}"
        )
    return found


def _told(results: StudyResults, student: Student) -> str:
    claim, margin = student.claim, results.claims.margin
    if claim is None:
        return "They share no two seeds, or are judged on different images, and are not compared."
    way = "over images" if isinstance(claim.test, McNemar) else f"over {over(claim)}"
    low, high = claim.test.interval()
    better = claim.a[1]
    text = f"{better} is {figure(claim.test.difference)} better "
    if not isinstance(claim.test, McNemar) and not claim.test.testable:
        return text + f"each time, {way}: without any spread that cannot be tested."
    text += f"(95 % interval {figure(low)} to {figure(high)}, {way}; {_p(claim.p_value)} of no difference). "
    if claim.equivalence is None:
        return text + "Whether they are as good as each other is tested where the study has an equivalence_margin."
    lower = claim.not_worse_of(("model", student.line.name))
    same = f"equally good within {margin:g} (two one-sided tests, {_p(claim.equivalence)})"
    kept = f"the student is not worse by {margin:g} or more (the lower one of them, {_p(lower)})"
    if claim.equivalent:
        return text + f"They are shown to be {same}."
    if lower < LEVEL:
        return text + f"That they are {same} is not shown, but that {kept} is."
    return text + f"Neither is shown: that they are {same}, or at least that {kept}."


def _p(value: float) -> str:
    return f"p\N{NO-BREAK SPACE}{p_value(value, relation=True)}"
