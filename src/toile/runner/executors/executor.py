"""What an executor is, and how jobs are carried out by any: parents first, so many at once, each to exactly one end."""

from __future__ import annotations

import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, Self

from toile.errors import ToileError, refused
from toile.runner.events import Event
from toile.runner.jobs import Job
from toile.runner.limit import TimeLimit
from toile.store.store import Store


class RunningJob(Protocol):
    """A job that was started."""

    job: Job

    def close(self) -> None:
        """After its `done` or `failed`: let go of what it held."""

    def stop(self) -> None:
        """End it before its time, politely at first; it is closed then."""


class Executor(ABC):
    """Where jobs are carried out. Use it as a context.

    Whatever the place, a run comes into the store by one commit, made by who holds its claim; a trial that somebody else has
    claimed is waited for.
    """

    def prepare(self, jobs: Sequence[Job]) -> None:  # noqa: B027 - most places need no look
        """Before anything trains: see whether the place can carry out such jobs.

        Raises:
            ToileError: it cannot.
        """

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many jobs at once; at least 1. It may change while jobs run.

        Raises:
            ToileError: the place is gone, so that no job can be started any more.
        """

    @abstractmethod
    def start(self, job: Job, store: Store, events: queue.Queue[Event]) -> RunningJob:
        """Begin with a job, and return at once.

        What happens to it goes to `events`: `started` (of each try), perhaps `waiting`, an `epoch` each, and at the end,
        however it ends, exactly one `done` or `failed`, after which nothing follows.
        """

    def close(self) -> None:  # noqa: B027 - most places hold nothing
        """Let go of the place."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def execute(
    jobs: Sequence[Job],
    store: Store,
    executor: Executor,
    tell: Callable[[Event], None],
    *,
    more: Callable[[], Iterable[Job]] = tuple,
    limit: TimeLimit | None = None,
) -> dict[str, str]:
    """Carry out `jobs` and wait for all of them.

    A worker that dies fails its own job; the others go on. A job that begins with other runs, or learns from them, waits for
    them. On KeyboardInterrupt all that run are stopped; what they checkpointed stays.

    Args:
        tell: called in this thread with every event.
        more: gives further jobs. It is asked at the beginning, and after every end of a job.
        limit: no job is begun that cannot end in time or waits for one, and what runs when the time is over is stopped.

    Returns:
        Error messages by the fingerprint of each trial that could not be made; empty if all went well.

    Raises:
        ToileError: the place cannot carry out such jobs, or is gone.
    """
    events: queue.Queue[Event] = queue.Queue()
    waiting, running, errors = list(jobs), {}, {}
    executor.prepare(jobs)
    try:
        while True:
            waiting += more()
            if limit is not None:
                waiting = _in_time(waiting, limit, store)
            if not (waiting or running):
                break
            # A run may be seen in the store before its job has ended, and be gone on with by another job of the same training.
            free = [job for job in waiting if job.fingerprint not in running]
            if ready := [job for job in free if all(map(store.get, job.after))]:
                for job in ready[: max(executor.slots - len(running), 0)]:
                    waiting.remove(job)
                    try:
                        running[job.fingerprint] = executor.start(job, store, events)
                    except OSError as error:  # a full disk, mostly; what runs has its files already
                        errors |= dict.fromkeys(_missing(job, store), refused(error))
                        tell(job.event("failed", error=refused(error)))
                if not running:
                    continue
            if not running:
                for job in waiting:
                    lacking = ", ".join(one[:12] for one in job.after if not store.get(one))
                    error = f"a run that it begins with or learns from is not stored: {lacking}"
                    errors |= dict.fromkeys(_missing(job, store), error)
                    tell(Event("failed", job.name, job.fingerprint, {"error": error}))
                break
            try:
                event = events.get(timeout=None if limit is None else max(limit.left, 0.0))
            except queue.Empty:
                _stop(running.values(), tell)
                break
            if event.kind in ("done", "failed"):
                handle = running.pop(event.fingerprint)
                handle.close()
                missing = _missing(handle.job, store)
                if event.kind == "failed":
                    errors |= dict.fromkeys(missing, event.fields["error"])
                elif shorter := tuple(
                    one for one in handle.job.trials if one.fingerprint in missing and one is not handle.job.longest
                ):
                    # It went on from a checkpoint beyond their epochs, and so did not pass them.
                    waiting.append(Job(shorter))
            tell(event)
    except KeyboardInterrupt:
        _stop(running.values(), tell)
        raise
    except Exception as error:
        # Of who is told: nobody would hear of the others, which would go on by themselves. (ToileError: the place is gone.)
        if not isinstance(error, ToileError):
            for handle in running.values():
                handle.stop()
        raise
    return errors


def why(error: Exception) -> str:
    """What is said of a job that an error ended which nobody expected."""
    if isinstance(error, ToileError):
        return str(error)
    return refused(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


def _in_time(waiting: list[Job], limit: TimeLimit, store: Store) -> list[Job]:
    """The jobs that are likely to end in time, without those that wait for one that is not."""
    found: list[Job] = []
    late: set[str] = set()
    for job in waiting:
        if limit.fits(job):
            found.append(job)
        else:
            late |= {one.fingerprint for one in job.trials}
    while blocked := [any(one in late and not store.get(one) for one in job.after) for job in found]:
        if not any(blocked):
            break
        late |= {one.fingerprint for job, is_blocked in zip(found, blocked, strict=True) if is_blocked for one in job.trials}
        found = [job for job, is_blocked in zip(found, blocked, strict=True) if not is_blocked]
    return found


def _stop(running: Iterable[RunningJob], tell: Callable[[Event], None]) -> None:
    for handle in running:
        handle.stop()
        tell(handle.job.event("stopped"))


def _missing(job: Job, store: Store) -> list[str]:
    return [one.fingerprint for one in job.trials if not store.get(one.fingerprint)]
