"""The local executor: each job in a fresh process, several at once, each with its threads pinned."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from toile.learners.process import environment
from toile.runner.events import Event
from toile.runner.jobs import Job
from toile.store import atomic
from toile.store.store import Store

LAST_LINES = 20
_SECONDS_TO_STOP = 10


def execute(jobs: Sequence[Job], store: Store, *, workers: int, threads: int, tell: Callable[[Event], None]) -> dict[str, str]:
    """Carry out `jobs`, at most `workers` at once, and wait for all of them.

    Workers return fingerprints: a run travels through the store and never through a pipe. A worker that dies fails its
    own job; the others go on. A job that begins with another's run waits for it. On KeyboardInterrupt all workers are
    stopped; what they checkpointed stays.

    Args:
        threads: of each worker.
        tell: called in this thread with every event.

    Returns:
        Error messages by the fingerprint of each trial that could not be made; empty if all went well.
    """
    events: queue.Queue[Event] = queue.Queue()
    waiting, running, errors = list(jobs), {}, {}
    try:
        while waiting or running:
            for job in [job for job in waiting if not job.after or store.get(job.after)][: workers - len(running)]:
                waiting.remove(job)
                running[job.fingerprint] = Worker(job, store, threads, events)
                tell(running[job.fingerprint].event("started"))
            if not running:
                for job in waiting:
                    error = f"the run that it begins with, {job.after[:12]}, is not stored"
                    errors |= dict.fromkeys(_missing(job, store), error)
                    tell(Event("failed", job.name, job.fingerprint, {"error": error}))
                break
            event = events.get()
            if event.kind in ("done", "failed"):
                worker = running.pop(event.fingerprint)
                worker.close()
                missing = _missing(worker.job, store)
                if event.kind == "failed":
                    errors |= dict.fromkeys(missing, event.fields["error"])
                elif shorter := tuple(one for one in worker.job.trials[:-1] if one.fingerprint in missing):
                    # It went on from a checkpoint beyond their epochs, and so did not pass them.
                    waiting.append(Job(shorter))
            tell(event)
    except KeyboardInterrupt:
        for worker in running.values():
            worker.stop()
            tell(worker.event("stopped"))
        raise
    return errors


class Worker:
    """A process that carries out one job, and the thread that reads what it says."""

    def __init__(self, job: Job, store: Store, threads: int, events: queue.Queue[Event]) -> None:
        self.job, self.store, self.events = job, store, events
        folder = store.work(job.fingerprint)
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / "trial.json"
        atomic.write(trial, job.longest.trial.canonical())
        also = [str(shorter.trial.recipe.epochs) for shorter in job.trials[:-1]]
        self.output = folder / "output.log"
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "toile.learners.train", str(trial), str(store.root), "--attached",
                 "--threads", str(threads), *(["--also", ",".join(also)] if also else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(job.longest.trial.backend, threads),
                # A Ctrl-C in the terminal goes to the parent alone, which stops its workers in order.
                start_new_session=True,
            )  # fmt: skip
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def event(self, kind: str, **fields: object) -> Event:
        return Event(kind, self.job.name, self.job.fingerprint, fields)

    def _read(self) -> None:
        """Pass the worker's events on; however it ends, end with exactly one `done` or `failed`."""
        end = None
        for line in self.process.stdout:
            try:
                fields = json.loads(line)
                kind = fields.pop("event")
            except (ValueError, KeyError, TypeError, AttributeError):  # something else that was printed
                continue
            if kind in ("done", "failed"):
                end = self.event(kind, **fields)
            else:
                self.events.put(self.event(kind, **fields))
        code = self.process.wait()
        if end is None:  # it died without a word; a run that was committed is a run however its process ended
            stored = self.store.get(self.job.fingerprint)
            end = self.event("done", fingerprint=stored.fingerprint) if stored else self.event("failed", error=_death(code))
        if end.kind == "failed":
            end.fields["output"] = _last_lines(self.output)
        self.events.put(end)

    def close(self) -> None:
        """After the process has ended: let go of its pipes."""
        self.thread.join()
        self.process.stdin.close()
        self.process.stdout.close()

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


def _missing(job: Job, store: Store) -> list[str]:
    return [one.fingerprint for one in job.trials if not store.get(one.fingerprint)]


def _death(code: int) -> str:
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
