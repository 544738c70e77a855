"""Carry a search out: train what comes next, until the budget is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext
from typing import Any, TypedDict, Unpack, cast

from toile.errors import ToileError
from toile.runner import baselines
from toile.runner import run as runs
from toile.runner.events import Event
from toile.runner.executors.executor import Executor, execute
from toile.runner.executors.local import Local
from toile.runner.jobs import Job
from toile.runner.limit import TimeLimit
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.runner.progress import duration
from toile.search import diverged
from toile.search.searched import Searched
from toile.study.trial import Trial


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
        See `toile.runner.run.run` and `search`. Trials of the study's own that fail do not keep its search from going on.
        ToileError: nothing could be trained, as what the search waits for is likely to take longer than `minutes`.
    """
    alone = {key: value for key, value in how.items() if key != "told"}
    if not isinstance(plan, Searched) or only:
        return runs.run(plan, only=only, **cast(Any, alone))
    minutes = _minutes(plan, how.get("minutes"))
    limit = None if minutes is None else TimeLimit(minutes, lambda job: 0.0)
    made: list[str] = []
    failed: list[runs.TrialsFailed] = []
    if plan.own.trials:
        try:
            made += runs.run(plan.own, **cast(Any, {**alone, "minutes": minutes}))
        except runs.TrialsFailed as error:
            failed.append(error)
    if limit is None or limit.left > 0:
        try:
            made += search(plan, **{**how, "minutes": None if limit is None else limit.left / 60})
        except runs.TrialsFailed as error:
            failed.append(error)
    if failed:
        first, last = failed[0], failed[-1]
        raise runs.TrialsFailed({**first.errors, **last.errors}, {**first.names, **last.names})
    if minutes is not None and not made:
        _check_fits(plan, minutes)
    return made


def search(plan: Searched, **how: Unpack[Carried]) -> list[str]:
    """Go on with the search of a plan. The same call again goes on where this one ended.

    Args:
        how: see `Carried`.

    Returns:
        Fingerprints of the runs that were made.

    Raises:
        TrialsFailed: trainings failed, other than by a loss that is no number, or a stored run that the search waits for is
            damaged; all that could be done without them is.
    """
    tell, told = how.get("tell", lambda event: None), how.get("told", lambda jobs: None)
    return _Search(plan, tell, told).carry_out(_minutes(plan, how.get("minutes")), how.get("executor"))


def _minutes(plan: Searched, given: float | None) -> float | None:
    return plan.walk.spec.minutes if given is None else given


def _check_fits(plan: Searched, minutes: float) -> None:
    """That what comes next is likely to end in `minutes`, or the same command would never go on."""
    for i in plan.walk.advance():
        for one in plan.walk.trials(i):
            seconds = plan.estimate.seconds(one, plan.walk.before(i))
            if seconds > 60 * minutes and not plan.store.get(one.fingerprint):
                raise ToileError(
                    f"the search waits for {one.name!r}, which is likely to take {duration(seconds)}, and may train for "
                    f"{duration(60 * minutes)} at a time; give more minutes"
                )


class _Search:
    def __init__(self, plan: Searched, tell: Callable[[Event], None], told: Callable[[list[Job]], None]) -> None:
        self.plan, self.walk, self.store = plan, plan.walk, plan.store
        self.tell, self.told = tell, told
        self.given: set[str] = set()
        self.made: list[PlannedTrial] = []
        self.after: dict[str, int] = {}
        self.failed: set[str] = set()
        # Of each training that was begun, the one that it is the beginning of; and when it was.
        self.whole_of: dict[str, str] = {}
        self.begun: dict[str, float] = {}
        self.held: dict[str, Trial] = {}
        self.holds = ExitStack()

    def carry_out(self, minutes: float | None, executor: Executor | None) -> list[str]:
        self.store.prepare()
        limit = TimeLimit(minutes, self._seconds) if minutes is not None else None
        try:
            with nullcontext(executor) if executor else Local(backend=runs.backend_of(self.plan)) as place:
                errors = execute([], self.store, place, self._tell, more=self._more, limit=limit)
        finally:
            self.holds.close()
        waited = [one for i in self.walk.advance() for one in self.walk.trials(i)]
        errors = {one: why for one, why in errors.items() if one not in self.failed} | runs.damaged(self.store, waited)
        if errors:
            raise runs.TrialsFailed(errors, {one.fingerprint: one.name for one in (*self.made, *waited)})
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
        self._hold(one.trial for job in jobs for one in (job.longest, job.trials[-1]))
        for job in jobs:
            if job.longest.weights and (content := job.longest.trial.architecture.weights):
                self.store.keep_weights(job.longest.weights, content)
        if first:
            self.store.keep(self.plan.dataset, self.plan.requested)
            if self.plan.study.baselines:
                baselines.make(self.plan)

    def _hold(self, trials: Iterable[Trial]) -> None:
        """Hold these too. All are in one hold, made anew: each is an open file, and a process may have some thousand."""
        self.held |= {one.fingerprint: one for one in trials}
        with ExitStack() as made:
            made.enter_context(self.store.hold(self.held.values()))
            self.holds.close()
            self.holds = made.pop_all()

    def _seconds(self, job: Job) -> float:
        return self.plan.estimate.job(job, self.after.get(job.trials[-1].fingerprint, 0))

    def _tell(self, event: Event) -> None:
        epoch, now = event.fields.get("diverged"), time.monotonic()
        if event.kind == "started":
            self.begun[event.fingerprint] = now
        if event.kind == "failed" and epoch is not None:
            whole = self.whole_of[event.fingerprint]
            diverged.note(self.store, whole, epoch, now - self.begun.get(event.fingerprint, now))
            self.failed |= {one for one, of in self.whole_of.items() if of == whole}
        if event.kind == "done":
            for one in self.made:
                if run := self.store.sound(one.fingerprint):
                    self.plan.estimate.note(one, run)
        self.tell(event)
