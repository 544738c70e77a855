"""The process of one training: `python -m toile.workers.train trial.json store/`.

Keras fixes its backend when it is imported, memory comes back when the process ends, and local processes and cluster workers
start it the same way. Standard output carries one JSON object a line (`event`: "waiting", "epoch", "done", "failed");
everything the libraries say goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from toile.errors import ToileError, refused
from toile.inference.infer import load
from toile.store.store import Store
from toile.study.trial import Trial
from toile.training.train import Diverged, train
from toile.workers.process import end_with_parent


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the worker process."""
    parser = argparse.ArgumentParser(prog="python -m toile.workers.train", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trial", type=Path, help="a trial's canonical JSON")
    parser.add_argument("store", type=Path)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    parser.add_argument("--also", default="", help="smaller numbers of epochs to commit on the way, as 25,50")
    parser.add_argument("--until", type=int, help="end after so many epochs and keep the checkpoint")
    parser.add_argument("--attached", action="store_true", help="end when standard input closes")
    options = parser.parse_args(arguments)
    if options.attached:
        end_with_parent()
    events = sys.stdout

    def say(event: str, **fields: Any) -> None:
        print(json.dumps({"event": event, **fields}), file=events, flush=True)

    # Whatever prints must not get between the events.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            trial = Trial.parse(options.trial.read_text("utf-8"))
            os.environ.setdefault("KERAS_BACKEND", trial.backend)
            also = [int(epochs) for epochs in options.also.split(",") if epochs]
            store, threads = Store(options.store), options.threads
            made = train(trial, store, threads=threads, say=say, also=also, until=options.until, load=load)
            say("done", fingerprint=made)
        except Diverged as error:
            say("failed", error=str(error), diverged=error.epoch)
            return 1
        except ToileError as error:
            say("failed", error=str(error))
            return 1
        except OSError as error:
            say("failed", error=refused(error))
            return 1
        except Exception:
            traceback.print_exc()
            say("failed", error=traceback.format_exc(limit=0).strip())
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
