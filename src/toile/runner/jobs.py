"""From trials to jobs: what one worker process does. Trials that are the beginning of a longer one are read on its way."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from toile.runner.events import Event, Kind
from toile.runner.plan import Plan, PlannedTrial


@dataclass(frozen=True)
class Job:
    """Trials that differ in their number of epochs only, fewest first: the last is trained, the others are read on the way.

    `after` is the fingerprint of the run that it begins with, if it begins with one.
    """

    trials: tuple[PlannedTrial, ...]

    @property
    def longest(self) -> PlannedTrial:
        return self.trials[-1]

    @property
    def fingerprint(self) -> str:
        return self.longest.fingerprint

    @property
    def after(self) -> str | None:
        return self.longest.trial.warm_start

    @property
    def name(self) -> str:
        return " + ".join(one.name for one in reversed(self.trials))

    def event(self, kind: Kind, **fields: Any) -> Event:
        """Something that happened to it."""
        return Event(kind, self.name, self.fingerprint, fields)


def jobs(pending: Iterable[PlannedTrial]) -> list[Job]:
    """Trials joined into jobs, in the order of `pending`.

    Two trainings share their first epochs if all is the same but `epochs`, and neither the schedule nor early stopping looks
    at how many epochs there will be. Everything random depends on (seed, epoch), so the shared epochs have the same bits.
    """
    groups: dict[str, list[PlannedTrial]] = defaultdict(list)
    for planned in pending:
        groups[_group_key(planned)].append(planned)
    return [Job(tuple(sorted(group, key=lambda one: one.trial.recipe.epochs))) for group in groups.values()]


def _group_key(planned: PlannedTrial) -> str:
    """The same for trials of which the shorter is the beginning of the longer."""
    recipe = planned.trial.recipe
    if recipe.schedule.name not in ("constant", "hold-then-decay", "exponential", "reduce-on-plateau") or recipe.early_stopping:
        return planned.fingerprint
    content = json.loads(planned.trial.canonical())
    content["recipe"].pop("epochs")
    return json.dumps(content, sort_keys=True)


def seconds_left(plan: Plan, pending: Iterable[PlannedTrial], workers: int) -> float:
    """About how long `workers` processes need for `pending`, in seconds."""
    loads = [0.0] * max(workers, 1)
    for job in jobs(pending):
        loads[loads.index(min(loads))] += plan.seconds(job.longest)
    return max(loads)
