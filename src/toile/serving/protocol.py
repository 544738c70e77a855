"""uvicorn's HTTP/1.1, with the time limits that it lacks: for heads that dribble in and for answers that nobody reads."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from toile.serving import problem


class Protocol(H11Protocol):
    """One connection.

    Args:
        seconds: in which the head of a request must be whole, and in which a client must take what it was sent.
    """

    def __init__(self, *args: Any, seconds: float, **named: Any) -> None:
        super().__init__(*args, **named)
        self.seconds = seconds
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head = self.loop.call_later(self.seconds, self._late)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._cancel()
        elif self._head is None:  # the first bytes of a further request
            self._head = self.loop.call_later(self.seconds, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._tell(400, "this is no HTTP/1.1 request, or its head is longer than 64 KiB")

    def _cancel(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _late(self) -> None:
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._tell(408, f"the head of the request did not arrive within {self.seconds:g} seconds")
        else:
            self.transport.close()

    def _tell(self, status: int, detail: str) -> None:
        """Answer outside of the application, which has not been asked, or is waiting for a body that makes no sense."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = problem.document(status, detail)
            headers = [("content-type", problem.MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close")]
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event))
        self.transport.close()
