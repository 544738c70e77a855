"""What changes in a store while a page looks at it, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any

from starlette.concurrency import run_in_threadpool

from toile.reports.results.summary import plain
from toile.serving.http.problem import Problem
from toile.viewer.working import Working

SECOND = 1.0  # between two looks, however many pages look
QUIET = 15.0  # seconds after which something is said, so that a connection that is gone is noticed
STREAMS = 24  # pages at once


class Events:
    """The trainings that are at work and the number of runs; whoever listens is told when they change.

    The store is looked at once a second, and only while somebody listens.
    """

    def __init__(self, working: Working) -> None:
        self.working = working
        self.ended = False
        self._listening = 0
        self._looked, self._said = 0.0, ""
        self._lock = asyncio.Lock()

    def end(self) -> None:
        """The server ends: so do the streams."""
        self.ended = True

    async def stream(self) -> AsyncIterator[bytes]:
        """Events named `working`, each the state as it is then: `trainings` and `runs`."""
        before, spoken = None, time.monotonic()
        while not self.ended:
            now = await self._state()
            if now != before:
                before, spoken = now, time.monotonic()
                yield f"event: working\ndata: {now}\n\n".encode()
            elif time.monotonic() - spoken > QUIET:
                spoken = time.monotonic()
                yield b": still here\n\n"
            await asyncio.sleep(SECOND / 2)

    @contextmanager
    def listening(self) -> Generator[None]:
        """One more listens. (Its stream may end before it has begun.)

        Raises:
            Problem: 429 where there are too many.
        """
        if self._listening >= STREAMS:
            raise Problem(429, f"{STREAMS} pages are being told already; close one", {"Retry-After": "5"})
        self._listening += 1
        try:
            yield
        finally:
            self._listening -= 1

    async def _state(self) -> str:
        async with self._lock:
            if time.monotonic() - self._looked >= SECOND:
                self._said = json.dumps(plain(await run_in_threadpool(self._look)), allow_nan=False, separators=(",", ":"))
                self._looked = time.monotonic()
            return self._said

    def _look(self) -> dict[str, Any]:
        folder = self.working.store.runs_folder
        stamp = folder.stat().st_mtime_ns if folder.is_dir() else 0
        return {"trainings": [one.plain() for one in self.working.look()], "runs": str(stamp)}
