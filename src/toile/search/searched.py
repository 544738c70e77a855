"""The plan of a study with a search: its own trials, and those of the search as far as it has come."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from toile.errors import Misuse
from toile.runner.plan import Plan, PlannedTrial
from toile.runner.progress import duration
from toile.search.estimate import Estimate
from toile.search.walk import Walk
from toile.study.committee import CommitteeSpec

# The committee of all that was trained, and what its candidates are called.
COMMITTEE, CANDIDATES = "search-committee", "search [0-9]*"


@dataclass(frozen=True)
class Searched(Plan):
    """A plan of which some trials were proposed.

    `own` is the plan of the study's own trials, `walk` what the search did so far.
    """

    own: Plan
    walk: Walk

    @cached_property
    def estimate(self) -> Estimate:
        """How long its trials take."""
        return Estimate(self)

    def checked(self) -> Searched:
        """The plan itself, if every split can be cut and something can be trained within the budget."""
        super().checked()
        self._affordable()
        return self

    def _affordable(self) -> None:
        spec, open_ = self.walk.spec, self.walk.advance()
        if any(self.walk.outcomes) or not open_:
            return
        for key, factor in (("minutes", 60.0), ("core_seconds", 1.0)):
            budget = getattr(spec, key)
            least = min(self.estimate.seconds(one, self.walk.before(i)) for i in open_ for one in self.walk.trials(i))
            if budget is not None and least > factor * budget:
                raise Misuse(
                    f"search.{key} = {budget:g} is less than one training takes, which is about {duration(least)}; give more, "
                    f"or search with fewer images or epochs (--fraction, --epochs-scale)"
                )


def searched(own: Plan) -> Searched:
    """The plan with the trials of its search: those that are stored, and those that come next."""
    walk = Walk(own)
    walk.advance()
    known = {one.fingerprint for one in own.trials}
    found: dict[str, PlannedTrial] = {}
    for i in range(len(walk.steps)):
        for one in walk.trials(i):
            if one.fingerprint not in known:
                found.setdefault(one.fingerprint, one)
    kept: dict[str, Any] = {field.name: getattr(own, field.name) for field in fields(Plan)}
    kept["trials"] = (*own.trials, *found.values())
    if walk.spec.committee and any(own.store.get(fingerprint) for fingerprint in found):
        kept["study"] = own.study.model_copy(update={"committee": (*own.study.committee, committee())})
    return Searched(**kept, own=own, walk=walk)


def committee() -> CommitteeSpec:
    """The committee that a search ends with."""
    return CommitteeSpec(name=COMMITTEE, candidates=(CANDIDATES,), rule="greedy")
