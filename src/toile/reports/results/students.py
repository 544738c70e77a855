"""Students and the committees that taught them: how good they are, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from toile.reports.results.claim import Claim
from toile.reports.results.claims import committee_lines
from toile.reports.results.cost import milliseconds
from toile.reports.results.lines import Line, study_lines
from toile.reports.results.result import CommitteeResult
from toile.reports.results.study import StudyResults
from toile.study.expand import variants


@dataclass(frozen=True)
class Student:
    """A line that learned from a committee; `claim` compares the two, where they can be."""

    line: Line
    teacher: str
    committees: tuple[CommitteeResult, ...]
    claim: Claim | None

    @property
    def costs(self) -> dict[str, tuple[float, float]]:
        """`parameters`, and `milliseconds` for an image as the runs were evaluated: the student's and the committee's, means
        over the trainings; infinite where a run does not say."""
        runs = [trial.stored_run.provenance for trial in self.line.trials]
        own = {
            "parameters": fmean(facts.get("parameters") or float("inf") for facts in runs),
            "milliseconds": fmean(map(milliseconds, runs)),
        }
        return {
            key: (value, fmean(sum(member.costs[key] for member in one.joined) for one in self.committees))
            for key, value in own.items()
        }


def students(results: StudyResults) -> list[Student]:
    """The lines that learned from committees of which all members are stored, in the order of the study."""
    taught = {line.name: line.recipe.teacher.name for line in variants(results.study) if line.recipe.teacher}
    committees, found = committee_lines(results), []
    for line in study_lines(results):
        of: Sequence[CommitteeResult] = committees.get(taught.get(line.name, ""), ())
        if of:
            teacher = taught[line.name]
            found.append(Student(line, teacher, tuple(of), results.claims.of(("model", line.name), ("committee", teacher))))
    return found
