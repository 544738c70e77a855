"""`toile serve`: one process, one model, one address."""

from __future__ import annotations

import logging
import signal
import socket
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from toile.errors import Misuse, ToileError
from toile.serving.limits import Limits
from toile.serving.predictor import Predictor
from toile.version import installing


def serve(
    export: Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    threads: int = 1,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    tell: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve an exported model until SIGTERM or Ctrl-C; what was accepted by then is answered first.

    Args:
        export: what `toile export --to onnx` wrote.
        host: address to listen at. There is no password: think before it is another than this machine's own.
        port: 0 takes one that is free.
        threads: of onnxruntime for one batch.
        tell: called with the address once requests are accepted.

    Raises:
        NotAnExport: the file is none.
        ToileError: the address is taken or not this machine's, or the extra `serve` is not installed.
    """
    predictor = Predictor.from_file(export, threads)
    try:
        import uvicorn

        from toile.serving import app
        from toile.serving.protocol import Protocol
    except ImportError as error:
        raise ToileError(f"{error.name} is not installed; `{installing('serve')}` brings what a server needs") from None
    _quiet()
    listening = _listen(host, port)
    config = uvicorn.Config(
        app.make(predictor, limits),
        http=partial(Protocol, seconds=limits.seconds),  # pyright: ignore[reportArgumentType]: uvicorn calls it like a class
        ws="none", lifespan="off",
        log_level="error", access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=round(2 * limits.seconds),
    )  # fmt: skip
    # uvicorn raises the signal again when all is answered. SIGTERM is how a server ends; it is no failure.
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        tell(address(listening))
        uvicorn.Server(config).run([listening])
    finally:
        signal.signal(signal.SIGTERM, before)


def address(listening: socket.socket) -> str:
    """What to type into a browser."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _quiet() -> None:
    """What is wrong with a client's body is told to the client, and counted. In a log it would be a way to fill a disk."""
    warnings.simplefilter("ignore")  # Pillow's, of damaged pictures
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise Misuse(f"--port is 0..65535, got {port}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ToileError(f"cannot listen at {host} port {port}: {error.strerror or error}") from None
