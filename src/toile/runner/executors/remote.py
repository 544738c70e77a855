"""What runs on a worker of a Dask cluster: one job in a fresh process, exactly as on the machine that asked for it.

The worker's machine has a store of its own in the worker's scratch folder (Dask's `--local-directory`), which its workers
share and nobody else writes. It keeps what trials need; the runs that are made there go back and are deleted.
"""

from __future__ import annotations

import asyncio
import importlib.util
import queue
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Reschedule, Status, Worker, get_worker

from toile.data.dataset import Dataset
from toile.runner.events import Event
from toile.runner.executors import local
from toile.runner.executors.needs import CHECKPOINT, Need
from toile.runner.jobs import Job
from toile.store import garbage, pack
from toile.store.store import Store
from toile.version import __version__
from toile.workers.starter import Fresh

_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Answer:
    """How a worker answers a job: it cannot, it lacks something, or it did it.

    Args:
        worker: its address.
        unfit: why it cannot carry out any job of this kind.
        lacks: what it has to be sent before it can.
        end: the job's `done` or `failed`.
        died: whether it failed because its process ended without a word, as when memory runs out.
        runs: an archive of the runs that were made, also those that a job made before it failed.
        checkpoint: of a training that may be gone on with, here or elsewhere.
    """

    worker: str
    unfit: str = ""
    lacks: tuple[Need, ...] = ()
    end: Event | None = None
    died: bool = False
    runs: bytes = b""
    checkpoint: bytes = b""


def unfit(version: str, packages: Collection[str]) -> str:
    """Why this machine cannot train what toile `version` asks of it, or nothing. Without loading anything."""
    if __version__ != version:
        return f"has toile {__version__}, and {version} asks"
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return f"has no {' and no '.join(missing)}" if missing else ""


def packages(job: Job) -> set[str]:
    """What has to be installed where the job is carried out."""
    trial = job.longest.trial
    return set() if trial.learner == "classical" else {"keras", trial.backend}


def carry_out(job: Job, needs: list[Need], *, threads: int, topic: str, version: str) -> Answer:
    """Carry out a job on this worker, and tell what happens under the topic.

    Args:
        threads: of the training process.
        version: of the toile that asks.

    Raises:
        Reschedule: the worker is closing, so another one may have the job; or nobody waits for it any more.
    """
    worker = get_worker()
    if why := unfit(version, packages(job)):
        return Answer(worker.address, unfit=why)
    store = _store(worker)
    if lacks := tuple(need for need in needs if not need.is_in(store)):
        return Answer(worker.address, lacks=lacks)
    key, events = worker.get_current_task(), queue.Queue()
    process = local.Worker(job, store, events, Fresh(job.longest.trial.backend, threads))
    event = None
    while event is None or event.kind not in ("done", "failed"):
        if _is_abandoned(worker, key):
            process.stop()
            raise Reschedule
        try:
            event = events.get(timeout=_SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            continue
        if event.kind not in ("done", "failed"):
            worker.log_event(topic, {"kind": event.kind, "fingerprint": event.fingerprint, "fields": event.fields})
    process.close()
    runs = [run for one in job.trials if (run := store.get(one.fingerprint))]
    archive = pack.packed(runs)
    for run in runs:
        garbage.discard(store, run)
    left = store.work(job.fingerprint) / CHECKPOINT
    checkpoint = left.read_bytes() if job.whole and left.is_file() else b""
    return Answer(worker.address, end=event, died=process.died, runs=archive, checkpoint=checkpoint)


async def receive(need: Need, content: Dataset | bytes, dask_worker: Worker) -> None:
    """Keep something on this worker's machine. (In a thread: meanwhile the worker has to answer its scheduler.)"""
    await asyncio.to_thread(need.keep, _store(dask_worker), content)


def lacking(needs: tuple[Need, ...], dask_worker: Worker) -> list[Need]:
    """What this worker's machine has not."""
    store = _store(dask_worker)
    return [need for need in needs if not need.is_in(store)]


def _store(worker: Worker) -> Store:
    return Store(Path(worker.local_directory).parent / "toile")


def _is_abandoned(worker: Worker, key: Any) -> bool:
    """Whether nobody waits for the task any more: it was cancelled, who asked for it is gone, or the worker is closing.

    Dask cannot end the thread of a task that runs. It marks the task, and leaves the rest to the task.
    """
    task = worker.state.tasks.get(key)
    return task is None or task.state != "executing" or worker.status in (Status.closing, Status.closed, Status.failed)
