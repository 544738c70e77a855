"""What a notebook shows of what the functions return.

How it looks is drawn by the reports, of which plans and runs know nothing: their rooms stand above. Here, where all
rooms meet, each gets the method that notebooks ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toile.reports.results.result import CommitteeResult
from toile.reports.results.study import StudyResults
from toile.runner.plans.planned import Plan
from toile.store.run import Run


class Comparison(dict[str, Any]):
    """What `toile.compare` returns: a dictionary, ready for JSON."""


class Committees(tuple[CommitteeResult, ...]):
    """What `toile.combine` returns: committees."""


def _by(name: str) -> Callable[[Any], str]:
    def _repr_html_(self: Any) -> str:
        from toile.reports.page import cell  # loads what draws

        return getattr(cell, name)(self)

    return _repr_html_


def _one(self: CommitteeResult) -> str:
    return _by("committees")((self,))


SHOWN: dict[type, Callable[[Any], str]] = {
    Plan: _by("plan"),
    StudyResults: _by("results"),
    CommitteeResult: _one,
    Committees: _by("committees"),
    Comparison: _by("comparison"),
    Run: _by("run"),
}
for kind, draw in SHOWN.items():
    kind._repr_html_ = draw  # pyright: ignore[reportAttributeAccessIssue]: that is what this module is for
