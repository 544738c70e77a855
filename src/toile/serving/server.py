"""`toile serve`: one process, one model, one address."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from toile.errors import Misuse, ToileError
from toile.serving.hosts import Hosts
from toile.serving.limits import Limits
from toile.serving.predictor import NO_CHECKSUM, Predictor
from toile.version import installing


def serve(
    export: Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    host_names: Iterable[str] = (),
    threads: int = 1,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    tell: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve an exported model until SIGTERM or Ctrl-C; what was accepted by then is answered first.

    Args:
        export: what `toile export --to onnx` wrote.
        host: address to listen at. There is no password: think before it is another than this machine's own.
        port: 0 takes one that is free.
        host_names: that a request's `Host` may have beside `host`, this machine's own and the address that it came to.
        threads: of onnxruntime for one batch.
        tell: called with the address once requests are accepted, and with a word on a missing checksum.

    Raises:
        NotAnExport: the file is none, or damaged.
        ToileError: the address is taken or not this machine's, the extra `serve` is not installed, or the system allows next to
            no open files.
    """
    hosts = Hosts(host_names, host)
    predictor = Predictor.from_file(export, threads)
    try:
        import uvicorn

        from toile.serving import app
        from toile.serving.connections import BURST, allowed
        from toile.serving.listening import Server
        from toile.serving.protocol import Protocol
    except ImportError as error:
        raise ToileError(f"{error.name} is not installed; `{installing('serve')}` brings what a server needs") from None
    _quiet()
    most = allowed(limits.connections)
    listening = _listen(host, port)
    config = uvicorn.Config(
        app.make(predictor, limits, hosts),
        http=partial(Protocol, seconds=limits.seconds),  # pyright: ignore[reportArgumentType]: uvicorn calls it like a class
        loop="asyncio", ws="none", lifespan="on", backlog=BURST,
        log_level="error", access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=round(2 * limits.seconds),
    )  # fmt: skip
    server = Server(config, most)
    # All that was made so far stays. Looking through it for garbage again takes a tenth of a second, in which all wait.
    gc.collect()
    gc.freeze()
    # uvicorn raises the signal again when all is answered. SIGTERM is how a server ends; it is no failure.
    before = signal.signal(signal.SIGTERM, server.handle_exit)
    try:
        tell(address(listening) + ("" if predictor.sealed else f" (it {NO_CHECKSUM})"))
        server.run([listening])
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
