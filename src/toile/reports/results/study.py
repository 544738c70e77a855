"""What a report is made of: what the store knows of a study, and what may be claimed of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from toile.reports.results import claims
from toile.reports.results.claim import Claims
from toile.reports.results.result import StoredStudy


@dataclass(frozen=True)
class StudyResults(StoredStudy):
    """All of a study, with the claims that follow from it."""

    @cached_property
    def claims(self) -> Claims:
        """Every comparison that a report makes of them, corrected for how many there are."""
        return claims.make(self)
