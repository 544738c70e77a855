"""The plan of a study with a search: its own trials, and those of the search as far as it has come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from toile.errors import ToileError
from toile.runner.plans import committees
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.runner.progress import duration
from toile.search import possible
from toile.search.estimate import Estimate
from toile.search.pruning import FAILED
from toile.search.walk import Walk
from toile.study.committee import CommitteeSpec
from toile.study.file.read import StudyError
from toile.text import counted

# The committee of all that was trained, and what its candidates are called.
COMMITTEE, CANDIDATES = "search-committee", "search [0-9]*"


@dataclass(frozen=True)
class Searched(Plan):
    """A plan of which some trials were proposed.

    Args:
        own: the plan of the study's own trials.
        walk: what the search did so far.
        alone: why no committee is chosen from what was trained, where one could be asked for.
    """

    own: Plan
    walk: Walk
    alone: str = ""

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


def coming(plan: Searched) -> str:
    """What the search of a plan is going to do, and how far it is, in a sentence or two."""
    spec, walk = plan.walk.spec, plan.walk
    budgets = {
        counted(spec.trials or 0, "proposal"): spec.trials,
        f"{spec.core_seconds or 0:g} core seconds": spec.core_seconds,
        f"{spec.minutes or 0:g} min of each `toile run`": spec.minutes,
    }
    few = "" if walk.levels > 1 else ": too few epochs to prune"
    how = f"{spec.sampler}, {f'{spec.pruning}{few}' if spec.pruning else 'each to its end'}"
    ends = " or ".join(said for said, budget in budgets.items() if budget)
    known = sum(one is not None for one in walk.outcomes)
    made = counted(len(walk.proposals), "proposal is", "proposals are")
    are = "is" if known == 1 else "are"
    far = f"{made} made, and {known} of {len(walk.steps)} steps with them {are} known"
    if walk.ended and known == len(walk.steps):
        return f"The search ({how}) is over: {far}."
    return f"The search ({how}) ends after {ends}. So far {far}; the trials that are missing come next, and others after them."


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
    made = Searched(**kept, own=own, walk=walk)
    begun = any(one and one.value != FAILED for one in walk.outcomes)
    return _joined(made) if walk.spec.committee and begun else made


def _joined(plan: Searched) -> Searched:
    """With the committee that a search ends with, if it can be: or else the next `toile run` would refuse the study."""
    spec = CommitteeSpec(name=COMMITTEE, candidates=_candidates(plan), rule="greedy")
    study = plan.study.model_copy(update={"committee": (*plan.study.committee, spec)})
    made = replace(plan, study=study)
    try:
        for group in committees.groups(made):
            if group.spec is spec:
                committees.check_group(made, group)
    except ToileError as error:
        return replace(plan, alone=str(error))
    return made


def _candidates(plan: Searched) -> tuple[str, ...]:
    """All that was trained; of more than there are images to choose them by, so many of the best."""
    walk = plan.walk
    known = [(one.value, i) for i, one in enumerate(walk.outcomes) if one and one.value != FAILED]
    split, seeds = walk.trials(known[0][1])[0].trial.split, len(plan.study.seeds)
    held_out = plan.counts[split]["validation"] * (split.folds or 1)
    # By the first name of each: what is proposed may have been proposed before, or be a trial of the study itself.
    lines = {one.fingerprint: one.line for one in reversed(plan.trials)}
    best = sorted(known, key=lambda one: (-one[0], one[1]))
    names = dict.fromkeys(lines[walk.trials(i)[0].fingerprint] for _, i in best)
    if len(names) * seeds <= held_out:
        own = {one.line for one in plan.own.trials}
        return tuple(dict.fromkeys(name if name in own else CANDIDATES for name in names))
    return tuple(names)[: max(1, held_out // seeds)]
