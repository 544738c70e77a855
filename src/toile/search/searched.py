"""The plan of a study with a search: its own trials, and those of the search as far as it has come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from toile.runner.plan import Plan, PlannedTrial
from toile.runner.progress import duration
from toile.search import possible
from toile.search.estimate import Estimate
from toile.search.walk import Walk
from toile.study.committee import CommitteeSpec
from toile.study.file import StudyError

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
        """The plan itself, if every split can be cut, all of the space can be trained, and the budget is enough for something.

        Raises:
            StudyError: what is wrong, all at once.
        """
        super().checked()
        if wrong := [*possible.impossible(self.own, self.walk.space), *self._too_little()]:
            raise StudyError(self.reference, wrong)
        return self

    def _too_little(self) -> Iterator[str]:
        """Budgets that nothing can be trained in: a training in `minutes`, or a proposal with all its seeds and folds in
        `core_seconds`. Of a search that has begun nothing is asked."""
        open_ = self.walk.advance()
        if any(one and one.seconds for one in self.walk.outcomes) or not open_:
            return
        trainings = [[self.estimate.seconds(one) for one in self.walk.trials(i)] for i in open_]
        least = {
            "minutes": (min(map(min, trainings)), 60.0, "one training takes"),
            "core_seconds": (min(map(sum, trainings)), 1.0, "one proposal takes with all its seeds and folds"),
        }
        for key, (seconds, factor, what) in least.items():
            budget = getattr(self.walk.spec, key)
            if budget is not None and seconds > factor * budget:
                yield (
                    f"search.{key}: {budget:g} is less than {what}, which is about {duration(seconds)}; give more, "
                    "or search with fewer images or epochs (--fraction, --epochs-scale)"
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
