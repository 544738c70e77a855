"""uvicorn's HTTP/1.1 (on llhttp, in C), with the bounds that it lacks: on time, on bytes, on what one connection may have done
at once; and with ends of connections at which no answer is lost.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from toile.serving.http import problem
from toile.serving.http.connections import Connections, Doing
from toile.serving.http.flow import Ending, Flow

HEAD = 64 * 1024  # bytes of the head of a request, and what one read takes at most
HEADERS = 100
CHUNKS = 1024  # of a body, and one more for each …
CHUNK = 256  # … bytes of it
FRAMING = 64 * 1024  # bytes that a body may take on the wire beside twice its own: sizes of chunks, extensions, trailers
LEFT = 64 * 2**20  # bytes that are read and thrown away after an answer that is the last
SLICE = 4096  # bytes that are parsed at once; no request of the next slice is begun before those of this one are answered
NO_HTTP = "this is no HTTP/1.1 request"
CONTINUING = 1.0  # seconds in which a client may use a connection that was idle when the server was told to end


class Protocol(HttpToolsProtocol):
    """One connection.

    Args:
        seconds: in which the head of a request must be whole, and in which a client must take what it was sent.
    """

    server_state: Connections
    flow: Flow

    def __init__(self, *args: Any, seconds: float, **named: Any) -> None:
        super().__init__(*args, **named)
        self.seconds = seconds
        self._unfed = bytearray()
        self._in_head = True
        self._begun = False  # whether something of a head has come
        self._wire = self._framed = self._chunks = 0  # of the request that is on its way
        self._refusal: str | None = None
        self._deaf = False  # what comes is no longer parsed
        self._left: int | None = None  # bytes that may still come after the last answer
        self._no_more = False  # the client has closed its side
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)
        transport.max_size = HEAD  # type: ignore[attr-defined] - of one read: what a connection may hold unparsed
        # asyncio does this only for sockets that were made with IPPROTO_TCP, which `socket.create_server` does not say. Without
        # it the body of an answer waits for the client to acknowledge its head: 40 ms each time.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._note()
        self._within("head", self.seconds, self._late)
        if self.server_state.draining:
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self.server_state.gone(self)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._within("unread", self.seconds, self.transport.abort)
        self._note()
        self.server_state.reads_not(self)

    def resume_writing(self) -> None:
        self._stop("unread")
        super().resume_writing()
        self._note()
        self.server_state.reads(self)

    def timeout_keep_alive_handler(self) -> None:
        if not self._begun:
            self.finish()

    def shutdown(self) -> None:
        """The server ends. What was asked is answered, and what comes on an idle connection in the next moment; the answers say
        that they are the last."""
        if self.answering and self._left is None:
            self.cycle.keep_alive = False
        else:
            self._within("continuing", CONTINUING, self._discontinue)

    def _discontinue(self) -> None:
        if self._left is not None:
            self.transport.abort()
        elif not self.answering and not self._begun:
            self.finish()

    @property
    def answering(self) -> bool:
        """Whether there is a request that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def finish(self) -> None:
        """Close once everything that was written is sent; what the client still sends is thrown away for a while.

        A connection that is closed with bytes unread is reset, and a client that was still writing loses its answer.
        """
        if self.transport.is_closing() or self._left is not None:
            return None
        self._deaf = True
        self._note()
        if (self._in_head and not self._begun and not self._unfed) or self._no_more:
            self.transport.close()
        else:
            self._left = LEFT
            self._unfed.clear()
            try:
                self.transport.write_eof()
            except OSError:  # the client is gone
                return self.transport.abort()
            self._note()
            self.flow.let_go()
        return self._within("end", self.seconds, self.transport.abort)

    # What comes

    def data_received(self, data: bytes) -> None:
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.transport.abort()
        elif not self._deaf:
            self._unfed += data
            self._feed()

    def eof_received(self) -> bool | None:
        """The client has said all. It is answered what it asked, if that was whole."""
        self._no_more = True
        return (self._left is None and self.answering and not self.cycle.more_body) or None

    def _feed(self) -> None:
        while self._unfed and not self.pipeline and not self._deaf:
            piece = bytes(self._unfed[:SLICE])
            del self._unfed[:SLICE]
            self._wire += len(piece)
            super().data_received(piece)
            self._bound()
        if self._deaf:
            self._unfed.clear()
        if self._unfed:
            self.flow.hold()
        elif self.flow.held and not self.pipeline:
            self.flow.let_go()
        self._note()
        if self._in_head and (self._begun or self._wire) and "head" not in self._timers:
            self._within("head", self.seconds, self._late)

    def _bound(self) -> None:
        if self._in_head and self._wire > HEAD:
            self._refuse(400, f"the head of the request is longer than {HEAD // 1024} KiB")
        elif not self._in_head and self._wire - 2 * self._framed > FRAMING:
            self._refuse(400, f"the body takes more than twice its size and {FRAMING // 1024} KiB on the wire")

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, self._refusal or NO_HTTP)

    def _late(self) -> None:
        if self._begun or self._wire:
            self._refuse(408, f"the head of the request did not arrive within {self.seconds:g} seconds")
        else:
            self.finish()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer outside of the application, which has not been asked, or is waiting for a body that makes no sense."""
        self._deaf = True
        if self.pipeline:  # its turn comes after others
            told: Any = problem.response(status, detail, {"Connection": "close"})
            self.pipeline[0] = (self.cycle, told)
            return
        if self.answering and not self.cycle.more_body:
            self.cycle.keep_alive = False  # this answer is the next, and the last
            return
        if not (self.answering and self.cycle.response_started):
            body = problem.document(status, detail)
            lines = (f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"content-type: {problem.MEDIA_TYPE}",
                     f"content-length: {len(body)}", "connection: close", "", "")  # fmt: skip
            self.transport.write("\r\n".join(lines).encode() + body)
        if self.answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._begun = True  # there is more to come, which is not read
        self.finish()

    # What llhttp finds in it

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer, which is nobody's business
        if len(self.headers) == HEADERS:
            self._refusal = f"the request has more than {HEADERS} headers"
            raise ValueError(self._refusal)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head, self._begun = False, False
        self._wire = self._framed = self._chunks = 0
        self._stop("head")
        self.cycle.transport = Ending(self.transport, self.finish)
        if self.server_state.draining or self._upgrades:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """uvicorn's, but for the count; not called from here, because a body of small chunks calls this for each of them."""
        self._chunks += 1
        self._framed += len(body)
        if self._chunks > CHUNKS + self._framed // CHUNK:
            self._refusal = (f"the body comes in chunks that are too small: {CHUNKS:,} are allowed, and one more for every "
                             f"{CHUNK} bytes; send larger ones, or its Content-Length")  # fmt: skip
            raise ValueError(self._refusal)
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._wire = True, 0
        self._deaf = self._deaf or self._upgrades

    @property
    def _upgrades(self) -> bool:
        """Whether what follows the request is of another protocol, which nobody here speaks."""
        return bool(self.parser and self.parser.should_upgrade())

    def on_response_complete(self) -> None:
        if self._left is not None or self.transport.is_closing():
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        self._feed()
        if self._no_more and not self.answering:
            self.finish()

    # What the server is told

    def _note(self) -> None:
        if self._left is not None or not self.answering or self.flow.write_paused:
            doing = Doing.IDLE
        else:
            doing = Doing.SENDING if self.cycle.more_body and not self.pipeline else Doing.WAITING
        self.server_state.note(self, doing)

    def _within(self, name: str, seconds: float, otherwise: Callable[[], Any]) -> None:
        self._stop(name)
        self._timers[name] = self.loop.call_later(seconds, otherwise)

    def _stop(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()
