"""A process that stays, for programs that train or ask many small models in a row.

What is trained in it is the same as in a process of its own, bit by bit. `toile.workers` says what it is for.

Requests and answers are pickles over that process's standard input and output, which nobody else can write to.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, BinaryIO, NamedTuple

from toile.arrays import ImageArray, Probabilities
from toile.errors import ToileError
from toile.store.run import Run
from toile.store.store import Store
from toile.study.trial import Trial
from toile.workers.process import environment

# After so long without a request the process is ended: TensorFlow holds half a gigabyte.
IDLE_SECONDS = 300.0
# After so many trainings it is replaced: TensorFlow keeps the graphs of each, 3 MB for a small network.
TRAININGS = 100
_LAST_LINES = 5

Tell = Callable[..., None]


class StoredModel(NamedTuple):
    """A run's model without its store: the name of the file, and what is in it."""

    name: str
    content: bytes

    @classmethod
    def of(cls, run: Run) -> StoredModel:
        return cls(run.model.name, run.model.read_bytes())


class Session:
    """The process with one Keras backend and so many threads, started by the first request and after its end by the next.

    Threads may share it; it carries out one request at a time. `session` gives the one that there is.
    """

    def __init__(self, backend: str, threads: int) -> None:
        self.backend, self.threads = backend, threads
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None
        self._log: BinaryIO | None = None
        self._trainings = 0

    def train(
        self,
        trial: Trial,
        store: Store,
        *,
        also: Sequence[int] = (),
        until: int | None = None,
        tell: Tell = lambda event, **fields: None,
    ) -> str:
        """Train a trial whose data set `store` keeps; arguments, result and errors as `toile.training.train.train`."""
        with self._lock:
            if self._trainings >= TRAININGS:
                self.kill()
                self._trainings = 0
            self._trainings += 1
            asked = trial.canonical(), store.root.absolute(), self.threads, tuple(also), until
            return self._request("train", *asked, tell=tell)

    def predict(self, model: StoredModel, images: ImageArray) -> Probabilities:
        """Probabilities `(n, classes)` float32 of uint8 images `(n, height, width, channels)`.

        Raises:
            ToileError: the model cannot be loaded.
        """
        return self._request("predict", model, images)

    def close(self) -> None:
        """End the process, after the request that it is at."""
        with self._lock:
            self.kill()
            if self._log is not None:
                self._log.close()
                self._log = None

    def kill(self) -> None:
        """End the process at once, and any request with it. What it has committed to a store stays."""
        if (process := self._process) is not None:
            self._process = None
            process.kill()
            process.wait()
            to, answers = _streams(process)
            with contextlib.suppress(OSError):  # what was not sent cannot be sent any more
                to.close()
            answers.close()

    def _request(self, verb: str, *arguments: Any, tell: Tell | None = None) -> Any:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            try:
                kind, result = self._answer(verb, arguments, tell)
            except BaseException:
                self.kill()  # or the next request would read what is still to come of this one
                raise
            self._timer = threading.Timer(IDLE_SECONDS, self.close)
            self._timer.daemon = True
            self._timer.start()
        if kind == "failed":
            raise ToileError(result)
        return result

    def _answer(self, verb: str, arguments: tuple[Any, ...], tell: Tell | None) -> tuple[str, Any]:
        """`("done", result)` or `("failed", message)`; `tell` hears of what happens before."""
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self._process = self._started()
        to, answers = _streams(self._process)
        with self._alive():
            send(to, (verb, arguments))
        while True:
            with self._alive():
                kind, *answer = pickle.load(answers)
            if kind != "event":
                return kind, *answer
            event, fields = answer
            if tell is not None:
                tell(event, **fields)

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise ToileError(f"the process that trains has ended: {self._last_lines()}") from None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._log is None:
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when the process has ended
        self._log.truncate(0)
        return subprocess.Popen(
            [sys.executable, "-m", "toile.workers.resident.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, env=environment(self.backend, self.threads),
            start_new_session=True,  # a Ctrl-C in the terminal is for who waits here, who then kills it
        )  # fmt: skip

    def _last_lines(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        return "\n".join(self._log.read().decode(errors="replace").splitlines()[-_LAST_LINES:])


_sessions: dict[tuple[int, str, int], Session] = {}


def session(backend: str, threads: int) -> Session:
    """The session of this process. A fork gets one of its own: two could not tell whose answer is whose."""
    key = os.getpid(), backend, threads
    # `setdefault`, because two threads may come here at once.
    return _sessions.get(key) or _sessions.setdefault(key, Session(backend, threads))


def _streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Where requests go, and where answers come from."""
    assert process.stdin is not None and process.stdout is not None  # both were asked for
    return process.stdin, process.stdout


@atexit.register
def _kill_all() -> None:
    for (owner, *_), one in _sessions.items():
        if owner == os.getpid():
            one.kill()


def send(file: IO[bytes], message: Any) -> None:
    """A message to the other side."""
    pickle.dump(message, file, protocol=pickle.HIGHEST_PROTOCOL)
    file.flush()
