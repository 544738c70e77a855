"""uvicorn's server, with a bound on connections, quiet about those that it cannot accept, and gentle when it ends."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from toile.serving.http.connections import Connections

QUEUE = 2048  # connections that the system holds until they are accepted
SILENT = 60.0  # seconds between two lines on connections that cannot be accepted

logger = logging.getLogger("uvicorn.error")


class Server(uvicorn.Server):
    """A server of so many connections at most.

    Args:
        ending: called when it is told to end.
    """

    def __init__(self, config: uvicorn.Config, most: int, ending: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._ending = ending
        self.server_state: Connections = Connections(most)
        self._told: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._tell)
        await super().startup(sockets)
        for one in sockets or ():
            # asyncio has set it to how many it accepts before it does anything else, which is few.
            one.listen(QUEUE)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(0)  # who has connected is accepted, and answered; the system resets the others
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.server_state.draining = True  # from now on, answers say that they are the last
        self._ending()
        super().handle_exit(sig, frame)

    def _tell(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """One line in a while, where asyncio writes a traceback for each connection that the system does not give."""
        if not (isinstance(error := context.get("exception"), OSError) and "accept" in context.get("message", "")):
            return loop.default_exception_handler(context)
        if self._told is None or time.monotonic() - self._told > SILENT:
            self._told = time.monotonic()
            logger.error("connections cannot be accepted: %s (said once in %d seconds)", error.strerror or error, SILENT)
        return None
