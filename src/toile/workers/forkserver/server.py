"""The fork server: `python -m toile.workers.forkserver.server`, a process that loads the libraries once and forks the workers.

A fresh process spends four of its first five seconds on the import of TensorFlow. A fork has it at once, and shares the memory
of the libraries; in all else it is a process of its own, with its own end. Python's `multiprocessing` has the same idea under
this name, with one server a program, where here each backend and number of threads wants its own.

A fork is safe while the process has one thread, for no lock can be held by a thread that the fork has not (POSIX, `fork`), and
has not opened a GPU, which a fork could not use ("Poison fork in multiprocessing", PyTorch's notes). The libraries do both with
the first computation, and here nothing is computed. One that does it when it is imported is seen, and then the fork becomes a
fresh process.

Standard input is a socket. A message is a JSON object: `learner`, the trial's, and `arguments`, of `toile.workers.train`; with
it come four open files: the worker's standard input, output and error, and its status file, on
which the server writes its process number and, when it has ended, its exit code, as two C integers.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toile.workers import train
from toile.workers.device import FILES as GPUS
from toile.workers.forkserver.client import MESSAGE, NUMBER

_LIBRARIES = {
    "keras": ("keras", "toile.training.engines.{backend}"),
    "scratch": ("keras",),
    "classical": ("sklearn.ensemble", "sklearn.svm", "skops.io"),
}


def main() -> None:
    """Entry point: fork a worker for each message until the socket closes, as it does however the other side ends."""
    control = socket.socket(fileno=0)
    ended, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # for a handler alone, Python writes to `wake`
    signal.set_wakeup_fd(wake)
    statuses: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if ended in ready:
                os.read(ended, MESSAGE)
                _reap(statuses)
            if control in ready:
                message, files, *_ = socket.recv_fds(control, MESSAGE, 4)
                if not message:
                    os._exit(0)  # the workers see to themselves; no library has anything to end
                _fork(json.loads(message), files, statuses)


def load(learner: str) -> None:
    """Import what trials of this kind need, if it is not there yet. What cannot be imported, the worker will speak of."""
    backend = os.environ.get("KERAS_BACKEND", "")
    with contextlib.suppress(Exception):
        for module in _LIBRARIES[learner]:
            importlib.import_module(module.format(backend=backend))
    gc.freeze()  # a collection in a worker would touch, and so copy, every object of the libraries


def _fork(request: dict[str, Any], files: Sequence[int], statuses: dict[int, int]) -> None:
    load(request["learner"])
    *streams, status = files
    can_go_on = safe()
    if (pid := os.fork()) == 0:
        _become_worker(request["arguments"], can_go_on, streams, (status, *statuses.values()))
    statuses[pid] = status
    _report(status, pid)
    for stream in streams:
        os.close(stream)


def safe() -> bool:
    """Whether a fork of this process can compute."""
    opened = []
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them is closed again
            opened.append(str(file.readlink()))
    return len(list(Path("/proc/self/task").iterdir())) == 1 and not any(name.startswith(GPUS) for name in opened)


def work(arguments: Sequence[str], can_go_on: bool) -> int:
    """What a worker does, as the fork that it is if that can go on; its exit code."""
    if not can_go_on:
        os.execv(sys.executable, [sys.executable, "-m", train.__name__, *arguments])
    return train.main(list(arguments))


def _become_worker(arguments: Sequence[str], can_go_on: bool, streams: Sequence[int], others: Sequence[int]) -> None:
    """Go on as a worker, to the end of the process. `others` are the status files of the other workers."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for own, stream in enumerate(streams):
            os.dup2(stream, own)
        for file in (*streams, *others):
            os.close(file)
        code = work(arguments, can_go_on)
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _reap(statuses: dict[int, int]) -> None:
    """Report the exit codes of the workers that have ended."""
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        file = statuses.pop(pid)
        _report(file, os.waitstatus_to_exitcode(status))
        os.close(file)


def _report(file: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(file, NUMBER.pack(number))


if __name__ == "__main__":
    main()
