"""How a connection is read and written: what uvicorn's own does not do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """Reads nothing more while there is something that was read and not parsed, whoever asks."""

    held = False

    def hold(self) -> None:
        self.held = True
        self.pause_reading()

    def let_go(self) -> None:
        self.held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class Ending(asyncio.Transport):
    """The transport that an answer is written to, and whose end is the protocol's business."""

    def __init__(self, transport: asyncio.Transport, finish: Callable[[], object]) -> None:
        super().__init__()
        self._transport, self._finish = transport, finish

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._finish()
