"""Workers that are forks of one process that has loaded the libraries, from the side of who starts them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO, Self

from toile.workers.starter import Starter

# Of the server's socket, and of the files by which it tells of workers.
MESSAGE = 65536
NUMBER = struct.Struct("i")


class ForkServer(Starter):
    """Each worker is a fork of one process that has loaded the libraries; see `toile.workers.forkserver.server`.

    It is started with the first worker, and again where it has died.
    """

    _process: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None

    def start(self, arguments: Sequence[str], learner: str, log: BinaryIO) -> Forked:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None or self._control is None:
            self._process, self._control = self._started()
        (stdin, to_stdin), (from_stdout, stdout), (from_status, status) = os.pipe(), os.pipe(), os.pipe()
        message = json.dumps({"learner": learner, "arguments": list(arguments)}).encode()
        # If it has just died, the worker's files close, and that is its end.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._control, [message], [stdin, stdout, log.fileno(), status])
        for theirs in (stdin, stdout, status):
            os.close(theirs)
        return Forked(self._process, os.fdopen(to_stdin, "wb", buffering=0), os.fdopen(from_stdout, "rb"), from_status)

    def close(self) -> None:
        if self._process is not None and self._control is not None:
            self._control.close()
            self._process.wait()
            self._process = None

    def _started(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "toile.workers.forkserver.server"],
                stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                # Or Keras's question whether there is a GPU would have PyTorch open it.
                env={**self.environment, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
                start_new_session=True,
            )  # fmt: skip
        return process, ours


class Forked:
    """A worker that was asked of a fork server."""

    def __init__(self, server: subprocess.Popen[bytes], stdin: BinaryIO, stdout: BinaryIO, status: int) -> None:
        self.stdin, self.stdout = stdin, stdout
        self._server, self._status = server, os.fdopen(status, "rb", buffering=0)
        self._pid: int | None = None
        self._code: int | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Its process, as soon as there is one; None if its server was killed before."""
        while self._pid is None and self._code is None:
            self._read_status(None)
        return self._pid

    def wait(self, timeout: float | None = None) -> int:
        """See `Process`. If the server was killed, its exit code stands for the worker's, which nobody knows."""
        while self._code is None:
            if not self._read_status(timeout):
                raise subprocess.TimeoutExpired("worker", timeout or 0)
        return self._code

    def terminate(self) -> None:
        """SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._send(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stdout.close()
        self.stdin.close()
        self.wait()
        self._status.close()

    def _send(self, number: signal.Signals) -> None:
        while self._code is None and self._read_status(0):
            pass
        if self._code is not None:
            return
        if self._pid is None:
            self._server.kill()  # it is still loading, and has no worker yet
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _read_status(self, timeout: float | None) -> bool:
        """Wait so many seconds at most for what the server writes next: the process number, then the exit code."""
        poll = select.poll()
        poll.register(self._status, select.POLLIN)
        if not poll.poll(None if timeout is None else timeout * 1000):
            return False
        with self._lock:
            if self._code is None and poll.poll(0):  # or another thread has read it
                if not (message := self._status.read(NUMBER.size)):
                    self._code = self._server.wait()
                elif self._pid is None:
                    [self._pid] = NUMBER.unpack(message)
                else:
                    [self._code] = NUMBER.unpack(message)
        return True
