"""The resident executor: one job at a time in a process that stays, for trainings shorter than the start of a process."""

from __future__ import annotations

import queue
import threading

from toile.runner.events import Event, Kind
from toile.runner.executors.executor import Executor, why
from toile.runner.jobs import Job
from toile.store.store import Store
from toile.workers.resident.client import session


class Resident(Executor):
    """The process of `toile.workers.resident.client`. It is not closed with the executor; that is what it is for.

    Args:
        threads: of the process.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    @property
    def slots(self) -> int:
        return 1

    def start(self, job: Job, store: Store, events: queue.Queue[Event]) -> Request:
        return Request(job, store, self.threads, events)


class Request:
    """A job that the process was asked for, and the thread that waits for it."""

    def __init__(self, job: Job, store: Store, threads: int, events: queue.Queue[Event]) -> None:
        self.job, self.store, self.events = job, store, events
        self.session = session(job.longest.trial.backend, threads)
        events.put(job.event("started"))
        self.thread = threading.Thread(target=self._wait, daemon=True)
        self.thread.start()

    def _wait(self) -> None:
        def tell(kind: Kind, **fields: object) -> None:
            self.events.put(self.job.event(kind, **fields))

        job = self.job
        try:
            made = self.session.train(job.longest.trial, self.store, also=job.also, until=job.until, tell=tell)
            end = self.job.event("done", fingerprint=made)
        except Exception as error:  # whatever it is: who waits for the end has to be told
            end = self.job.event("failed", error=why(error))
        self.events.put(end)

    def close(self) -> None:
        self.thread.join()

    def stop(self) -> None:
        """End the process: it cannot be asked to leave a training."""
        self.session.kill()
        self.close()
