"""The gate before the application: each body whole, and no more of them than the limits allow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from toile.serving.http import problem
from toile.serving.http.hosts import Hosts
from toile.serving.http.limits import SHARE, Limits
from toile.serving.http.problem import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# For every answer. What a page may load is said in `pages`, for pages.
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
COME_AGAIN = {"Retry-After": "1"}
# What is left of the body must not be taken for the next request.
CLOSE = {"Connection": "close"}


class Gate:
    """ASGI application around another, which gets each body whole, and only what the limits allow.

    A request takes none of the places in which requests are answered before its body is whole, so that slow clients keep nobody
    out. GET takes none at all: what only reads the server's state is answered however busy it is.
    """

    def __init__(self, app: ASGIApp, limits: Limits, hosts: Hosts) -> None:
        self.app, self.limits, self.hosts = app, limits, hosts
        self.inside = self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        body = _Body(self)
        try:
            self.hosts.check(scope["headers"], (scope.get("server") or (None,))[0])
            if await body.arrive(dict(scope["headers"]), receive):
                await self._inside(scope, _replay(body.take(), receive), say)
        except Problem as error:
            headers = error.headers if body.whole else {**CLOSE, **error.headers}
            await problem.response(error.status, str(error), headers)(scope, receive, say)
        finally:
            self.held -= body.held
        return None

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = scope["method"] != "GET"
        if counted and self.inside >= self.limits.requests:
            raise Problem(429, f"{self.limits.requests} requests are being answered already", COME_AGAIN)
        self.inside += counted
        try:
            await self.app(scope, receive, send)
        finally:
            self.inside -= counted


class _Body:
    """A body on its way. `held` is what it has of the bytes that all share."""

    def __init__(self, gate: Gate) -> None:
        self.gate, self.limits = gate, gate.limits
        self.bytes = bytearray()  # one piece of memory, which goes back to the system; a list of pieces leaves holes
        self.held = 0
        self.whole = False

    async def arrive(self, headers: dict[bytes, bytes], receive: Receive) -> bool:
        """Wait for the whole of it; False where the client went away.

        Raises:
            Problem: 413 for too much, 408 for what comes too slowly, 429 when all bodies together are too much.
        """
        self._allow(int(headers.get(b"content-length") or 0))
        begun, now = asyncio.get_running_loop().time(), asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(self.limits.seconds / 5) as clock:
                while not self.whole:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return False
                    self._allow(len(self.bytes) + len(message["body"]))
                    self._hold(len(self.bytes) + len(message["body"]))
                    self.bytes += message["body"]
                    self.whole = not message["more_body"]
                    allowed = self.limits.seconds / 5 + len(self.bytes) / self.limits.rate
                    clock.reschedule(max(now(), begun + min(allowed, self.limits.seconds)))
        except TimeoutError:
            raise Problem(
                408, f"the body came too slowly: {len(self.bytes):,} bytes in {now() - begun:.1f} seconds; it has "
                     f"{self.limits.seconds / 5:g} seconds and one more for every {self.limits.rate:,} bytes, at most "
                     f"{self.limits.seconds:g} in all"
            ) from None  # fmt: skip
        return True

    def take(self) -> bytes:
        """All of it, once."""
        taken, self.bytes = bytes(self.bytes), bytearray()
        return taken

    def _allow(self, length: int) -> None:
        if length > self.limits.body:
            raise Problem(413, f"the body is too large; allowed are {self.limits.body:,} bytes")

    def _hold(self, length: int) -> None:
        more = max(0, length - SHARE) - self.held
        if self.gate.held + more > self.limits.held:
            raise Problem(429, f"the bodies of others fill the {self.limits.held:,} bytes that all may have", COME_AGAIN)
        self.gate.held += more
        self.held += more


def _replay(body: bytes, receive: Receive) -> Receive:
    """What an application receives: the body in one piece, then what comes after it."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again
