"""How training processes are started: what all ways share, and the plain one, a fresh process each."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import BinaryIO, Protocol, Self

from toile.workers.process import environment


class Process(Protocol):
    """What `subprocess.Popen` and `toile.workers.forkserver.client.Forked` have in common."""

    stdin: BinaryIO
    stdout: BinaryIO
    pid: int

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for a signal; subprocess.TimeoutExpired if it has not ended after so many seconds."""
        ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None:
        """Close its streams, and wait."""


class Starter(ABC):
    """What starts worker processes.

    Args:
        backend: Keras's.
        threads: of each process.
        device: "cpu" hides a GPU from them.
    """

    def __init__(self, backend: str, threads: int, device: str | None = None) -> None:
        self.threads, self.environment = threads, environment(backend, threads, device)

    @abstractmethod
    def start(self, arguments: Sequence[str], learner: str, log: BinaryIO) -> Process:
        """Start `toile.workers.train`.

        Args:
            arguments: its own.
            learner: the trial's.
            log: where its standard error goes.
        """

    def close(self) -> None:  # noqa: B027 - where each worker is started by itself, nothing is left
        """Let go of what the workers were started by; they go on."""


class Fresh(Starter):
    """Each worker is a fresh process."""

    def start(self, arguments: Sequence[str], learner: str, log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "toile.workers.train", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=self.environment,
            # A Ctrl-C in the terminal goes to the parent alone, which stops its workers in order; on Windows likewise.
            start_new_session=True, creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )  # fmt: skip
