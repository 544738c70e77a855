"""`toile serve`: one process, one model, one address."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from toile.errors import Misuse, ToileError
from toile.serving.http.hosts import Hosts
from toile.serving.http.limits import Limits
from toile.serving.predictor import NO_CHECKSUM, Predictor
from toile.version import installing

if TYPE_CHECKING:
    from starlette.types import ASGIApp


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
    needed()
    from toile.serving import app

    quiet()
    listening = listen(host, port)
    answer(app.make(predictor, limits, hosts), listening, limits,
           lambda at: tell(at + ("" if predictor.sealed else f" (it {NO_CHECKSUM})")))  # fmt: skip


def needed() -> None:
    """
    Raises:
        ToileError: what a server needs is not installed.
    """
    for name in ("fastapi", "starlette", "uvicorn", "httptools", "python_multipart", "prometheus_client"):
        if find_spec(name) is None:
            raise ToileError(f"{name} is not installed; `{installing('serve')}` brings what a server needs")


def answer(
    application: ASGIApp,
    listening: socket.socket,
    limits: Limits,
    tell: Callable[[str], None],
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests until SIGTERM or Ctrl-C.

    Args:
        listening: as `listen` gives it.
        tell: called with the address once requests are accepted.
        ending: called when the server is told to end, so that answers without an end have one.

    Raises:
        ToileError: the system allows next to no open files.
    """
    import uvicorn

    from toile.serving.http.connections import BURST, allowed
    from toile.serving.http.listening import Server
    from toile.serving.http.protocol import Protocol

    most = allowed(limits.connections)
    config = uvicorn.Config(
        application,
        http=partial(Protocol, seconds=limits.seconds),  # pyright: ignore[reportArgumentType]: uvicorn calls it like a class
        loop="asyncio", ws="none", lifespan="on", backlog=BURST,
        log_level="error", access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=round(2 * limits.seconds),
    )  # fmt: skip
    server = Server(config, most, ending)
    # All that was made so far stays. Looking through it for garbage again takes a tenth of a second, in which all wait.
    gc.collect()
    gc.freeze()
    # uvicorn raises the signal again when all is answered. SIGTERM is how a server ends; it is no failure.
    before = signal.signal(signal.SIGTERM, server.handle_exit)
    try:
        tell(address(listening))
        server.run([listening])
    finally:
        signal.signal(signal.SIGTERM, before)


def address(listening: socket.socket) -> str:
    """What to type into a browser."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def quiet() -> None:
    """What is wrong with a client's body is told to the client, and counted. In a log it would be a way to fill a disk."""
    warnings.simplefilter("ignore")  # Pillow's, of damaged pictures
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def listen(host: str, port: int) -> socket.socket:
    """A socket at which requests may come.

    Raises:
        Misuse, ToileError: there is no such port, or it cannot be had.
    """
    if not 0 <= port <= 65535:
        raise Misuse(f"--port is 0..65535, got {port}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ToileError(f"cannot listen at {host} port {port}: {error.strerror or error}") from None
