"""What one client may ask of the server, and the gate that sees to it before anything is parsed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from toile.errors import Misuse
from toile.serving import problem
from toile.serving.problem import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# For every answer. What a page may load is said in `pages`, for pages.
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


@dataclass(frozen=True)
class Limits:
    """How much at once. The pixels of one picture are limited where pictures are decoded, in `toile.serving.image`.

    Args:
        body: bytes of one request.
        batch: images of one request, and of one call of the model.
        waiting: images that may wait for the model; who comes then is told to come again.
        requests: requests at once; each may hold a whole body in memory.
        seconds: in which the head of a request must have come, then its body, then in which the client must read.

    Raises:
        Misuse: one of them is below 1.
    """

    body: int = 8 * 2**20
    batch: int = 64
    waiting: int = 1024
    requests: int = 64
    seconds: float = 10.0

    def __post_init__(self) -> None:
        for one in fields(self):
            if not (value := getattr(self, one.name)) >= 1:
                raise Misuse(f"the limit {one.name!r} is at least 1, got {value}")
        if self.waiting < self.batch:
            raise Misuse(f"{self.waiting} images may wait, fewer than the {self.batch} of one batch")


class Gate:
    """ASGI application around another, which gets each body whole, and only what the limits allow."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits, self.inside = app, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        self.inside += 1
        try:
            if self.inside > self.limits.requests:
                raise Problem(429, f"{self.limits.requests} requests are being answered already", {"Retry-After": "1"})
            body = await self._body(dict(scope["headers"]), receive)
            if body is not None:
                await self.app(scope, _replay(body, receive), say)
        except Problem as error:
            # What is left of the body must not be taken for the next request.
            told = problem.response(error.status, str(error), {"Connection": "close", **error.headers})
            await told(scope, receive, say)
        finally:
            self.inside -= 1
        return None

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        """The whole body, or None where the client went away."""
        limit, seconds = self.limits.body, self.limits.seconds
        too_large = Problem(413, f"the body is too large; allowed are {limit:,} bytes")
        declared = headers.get(b"content-length", b"")
        if int(declared or 0) > limit and headers.get(b"expect", b"").lower() == b"100-continue":
            raise too_large  # nothing of it has been sent
        pieces, length, more = [], 0, True
        try:
            async with asyncio.timeout(seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    length += len(message["body"])
                    more = message["more_body"]
                    # Read on and forget: a client that still writes would lose the answer with the connection.
                    pieces.append(message["body"]) if length <= limit else pieces.clear()
        except TimeoutError:
            if length <= limit:
                raise Problem(408, f"the body did not arrive within {seconds:g} seconds") from None
        if length > limit:
            raise too_large
        return b"".join(pieces)


def _replay(body: bytes, receive: Receive) -> Receive:
    """What an application receives: the body in one piece, then what comes after it."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again
