"""The local executor: each trial in a fresh process, several at once, each with its threads pinned."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from toile.learners.process import environment
from toile.runner.events import Event
from toile.runner.plan import PlannedTrial
from toile.store import atomic
from toile.store.store import Store

LAST_LINES = 20
_SECONDS_TO_STOP = 10


def execute(
    pending: list[PlannedTrial], store: Store, *, workers: int, threads: int, tell: Callable[[Event], None]
) -> dict[str, str]:
    """Train `pending`, at most `workers` at once, and wait for all of them.

    Workers return fingerprints: a run travels through the store and never through a pipe. A worker that dies fails its
    own trial; the others go on. On KeyboardInterrupt all workers are stopped; what they checkpointed stays.

    Args:
        threads: of each worker.
        tell: called in this thread with every event.

    Returns:
        Error messages by fingerprint; empty if all went well.
    """
    events: queue.Queue[Event] = queue.Queue()
    waiting, running, errors = list(pending), {}, {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                worker = Worker(waiting.pop(0), store, threads, events)
                running[worker.planned.fingerprint] = worker
                tell(worker.event("started"))
            event = events.get()
            if event.kind in ("done", "failed"):
                running.pop(event.fingerprint).close()
            if event.kind == "failed":
                errors[event.fingerprint] = event.fields["error"]
            tell(event)
    except KeyboardInterrupt:
        for worker in running.values():
            worker.stop()
            tell(worker.event("stopped"))
        raise
    return errors


class Worker:
    """A process that trains one trial, and the thread that reads what it says."""

    def __init__(self, planned: PlannedTrial, store: Store, threads: int, events: queue.Queue[Event]) -> None:
        self.planned, self.events = planned, events
        folder = store.work(planned.fingerprint)
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / "trial.json"
        atomic.write(trial, planned.trial.canonical())
        self.output = folder / "output.log"
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "toile.learners.train", str(trial), str(store.root), "--attached",
                 "--threads", str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(planned.trial.backend, threads),
                # A Ctrl-C in the terminal goes to the parent alone, which stops its workers in order.
                start_new_session=True,
            )  # fmt: skip
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def event(self, kind: str, **fields: object) -> Event:
        return Event(kind, self.planned.name, self.planned.fingerprint, fields)

    def _read(self) -> None:
        """Pass the worker's events on; however it ends, end with exactly one `done` or `failed`."""
        end = None
        for line in self.process.stdout:
            try:
                fields = json.loads(line)
                kind = fields.pop("event")
            except (ValueError, KeyError):
                continue
            if kind in ("done", "failed"):
                end = self.event(kind, **fields)
            else:
                self.events.put(self.event(kind, **fields))
        code = self.process.wait()
        if end is None:  # it died without a word; a run that was committed is a run however its process ended
            end = self.event("failed", error=_death(code))
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
