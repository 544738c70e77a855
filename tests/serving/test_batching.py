"""The queue before the model, in one process and without a network."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toile.serving.batching import Batcher
from toile.serving.http.problem import Problem


class Model:
    """Answers with the pixels themselves, and remembers how many came at once. The first call waits to be let go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def predict(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.sizes.append(len(images))
        self.begun.set()
        self.go.wait(30)
        return images.astype(np.float32), images[:, None].astype(np.float32)


def numbered(begin: int, count: int) -> np.ndarray:
    return np.arange(begin, begin + count, dtype=np.uint8)[:, None]


async def begun(model: Model) -> None:
    await asyncio.get_running_loop().run_in_executor(None, model.begun.wait, 30)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_what_arrives_together_is_asked_together(counts):
    async def work() -> None:
        model, told = Model(), []
        batcher = Batcher(model.predict, 8, 1024, told.append)
        first = asyncio.create_task(batcher.ask(numbered(0, 1)))
        await begun(model)
        begins = np.cumsum([1, *counts])[:-1]
        asked = [asyncio.create_task(batcher.ask(numbered(b, c))) for b, c in zip(begins, counts, strict=True)]
        await asyncio.sleep(0)  # a turn of the loop, in which all of them queue
        assert batcher.waiting == sum(counts)
        model.go.set()
        answers = await asyncio.gather(first, *asked)
        for (probabilities, members), begin, count in zip(answers, [0, *begins], [1, *counts], strict=True):
            np.testing.assert_array_equal(probabilities, numbered(begin, count))
            np.testing.assert_array_equal(members, numbered(begin, count)[:, None])
        assert batcher.waiting == 0
        assert sum(model.sizes) == 1 + sum(counts)
        assert max(model.sizes) <= 8
        assert told == model.sizes
        fitting, size = [], 0
        for count in counts:
            if size + count > 8:
                fitting.append(size)
                size = 0
            size += count
        assert model.sizes == [1, *fitting, size]

    asyncio.run(work())


def test_who_comes_when_too_many_wait_is_told_to_come_again():
    async def work() -> None:
        model = Model()
        batcher = Batcher(model.predict, 4, 6)
        first = asyncio.create_task(batcher.ask(numbered(0, 1)))
        await begun(model)
        waiting = [asyncio.create_task(batcher.ask(numbered(1, 3))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="6 images are waiting already") as caught:
            await batcher.ask(numbered(7, 1))
        assert caught.value.status == 429
        assert caught.value.headers == {"Retry-After": "1"}
        model.go.set()
        await asyncio.gather(first, *waiting)
        assert (await batcher.ask(numbered(7, 1)))[0].tolist() == [[7]]

    asyncio.run(work())


def test_a_model_that_fails_fails_for_those_who_asked_and_nobody_else():
    def predict(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if images[0, 0] == 13:
            raise ValueError("thirteen")
        return images, images

    async def work() -> None:
        batcher = Batcher(predict, 1, 64)
        answers = await asyncio.gather(*(batcher.ask(numbered(i, 1)) for i in (12, 13, 14)), return_exceptions=True)
        assert [isinstance(one, ValueError) for one in answers] == [False, True, False]

    asyncio.run(work())


def test_who_goes_away_keeps_nobody_waiting():
    async def work() -> None:
        model = Model()
        batcher = Batcher(model.predict, 4, 64)
        first = asyncio.create_task(batcher.ask(numbered(0, 1)))
        await begun(model)
        gone, stays = (asyncio.create_task(batcher.ask(numbered(i, 1))) for i in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()
        model.go.set()
        assert (await stays)[0].tolist() == [[2]]

    asyncio.run(work())
