"""The local executor: each job in a process of its own, several at once, each with its threads pinned."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

from toile.runner.events import Event
from toile.runner.executors.executor import Executor, why
from toile.runner.jobs import Job
from toile.store import atomic
from toile.store.store import Store
from toile.workers.device import Device, device
from toile.workers.forkserver.client import ForkServer
from toile.workers.starter import Fresh, Starter

# On macOS the system's own libraries do not bear a fork, and Windows has none.
STARTER = ForkServer if sys.platform == "linux" else Fresh
LAST_LINES = 20
_SECONDS_TO_STOP = 10


class Local(Executor):
    """Worker processes on this machine: forks of one that has loaded the libraries, where the system has such forks.

    Args:
        workers: processes at once; None for one a core divided by `threads`, or a single one on a GPU, where two only take
            memory and time from each other.
        threads: of each process.
        on: what they compute on; None for a GPU where there is one.
        backend: Keras's, of the trials that are to come; None where none of them is Keras's. `on` is seen to for it.

    Raises:
        ToileError: `on` is "gpu" and there is none, or no device.
    """

    def __init__(
        self, workers: int | None = None, threads: int = 1, on: Device | None = None, backend: str | None = None
    ) -> None:
        self.on, self.threads = on, threads
        self.seen = device(on, backend)
        self.workers = workers or (1 if self.seen.device == "gpu" else max(1, cores() // threads))
        self._starters: dict[str, Starter] = {}

    @property
    def slots(self) -> int:
        return self.workers

    def start(self, job: Job, store: Store, events: queue.Queue[Event]) -> Worker:
        backend = job.longest.trial.backend
        if backend not in self._starters:
            # With more than one thread, NumPy's linear algebra starts them when it is imported, and nothing can be forked.
            self._starters[backend] = (STARTER if self.threads == 1 else Fresh)(backend, self.threads, self.on)
        return Worker(job, store, events, self._starters[backend])

    def close(self) -> None:
        while self._starters:
            self._starters.popitem()[1].close()


class Worker:
    """A process that carries out one job, and the thread that reads what it says.

    Workers return fingerprints: a run travels through the store and never through a pipe. `died` says, after the end,
    whether the process ended without a word (by a signal, or inside a library), which need not be the trial's fault.
    """

    def __init__(self, job: Job, store: Store, events: queue.Queue[Event], starter: Starter) -> None:
        self.job, self.store, self.events, self.died = job, store, events, False
        folder = store.work(job.fingerprint)
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / "trial.json"
        atomic.write(trial, job.longest.trial.canonical())
        also = ",".join(map(str, job.also))
        self.output = folder / "output.log"
        with self.output.open("wb") as log:
            self.process = starter.start(
                [str(trial.absolute()), str(store.root.absolute()), "--attached", "--threads", str(starter.threads),
                 *(["--also", also] if also else []), *(["--until", str(job.until)] if job.until else [])],
                job.longest.trial.learner, log,
            )  # fmt: skip
        events.put(job.event("started"))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        """Pass the worker's events on; however it ends, end with exactly one `done` or `failed`."""
        try:
            end = self._end()
        except Exception as error:  # whatever it is: who waits for the end has to be told
            self.process.kill()
            end = self.job.event("failed", error=why(error))
        self.events.put(end)

    def _end(self) -> Event:
        end = None
        for line in self.process.stdout:
            try:
                fields = json.loads(line)
                kind = fields.pop("event")
            except (ValueError, KeyError, TypeError, AttributeError):  # something else that was printed
                continue
            if kind in ("done", "failed"):
                end = self.job.event(kind, **fields)
            else:
                self.events.put(self.job.event(kind, **fields))
        code = self.process.wait()
        if end is None:  # it died without a word; a run that was committed is a run however its process ended
            stored = self.store.get(self.job.trials[-1].fingerprint)
            self.died = stored is None
            kind, fields = (
                ("done", {"fingerprint": stored.fingerprint}) if stored else ("failed", {"error": _exit_reason(code)})
            )
            end = self.job.event(kind, **fields)
        if end.kind == "failed":
            end.fields["output"] = _last_lines(self.output)
        return end

    def close(self) -> None:
        """After the process has ended: let go of its pipes."""
        self.thread.join()
        with self.process:
            pass

    def stop(self) -> None:
        """End the process, politely at first."""
        self.process.terminate()
        try:
            self.process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.close()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _exit_reason(code: int) -> str:
    """Why a process is gone that did not say so itself."""
    if code >= 0:
        return f"the worker ended with exit code {code} and said nothing"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
    return f"the worker was killed by signal {name}{hint}"


def _last_lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()[-LAST_LINES:]
    except OSError:
        return []
