"""Requests that arrive together are asked together: one call of the model for all that wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from toile.serving.http.problem import Problem

Said = tuple[np.ndarray, np.ndarray]


class Batcher:
    """A queue before a model.

    Nobody is made to wait for company: the first request is asked at once, and those that come meanwhile are the next batch.
    So a quiet server answers as fast as the model, and a busy one in batches as large as it is busy.

    Args:
        predict: uint8 `(images, …)` -> arrays whose first axis is that of the images; called in one thread of its own.
        batch: images of one call, at most.
        waiting: images in the queue, at most.
        tell: called with the size of each batch.
    """

    def __init__(
        self, predict: Callable[[np.ndarray], Said], batch: int, waiting: int, tell: Callable[[int], None] = lambda size: None
    ) -> None:
        self.predict, self.batch, self.limit, self.tell = predict, batch, waiting, tell
        self.waiting = 0
        self._queue: deque[tuple[np.ndarray, asyncio.Future[Said]]] = deque()
        self._thread = ThreadPoolExecutor(1, "model")
        self._work: asyncio.Task[None] | None = None

    async def ask(self, images: np.ndarray) -> Said:
        """What the model says of these images, of which there are at most `batch`.

        Raises:
            Problem: 429, too many are waiting.
        """
        if self.waiting + len(images) > self.limit:
            raise Problem(429, f"{self.waiting} images are waiting already; allowed are {self.limit}", {"Retry-After": "1"})
        answer: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._queue.append((images, answer))
        self.waiting += len(images)
        if self._work is None:
            self._work = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while asked := self._next():
                images = np.concatenate([one for one, _ in asked]) if len(asked) > 1 else asked[0][0]
                self.tell(len(images))
                try:
                    said = await loop.run_in_executor(self._thread, self.predict, images)
                except Exception as error:  # it is everybody's who asked, and each request says so for itself
                    for _, answer in asked:
                        if not answer.done():
                            answer.set_exception(error)
                    continue
                begin = 0
                for one, answer in asked:
                    part = slice(begin, begin := begin + len(one))
                    if not answer.done():
                        answer.set_result((said[0][part], said[1][part]))
        finally:
            self._work = None

    def _next(self) -> list[tuple[np.ndarray, asyncio.Future[Said]]]:
        """The longest beginning of the queue that fits in one batch."""
        taken, size = [], 0
        while self._queue and (not taken or size + len(self._queue[0][0]) <= self.batch):
            taken.append(self._queue.popleft())
            size += len(taken[-1][0])
        self.waiting -= size
        return taken
