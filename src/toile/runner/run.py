"""Carry a plan out: train what is missing, keep what came of it."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext

from toile.errors import Misuse, ToileError, nearest
from toile.models import architectures
from toile.runner import baselines
from toile.runner.events import Event
from toile.runner.executors.executor import Executor, execute
from toile.runner.executors.local import Local
from toile.runner.jobs import jobs
from toile.runner.limit import TimeLimit
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store.store import Store
from toile.text import counted
from toile.workers.device import Device

EXECUTORS = ("local", "dask")
# So many lines at most are named in a command.
FEW = 8


class TrialsFailed(ToileError):
    """Some trials failed; the others are stored.

    `errors` has a message for each failed fingerprint, `names` what these are called.
    """

    def __init__(self, errors: dict[str, str], names: dict[str, str]) -> None:
        self.errors, self.names = errors, names
        count = counted(len(errors), "trial")
        lines = [f"  {names[fingerprint]}: {error}" for fingerprint, error in errors.items()]
        super().__init__("\n".join([f"{count} failed:", *lines]))


def executor_named(
    name: str = "local",
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    device: Device | None = None,
    backend: str | None = None,
) -> Executor:
    """Where trials run.

    Args:
        name: `local`, processes on this machine; or `dask`, the workers of a Dask cluster, each trial in a process there.
        scheduler: address of the cluster's scheduler, as `tcp://host:8786`.
        workers: trials at once; None for one on a GPU, else one a core divided by `threads`, or on a cluster one a thread of
            its workers. One thread a trial and as many trials as cores is faster than several threads a trial on all but the
            largest models.
        threads: of each trial's process. They change the last bits of a result, so a different number than at the start of
            an interrupted training gives a run that is as good and not bit-identical.
        device: "cpu" or "gpu", of this machine; None for a GPU where the backend's library sees one.
        backend: Keras's, as `backend_of` gives it; None where no GPU is to be looked for.

    Raises:
        Misuse: another name, a scheduler without `dask`, or `dask` without a scheduler or with a device.
        ToileError: a GPU is asked for and there is none; the extra `cluster` is not installed, or the scheduler cannot be
            reached.
    """
    if name not in EXECUTORS:
        raise Misuse(f"unknown executor {name!r}{nearest(name, EXECUTORS)}; known: {', '.join(EXECUTORS)}")
    if name == "local":
        if scheduler is not None:
            raise Misuse(f"the executor 'local' has no scheduler, got {scheduler!r}; the executor 'dask' has")
        return Local(workers, threads, device, backend)
    if scheduler is None:
        raise Misuse("the executor 'dask' wants the address of a scheduler, as tcp://host:8786")
    if device is not None:
        raise Misuse(f"the executor 'dask' takes no device, got {device!r}; a worker uses what its own machine has")
    # Here, because it loads the extra.
    from toile.runner.executors.cluster import Cluster

    return Cluster(scheduler, workers, threads)


def backend_of(plan: Plan) -> str | None:
    """The Keras backend that a plan's models are trained on; None if none of them is Keras's."""
    keras = plan.study.search is not None or any(one.trial.learner == "keras" for one in plan.trials)
    return plan.study.backend if keras else None


def run(
    plan: Plan,
    *,
    only: Iterable[str] = (),
    executor: Executor | None = None,
    tell: Callable[[Event], None] = lambda event: None,
    minutes: float | None = None,
) -> list[str]:
    """Train every trial of the plan that is not stored. The same call again goes on where this one ended.

    Args:
        only: name patterns; empty for all.
        executor: where the trials run; as `executor_named` gives it; the caller closes it. Left out: local processes, as
            many as `executor_named` says.
        tell: told of every event.
        minutes: no trial is begun that is likely to end later, and what runs then is stopped; None for as long as it takes.

    Returns:
        Fingerprints of the runs that were made, those that were read on the way of longer ones too.

    Raises:
        TrialsFailed: after all others are done. A run that is stored and damaged counts as failed.
        ToileError: before anything trains: weights that a trial needs cannot be had, or the executor's machines cannot train.
    """
    plan.store.prepare()
    pending = plan.pending(only)
    errors = damaged(plan.store, plan.matching(only))
    if not pending:
        return _ended([], errors, plan)
    if lacking := unobtainable(sorted(pending, key=plan.trials.index)):
        raise ToileError("\n".join([*lacking, _others(plan, pending, lacking)]))
    with plan.store.hold(planned.trial for planned in pending):
        for planned in pending:
            if planned.weights and (content := planned.trial.architecture.weights):
                plan.store.keep_weights(planned.weights, content)
        plan.store.keep(plan.dataset, plan.requested)
        if plan.study.baselines:
            baselines.make(plan)
        with nullcontext(executor) if executor else Local(backend=backend_of(plan)) as place:
            limit = TimeLimit(minutes, lambda job: plan.seconds(job.longest)) if minutes is not None else None
            errors |= execute(jobs(pending), plan.store, place, tell, limit=limit)
    return _ended([one for one in pending if minutes is None or plan.store.get(one.fingerprint)], errors, plan)


def damaged(store: Store, trials: Iterable[PlannedTrial]) -> dict[str, str]:
    """What is wrong with stored runs of trials that are asked for. They are neither believed nor replaced unasked."""
    found = {planned.fingerprint: store.damaged(planned.fingerprint) for planned in trials}
    hint = "`toile check --repair` sets the run aside; then the same command trains it anew"
    return {fingerprint: error.advised(hint) for fingerprint, error in found.items() if error}


def _ended(trained: list[PlannedTrial], errors: dict[str, str], plan: Plan) -> list[str]:
    if errors:
        raise TrialsFailed(errors, {planned.fingerprint: planned.name for planned in reversed(plan.trials)})
    return [planned.fingerprint for planned in trained]


def unobtainable(pending: Iterable[PlannedTrial]) -> dict[str, list[PlannedTrial]]:
    """What trials need from outside and cannot have now: each lack once, with their names and the way out, and the trials.

    Weights of a backbone that are not here are asked for in the network, for a few seconds at most.
    """
    found: dict[str, list[PlannedTrial]] = defaultdict(list)
    for planned in pending:
        try:
            architectures.obtainable(planned.trial.architecture.name, planned.trial.architecture.options)
        except ToileError as error:
            found[str(error)].append(planned)
    return {
        f"{'trial' if len(of) == 1 else 'trials'} {', '.join(repr(one.name) for one in of)}: {why}": of
        for why, of in found.items()
    }


def _others(plan: Plan, pending: list[PlannedTrial], lacking: Mapping[str, Iterable[PlannedTrial]]) -> str:
    """How what lacks nothing is trained all the same."""
    without = {one.fingerprint for of in lacking.values() for one in of}
    while more := {one.fingerprint for one in pending if without.intersection(one.trial.parents)} - without:
        without |= more
    left = list(dict.fromkeys(one.line for one in pending if one.fingerprint not in without))
    if not left:
        return "Nothing else is left to train."
    if len(left) > FEW:
        return "Other trials can be run with --only, which takes patterns."
    return f"`toile run {plan.called} {' '.join(f'--only {shlex.quote(line)}' for line in left)}` trains the others."
