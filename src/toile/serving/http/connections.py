"""All connections of a server: how many there may be, and which one makes room for the next."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Protocol

from uvicorn.server import ServerState

from toile.errors import ToileError

BURST = 16  # connections that are accepted before those that made room for them are closed
UNREAD = 64 * 2**20  # bytes of answers that all clients together have not taken yet
FILES = 64  # that the server needs beside its connections: the model, the decoders, the log
LEAST = 16


class Doing(Enum):
    """What a connection is doing, those first that are closed first when there are too many."""

    IDLE = "idle"  # or not reading its answer
    SENDING = "sending"  # a request, which is not whole yet
    WAITING = "waiting"  # for an answer: never closed


class Connection(Protocol):
    """What is asked of one connection here."""

    transport: asyncio.Transport


class Connections(ServerState):
    """uvicorn's state of a server, which knows of each connection what it is doing, and since when.

    Args:
        most: connections at once.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.draining = False
        self._doing: dict[Connection, Doing] = {}
        # Dictionaries as ordered sets: who has been so for the longest is first.
        self._by: dict[Doing, dict[Connection, None]] = {doing: {} for doing in Doing}
        self._unread: dict[Connection, None] = {}

    def note(self, connection: Connection, doing: Doing) -> None:
        """Say what a connection is doing now. A new one takes the place of another when there is none left."""
        before = self._doing.get(connection)
        if before is doing or connection.transport.is_closing():
            return None
        if before is None and len(self._doing) >= self.most and not self._make_room():
            return connection.transport.abort()
        self._forget(connection)
        self._doing[connection] = doing
        self._by[doing][connection] = None
        return None

    def reads_not(self, connection: Connection) -> None:
        """Say that a client does not take its answer. Those that have not done so for the longest make room for the others."""
        self._unread[connection] = None
        sizes = {one: one.transport.get_write_buffer_size() for one in self._unread}
        total = sum(sizes.values())
        for one, size in sizes.items():
            if total <= UNREAD:
                break
            total -= size
            one.transport.abort()

    def reads(self, connection: Connection) -> None:
        """Say that it does again."""
        self._unread.pop(connection, None)

    def gone(self, connection: Connection) -> None:
        """Say that a connection is closed."""
        self._forget(connection)
        self.reads(connection)

    def _forget(self, connection: Connection) -> None:
        if (doing := self._doing.pop(connection, None)) is not None:
            del self._by[doing][connection]

    def _make_room(self) -> bool:
        for doing in (Doing.IDLE, Doing.SENDING):
            if longest := next(iter(self._by[doing]), None):
                self._forget(longest)
                longest.transport.abort()
                return True
        return False


def allowed(most: int) -> int:
    """How many connections there may be: `most`, or what the system's limit of open files leaves.

    Raises:
        ToileError: it leaves next to none.
    """
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return most
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return most
    if files < FILES + BURST + LEAST:
        raise ToileError(f"the limit of open files is {files}; a server needs {FILES + BURST + LEAST} (`ulimit -n` sets it)")
    return min(most, files - FILES - BURST)
