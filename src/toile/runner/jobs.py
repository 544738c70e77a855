"""From trials to jobs: what one worker process does. Trials that are the beginning of a longer one are read on its way."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from toile.runner.events import Event, Kind
from toile.runner.plans.planned import Plan, PlannedTrial


@dataclass(frozen=True)
class Job:
    """Trials that differ in their number of epochs only, fewest first: the last is trained, the others are read on the way.

    `after` are the fingerprints of the runs that it begins with or learns from. `whole` is the longer trial that they are the
    beginning of, where it may be gone on with: then its training ends after the last of them, and its checkpoint stays.
    """

    trials: tuple[PlannedTrial, ...]
    whole: PlannedTrial | None = None

    @property
    def longest(self) -> PlannedTrial:
        """What is trained, to its end or to the last of `trials`."""
        return self.whole or self.trials[-1]

    @property
    def also(self) -> list[int]:
        """Numbers of epochs after which a run is committed on the way."""
        return [one.trial.recipe.epochs for one in self.trials if one is not self.longest]

    @property
    def until(self) -> int | None:
        """After how many epochs the training ends, where that is before its end."""
        return self.trials[-1].trial.recipe.epochs if self.whole else None

    @property
    def fingerprint(self) -> str:
        return self.longest.fingerprint

    @property
    def after(self) -> tuple[str, ...]:
        return self.longest.trial.parents

    @property
    def name(self) -> str:
        return " + ".join(one.name for one in reversed(self.trials))

    def event(self, kind: Kind, **fields: Any) -> Event:
        """Something that happened to it."""
        return Event(kind, self.name, self.fingerprint, fields)


def jobs(pending: Iterable[PlannedTrial]) -> list[Job]:
    """Trials joined into jobs, in the order of `pending`.

    Two trainings share their first epochs if all is the same but `epochs`, their schedules are laid out for the same length
    or look at none, and there is no early stopping. Everything random depends on (seed, epoch), so they have the same bits.
    """
    groups: dict[str, list[PlannedTrial]] = defaultdict(list)
    for planned in pending:
        groups[_group_key(planned)].append(planned)
    return [Job(tuple(sorted(group, key=lambda one: one.trial.recipe.epochs))) for group in groups.values()]


def _group_key(planned: PlannedTrial) -> str:
    """The same for trials of which the shorter is the beginning of the longer."""
    recipe = planned.trial.recipe
    if recipe.early_stopping:
        return planned.fingerprint
    content = json.loads(planned.trial.canonical())
    epochs = content["recipe"].pop("epochs")
    if recipe.schedule.by_epochs:
        content["recipe"].setdefault("schedule_epochs", epochs)
    return json.dumps(content, sort_keys=True)


def seconds_left(plan: Plan, pending: Iterable[PlannedTrial], workers: int) -> float:
    """About how long `workers` processes need for `pending`, in seconds."""
    loads = [0.0] * max(workers, 1)
    for job in jobs(pending):
        loads[loads.index(min(loads))] += plan.seconds(job.longest)
    return max(loads)
