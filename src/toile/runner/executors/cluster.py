"""The Dask executor: each job on a worker of a cluster, in a fresh process there; only this side writes the store."""

from __future__ import annotations

import importlib.metadata
import queue
import threading
import uuid
from collections.abc import Collection, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from typing import Any

from toile.errors import ToileError
from toile.runner.events import Event
from toile.runner.executors.executor import Executor, why
from toile.runner.executors.needs import CHECKPOINT, Need, begun, needs
from toile.runner.jobs import Job
from toile.store import atomic, pack
from toile.store.store import Store
from toile.version import DISTRIBUTION, __version__, installing

try:
    from distributed import Client, KilledWorker

    from toile.runner.executors import remote
except ImportError as error:
    raise ToileError(f"the executor 'dask' needs the extra 'cluster': {installing('cluster')} ({error})") from None

# Of a training whose process dies: one more than the failures that Dask allows a job's workers, if nobody says otherwise.
_TRIES = 4
_SECONDS_TO_ANSWER = 10
_SECONDS_TO_STOP = 10


class _Client(Client):
    def __del__(self) -> None:
        """Nothing: Dask's closes it, and with one that never reached its scheduler waits in vain and prints a traceback."""


class Cluster(Executor):
    """The workers of a Dask cluster, of which each carries out one job a thread.

    Dask gives a job whose worker died to another worker, as often as the scheduler's `allowed-failures` says (3); then the
    job fails. One whose training process alone died is tried again as often, here or there. A worker that cannot train
    is left out as long as there are others that can. Events travel as Dask's structured logs, under a topic of this executor's
    own.

    Args:
        scheduler: its address. What `tls://` needs is taken from Dask's configuration.
        workers: jobs at once; None for as many as the cluster has threads at the time.
        threads: of each training process.

    Raises:
        ToileError: the scheduler cannot be reached.
    """

    def __init__(self, scheduler: str, workers: int | None = None, threads: int = 1) -> None:
        self.scheduler, self.workers, self.threads = scheduler, workers, threads
        self.topic = f"toile-{uuid.uuid4().hex}"
        self.submitted: dict[str, Submitted] = {}
        self.unfit: dict[str, str] = {}
        self.left_out: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()  # of whom no event has told
        self.sending = threading.Lock()
        try:
            # For Dask's types an answer may be a coroutine, as only an asynchronous client gives it.
            self.client: Any = _Client(scheduler, timeout=_SECONDS_TO_ANSWER, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ToileError(f"no Dask scheduler at {scheduler!r}: {error}; such as tcp://host:8786 is wanted") from None
        self.client.subscribe_topic(self.topic, self._on_event)

    def prepare(self, jobs: Sequence[Job]) -> None:
        there = self.look(set().union(*map(remote.packages, jobs)))
        wrong = self.unfit if there and not there - self.unfit.keys() else {}
        try:
            self.client.run_on_scheduler(importlib.metadata.version, DISTRIBUTION)
        except importlib.metadata.PackageNotFoundError:
            wrong = {**wrong, "the scheduler": "has no toile"}
        if wrong:
            raise ToileError(f"the cluster {self.scheduler} cannot train this: {_listed(wrong)}")

    def look(self, packages: Collection[str]) -> set[str]:
        """Ask each worker whether it can train; `unfit` says afterwards which cannot. The addresses of all."""
        known = set(self.unfit)
        # Asked of the standard library first: where toile is not installed, Dask cannot even read the other question.
        versions = self.client.run(importlib.metadata.version, DISTRIBUTION, on_error="return")
        without = {place for place, version in versions.items() if isinstance(version, Exception)}
        self.unfit |= dict.fromkeys(without, "has no toile")
        if others := sorted(versions.keys() - without):
            answers = self.client.run(remote.unfit, __version__, packages, workers=others)
            self.unfit |= {place: why for place, why in answers.items() if why}
        for place in self.unfit.keys() - known:
            self.left_out.put((place, self.unfit[place]))
        return set(versions)

    @property
    def slots(self) -> int:
        available = sum(self.fit().values())
        return self.workers or max(1, available)

    def fit(self) -> dict[str, int]:
        """Threads by the address of each worker that is there now, without those that turned out to be unfit.

        Raises:
            ToileError: the scheduler is gone.
        """
        try:
            if self.client.status == "running":
                return {worker: threads for worker, threads in self.client.nthreads().items() if worker not in self.unfit}
        except OSError:
            pass
        raise ToileError(f"the connection to the Dask scheduler {self.scheduler} is lost; the same command goes on from here")

    def start(self, job: Job, store: Store, events: queue.Queue[Event]) -> Submitted:
        self.submitted[job.fingerprint] = Submitted(job, store, self, events)
        return self.submitted[job.fingerprint]

    def close(self) -> None:
        self.client.close()

    def submit(self, job: Job, needed: list[Need], workers: list[str]) -> Any:
        """A future of the worker's answer. Any worker may give it; one of `workers` if it can be."""
        # Paths of this machine mean nothing there.
        portable = Job(tuple(replace(one, weights=None) for one in job.trials), job.whole and replace(job.whole, weights=None))
        return self.client.submit(
            remote.carry_out, portable, needed, threads=self.threads, topic=self.topic, version=__version__,
            key=f"toile-{job.fingerprint}-{uuid.uuid4().hex}", workers=workers or None, allow_other_workers=bool(workers),
        )  # fmt: skip

    def send(self, worker: str, lacks: Sequence[Need], store: Store) -> None:
        """Bring to a worker what it lacks, one sender at a time: workers of one machine share what was brought."""
        with self.sending:
            for need in self.client.run(remote.lacking, lacks, workers=[worker])[worker]:
                self.client.run(remote.receive, need, need.read(store), workers=[worker])

    def _on_event(self, logged: tuple[float, dict[str, Any]]) -> None:
        """An event of a worker: called in Dask's thread."""
        message = logged[1]
        if submitted := self.submitted.get(message["fingerprint"]):
            submitted.events.put(submitted.job.event(message["kind"], **message["fields"], worker=message["worker"]))


class Submitted:
    """A job that was given to the cluster, and the thread that holds its claim and waits for what comes of it."""

    def __init__(self, job: Job, store: Store, cluster: Cluster, events: queue.Queue[Event]) -> None:
        self.job, self.store, self.cluster, self.events = job, store, cluster, events
        self.stopped = False
        self.future: Any = None
        self.thread = threading.Thread(target=self._wait, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.thread.join(_SECONDS_TO_STOP)
        del self.cluster.submitted[self.job.fingerprint]

    def stop(self) -> None:
        """Cancel the task; the worker sees that and ends the process."""
        self.stopped = True
        if self.future:
            self.future.cancel()
        self.close()

    def _wait(self) -> None:
        """However it goes, end with exactly one `done` or `failed`."""
        try:
            end = self._carry_out()
        except KilledWorker as error:
            tries, last = error.allowed_failures + 1, error.last_worker.address
            what = f"its worker died at try {tries} of {tries}, on {last}; the machine may have run out of memory"
            end = self.job.event("failed", error=what)
        except CancelledError as error:
            end = self.job.event("failed", error=f"Dask gave it up: {error}")
        except Exception as error:
            end = self.job.event("failed", error=why(error))
        self.events.put(end)

    def _carry_out(self) -> Event:
        fingerprint = self.job.fingerprint
        with self.store.claim(fingerprint, waiting=lambda: self.events.put(self.job.event("waiting"))) as work:
            if self.store.get(fingerprint):
                return self.job.event("done", fingerprint=fingerprint)
            atomic.write(work / "trial.json", self.job.longest.trial.canonical())
            for attempt in range(1, _TRIES + 1):
                answer = self._answer(attempt)
                end = answer.end
                assert end is not None  # `_answer` waits for one that did it
                # Shorter trials that it passed before it died are runs.
                pack.unpack(answer.runs, self.store, held=[fingerprint])
                if answer.checkpoint:  # wherever it is gone on with
                    atomic.write(work / CHECKPOINT, answer.checkpoint)
                if not answer.died or self.stopped:
                    break
                if attempt == _TRIES:
                    end.fields["error"] += f", at try {attempt} of {_TRIES}"
                    break
                self.events.put(self.job.event("again", **end.fields, worker=answer.worker))
        return self.job.event(end.kind, **end.fields, worker=answer.worker)

    def _answer(self, attempt: int) -> remote.Answer:
        """The answer of the worker that did it in the end."""
        needed, supplied = needs(self.job.longest.trial), set()
        if attempt == 1:  # or a worker may have a later one
            needed += begun(self.store, self.job.fingerprint)
        while True:
            with suppress(queue.Empty):
                while True:
                    worker, why = self.cluster.left_out.get_nowait()
                    self.events.put(self.job.event("moved", worker=worker, why=why))
            if not (fit := self.cluster.fit()):
                if self.cluster.unfit:
                    raise ToileError(f"no worker of {self.cluster.scheduler} can train this: {_listed(self.cluster.unfit)}")
                self.events.put(self.job.event("queued"))
            workers = [worker for worker in fit if worker in supplied] or (list(fit) if self.cluster.unfit else [])
            self.future = self.cluster.submit(self.job, needed, workers)
            if self.stopped:
                self.future.cancel()
            try:
                answer = self.future.result()
            except ImportError:  # of a worker that has no toile, and so cannot say so, and joined after the others were asked
                known = set(self.cluster.unfit)
                self.cluster.look(remote.packages(self.job))
                if known == set(self.cluster.unfit) and self.cluster.fit():
                    raise
                continue
            if answer.unfit:
                self.cluster.unfit[answer.worker] = answer.unfit
                self.events.put(self.job.event("moved", worker=answer.worker, why=answer.unfit))
            elif answer.lacks:
                if answer.worker in supplied:
                    raise ToileError(f"{answer.worker} does not keep what it is sent: {', '.join(map(str, answer.lacks))}")
                with suppress(OSError):  # a worker that has died meanwhile will not ask again
                    self.cluster.send(answer.worker, answer.lacks, self.store)
                supplied.add(answer.worker)
            else:
                return answer


def _listed(wrong: dict[str, str]) -> str:
    return "; ".join(f"{place} {why}" for place, why in wrong.items())
