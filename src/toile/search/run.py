"""Carry a search out: train what comes next, until the budget is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext
from typing import Any, TypedDict, Unpack, cast

from toile.errors import ToileError
from toile.runner import run as runs
from toile.runner.events import Event
from toile.runner.executors.executor import Executor, execute
from toile.runner.executors.local import Local
from toile.runner.jobs import Job
from toile.runner.limit import TimeLimit
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.search import diverged
from toile.search.searched import Searched


class Carried(TypedDict, total=False):
    """How a search is carried out.

    Args:
        minutes: for how long; left out: as the study says, or until another budget is spent.
        executor: where trials run; the caller closes it. Left out: local processes, one a core.
        tell: told of every event.
        told: given the jobs that come next, before they begin.
    """

    minutes: float | None
    executor: Executor | None
    tell: Callable[[Event], None]
    told: Callable[[list[Job]], None]


def run(plan: Plan, *, only: Iterable[str] = (), **how: Unpack[Carried]) -> list[str]:
    """Train every trial of a plan that is not stored, and then go on with its search, if it has one.

    Args:
        only: name patterns of trials; with any, there is no search.
        how: see `Carried`; trials that are likely to take longer than what is left of `minutes` are not begun.

    Returns, Raises:
        See `toile.runner.run.run` and `search`.
    """
    alone = {key: value for key, value in how.items() if key != "told"}
    if not isinstance(plan, Searched) or only:
        return runs.run(plan, only=only, **cast(Any, alone))
    begun, made, minutes = time.monotonic(), [], how.get("minutes")
    if plan.own.trials:
        made = runs.run(plan.own, **cast(Any, alone))
    if minutes is not None and (minutes := minutes - (time.monotonic() - begun) / 60) <= 0:
        return made
    return made + search(plan, **{**how, "minutes": minutes})


def search(plan: Searched, **how: Unpack[Carried]) -> list[str]:
    """Go on with the search of a plan. The same call again goes on where this one ended.

    Args:
        how: see `Carried`.

    Returns:
        Fingerprints of the runs that were made.

    Raises:
        TrialsFailed: trainings failed, other than by a loss that is no number, or their runs are damaged; all that could be
            done without them is.
    """
    tell, told = how.get("tell", lambda event: None), how.get("told", lambda jobs: None)
    return _Search(plan, tell, told).carry_out(how.get("minutes") or plan.walk.spec.minutes, how.get("executor"))


class _Search:
    def __init__(self, plan: Searched, tell: Callable[[Event], None], told: Callable[[list[Job]], None]) -> None:
        self.plan, self.walk, self.store = plan, plan.walk, plan.store
        self.tell, self.told = tell, told
        self.given: set[str] = set()
        self.made: list[PlannedTrial] = []
        self.after: dict[str, int] = {}
        self.failed: set[str] = set()
        # Of each training that was begun, the one that it is the beginning of.
        self.whole_of: dict[str, str] = {}
        self.holds = ExitStack()

    def carry_out(self, minutes: float | None, executor: Executor | None) -> list[str]:
        self.store.prepare()
        limit = TimeLimit(minutes, self._seconds) if minutes else None
        with self.holds, nullcontext(executor) if executor else Local(backend=runs.backend_of(self.plan)) as place:
            errors = execute([], self.store, place, self._tell, more=self._more, limit=limit)
        errors = {one: why for one, why in errors.items() if one not in self.failed}
        # A stored run that is damaged is no outcome, and is not trained again unasked: what waits for it goes no further.
        left = [one for i, known in enumerate(self.walk.outcomes) if known is None for one in self.walk.trials(i)]
        errors |= runs.damaged(self.store, left)
        if errors:
            raise runs.TrialsFailed(errors, {one.fingerprint: one.name for one in (*self.made, *left)})
        return [one.fingerprint for one in self.made if self.store.get(one.fingerprint)]

    def _more(self) -> list[Job]:
        """The jobs of steps that were decided since it was asked before."""
        found: list[Job] = []
        for i in self.walk.advance():
            after = self.walk.before(i)
            wholes = self.walk.proposals[self.walk.steps[i].proposal].whole
            for one, whole in zip(self.walk.trials(i), wholes, strict=True):
                if one.fingerprint in self.given or self.store.get(one.fingerprint):
                    continue
                job = Job((one,)) if one.fingerprint == whole.fingerprint else Job((one,), whole)
                self.given.add(one.fingerprint)
                self.whole_of |= dict.fromkeys((one.fingerprint, whole.fingerprint), whole.fingerprint)
                self.made.append(one)
                self.after[one.fingerprint] = after
                found.append(job)
        if found:
            self._prepare(found)
            self.told(found)
        return found

    def _prepare(self, jobs: list[Job]) -> None:
        """What is needed, before anything is begun."""
        if lacking := runs.unobtainable(job.longest for job in jobs):
            raise ToileError("\n".join(lacking))
        first = len(self.given) == len(jobs)
        self.holds.enter_context(self.store.hold(one.trial for job in jobs for one in (job.longest, job.trials[-1])))
        for job in jobs:
            if job.longest.weights and (content := job.longest.trial.architecture.weights):
                self.store.keep_weights(job.longest.weights, content)
        if first:
            self.store.keep(self.plan.dataset, self.plan.requested)

    def _seconds(self, job: Job) -> float:
        return self.plan.estimate.job(job, self.after.get(job.trials[-1].fingerprint, 0))

    def _tell(self, event: Event) -> None:
        epoch = event.fields.get("diverged")
        if event.kind == "failed" and epoch is not None:
            whole = self.whole_of[event.fingerprint]
            diverged.note(self.store, whole, epoch)
            self.failed |= {one for one, of in self.whole_of.items() if of == whole}
        if event.kind == "done":
            for one in self.made:
                if run := self.store.sound(one.fingerprint):
                    self.plan.estimate.note(one, run)
        self.tell(event)
