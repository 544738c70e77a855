"""What the server counts, in Prometheus's text format."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Watch:
    """ASGI application around all others, which counts what they answer, and how long they take."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "toile_requests", "Requests answered, by route and status.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "toile_request_seconds", "From the head of a request to the end of its answer.", ("route",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.images = Counter("toile_images", "Images that the model was asked about.", registry=self.registry)
        self.batches = Histogram(
            "toile_batch_images", "Images of one call of the model.", buckets=IMAGES, registry=self.registry
        )
        self.waiting = Gauge("toile_waiting_images", "Images that wait for the model.", registry=self.registry)
        self.decoders_lost = Counter(
            "toile_decoders_lost", "Processes that a picture brought down or kept too long.", registry=self.registry
        )
        ProcessCollector(registry=self.registry)

    def around(self, app: ASGIApp) -> Watch:
        self.app = app
        return self

    def batch(self, size: int) -> None:
        """Count one call of the model."""
        self.images.inc(size)
        self.batches.observe(size)

    def text(self) -> bytes:
        """Everything counted so far."""
        return generate_latest(self.registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        assert app is not None, "`around` says what is watched"
        if scope["type"] != "http":
            return await app(scope, receive, send)
        status, begin = 0, time.perf_counter()

        async def say(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, say)
        finally:
            # The template of a route, of which there are few; a path would be a label that any client can invent.
            route = getattr(scope.get("route"), "path", "other")
            if status:  # else the client went away before there was an answer
                self.requests.labels(route, str(status)).inc()
                self.seconds.labels(route).observe(time.perf_counter() - begin)
        return None
