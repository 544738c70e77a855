"""The queue before the model and the gate before the application, in one process and without a network."""

from __future__ import annotations

import asyncio
import json
import socket
import threading

import numpy as np
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from toile.errors import Misuse
from toile.serving.batching import Batcher
from toile.serving.limits import Gate, Limits
from toile.serving.problem import Problem
from toile.serving.protocol import Protocol


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


def scope(**headers: str) -> dict:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/", "headers": named}


def test_the_gate_lets_in_as_many_as_the_limits_say():
    async def work() -> None:
        inside, sent = asyncio.Event(), []

        async def app(scope, receive, send) -> None:
            await inside.wait()

        async def receive() -> dict:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message) -> None:
            sent.append(message)

        gate = Gate(app, Limits(requests=2))
        two = [asyncio.create_task(gate(scope(), receive, send)) for _ in range(2)]
        await asyncio.sleep(0)
        await gate(scope(), receive, send)
        start, body = sent
        assert start["status"] == 429
        assert dict(start["headers"])[b"retry-after"] == b"1"
        assert json.loads(body["body"])["detail"] == "2 requests are being answered already"
        inside.set()
        await asyncio.gather(*two)
        sent.clear()
        await gate(scope(), receive, send)
        assert sent == []

    asyncio.run(work())


def test_the_gate_hands_on_the_body_in_one_piece():
    async def work() -> None:
        pieces, got = [b"one ", b"two ", b"three"], []

        async def app(scope, receive, send) -> None:
            got.append(await receive())
            got.append(await receive())

        async def receive() -> dict:
            if not pieces:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message) -> None:
            raise AssertionError(message)

        await Gate(app, Limits())(scope(), receive, send)
        assert got == [{"type": "http.request", "body": b"one two three", "more_body": False}, {"type": "http.disconnect"}]

    asyncio.run(work())


@pytest.mark.parametrize("name", ["body", "batch", "waiting", "requests", "seconds"])
def test_limits_are_at_least_one(name):
    with pytest.raises(Misuse, match=f"the limit '{name}' is at least 1, got 0"):
        Limits(**{name: 0})


def test_a_whole_batch_must_be_able_to_wait():
    with pytest.raises(Misuse, match="fewer than the 64 of one batch"):
        Limits(waiting=63)


def test_answers_are_sent_at_once():
    """Nagle's algorithm would hold an answer's body back until its head is acknowledged: 40 ms on Linux."""

    async def work() -> None:
        made: list[Protocol] = []

        async def app(scope, receive, send) -> None: ...

        def protocol() -> Protocol:
            config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
            made.append(Protocol(config, ServerState(), {}, seconds=10))
            return made[0]

        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = await asyncio.get_running_loop().create_server(protocol, sock=listening)
            _, writer = await asyncio.open_connection(*listening.getsockname())
            while not made or made[0].transport is None:
                await asyncio.sleep(0)
            accepted = made[0].transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            server.close()

    asyncio.run(work())
