"""TensorBoard: a folder a training, one file of events in it, written by TensorBoard's own writer. TensorFlow is not loaded."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from toile.store import atomic
from toile.trackers.told import Told

# TensorBoard reads every file whose name has this in it.
EVENTS = "events.out.tfevents"


def default() -> str:
    return "logs"


def known(study: str, where: str) -> list[str]:
    """Fingerprints of the runs whose events are there: a file is written in one step, so it is whole."""
    import tensorboard  # noqa: F401 - that it is there is told before anything is looked at

    return [path.suffix[1:] for path in (Path(where) / _folder(study)).glob(f"*/{EVENTS}.*") if len(path.suffix) == 65]


def tell(run: Told, where: str) -> None:
    """See `toile.trackers.send.Tracker`."""
    folder = Path(where) / _folder(run.study) / f"{_folder(run.name)} {run.fingerprint[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / f"{EVENTS}.{int(run.ended)}.{run.fingerprint}", events(run))


def events(run: Told) -> bytes:
    """The content of the file: the parameters, the figures of each epoch, and those at the end, at the last epoch."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    # Classes that protobuf makes when it is run, of which no checker of types knows.
    generated: Any = SimpleNamespace(event=event_pb2, summary=summary_pb2)
    Event, Summary = generated.event.Event, generated.summary.Summary
    content = io.BytesIO()
    writer = RecordWriter(content)

    def write(**fields: object) -> None:
        writer.write(Event(wall_time=run.ended, **fields).SerializeToString())

    write(file_version="brain.Event:2")
    write(summary=hparams_pb(run.parameters, trial_id=run.fingerprint, start_time_secs=run.began))
    last = len(run.epochs)
    for step, row in [*enumerate(run.epochs, 1), (last, run.figures | run.facts)]:
        write(step=step, summary=Summary(value=[Summary.Value(tag=key, simple_value=value) for key, value in row.items()]))
    return content.getvalue()


def _folder(name: str) -> str:
    """A name as one of a folder, on every system."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "-", name).strip(" .")[:100] or "run"
