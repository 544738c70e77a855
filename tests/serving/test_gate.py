"""The gate before the application, in one process and without a network: bodies whole, places, bytes, names of hosts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toile.errors import Misuse
from toile.serving.http.gate import Gate
from toile.serving.http.hosts import Hosts
from toile.serving.http.limits import MIB, SHARE, Limits
from toile.serving.http.problem import Problem


def scope(method: str = "POST", local: str = "127.0.0.1", **headers: str) -> dict[str, Any]:
    named = {"host": "localhost"} | headers
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
    return {"type": "http", "method": method, "path": "/", "headers": pairs, "server": (local, 80)}


class Client:
    """One request: the pieces of its body come as the test says, and what is sent to it is kept."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self.come: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        for index, piece in enumerate(pieces):
            self.send_piece(piece, more=not ends or index < len(pieces) - 1)

    def send_piece(self, piece: bytes, more: bool) -> None:
        self.come.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    async def ask(self, gate: Gate, about: dict[str, Any] | None = None) -> Client:
        async def say(message: dict[str, Any]) -> None:
            self.sent.append(message)

        await gate(about or scope(), self.come.get, say)
        return self

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def detail(self) -> str:
        return json.loads(self.sent[1]["body"])["detail"]


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def answer(scope, receive, send) -> None:
    """The application: says how long the body is."""
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % len(body)})


def run(work: Callable[[], Any]) -> None:
    asyncio.run(work())


def test_as_many_are_answered_at_once_as_the_limits_say():
    async def work() -> None:
        inside = asyncio.Event()

        async def app(scope, receive, send) -> None:
            await inside.wait()
            await answer(scope, receive, send)

        gate = Gate(app, Limits(requests=2), Hosts())
        two = [asyncio.create_task(Client(b"").ask(gate)) for _ in range(2)]
        await turns()
        third = await Client(b"").ask(gate)
        assert third.status == 429
        assert third.headers[b"retry-after"] == b"1"
        assert b"connection" not in third.headers, "its body is here, so that the connection can go on"
        assert third.detail == "2 requests are being answered already"
        inside.set()
        assert [one.status for one in await asyncio.gather(*two)] == [200, 200]
        assert (await Client(b"").ask(gate)).status == 200

    run(work)


def test_what_only_reads_is_answered_however_many_there_are():
    async def work() -> None:
        inside = asyncio.Event()

        async def app(scope, receive, send) -> None:
            if scope["method"] == "POST":
                await inside.wait()
            await answer(scope, receive, send)

        gate = Gate(app, Limits(requests=1), Hosts())
        busy = asyncio.create_task(Client(b"").ask(gate))
        await turns()
        assert (await Client(b"").ask(gate)).status == 429
        assert (await Client(b"").ask(gate, scope("GET"))).status == 200
        inside.set()
        await busy

    run(work)


def test_who_has_not_sent_all_keeps_nobody_out():
    async def work() -> None:
        gate = Gate(answer, Limits(requests=2), Hosts())
        slow = [Client(b"begun", ends=False) for _ in range(50)]
        tasks = [asyncio.create_task(one.ask(gate)) for one in slow]
        await turns()
        assert gate.inside == 0
        assert (await Client(b"whole").ask(gate)).status == 200
        for one in slow:
            one.send_piece(b"and done", more=False)
        answers = await asyncio.gather(*tasks)
        assert [one.status for one in answers] == [200] * 50

    run(work)


def test_all_bodies_together_hold_so_many_bytes():
    """Small bodies are never refused for it, and what was refused or answered holds nothing."""

    async def work() -> None:
        limits = Limits(body=MIB, held=2 * MIB)
        gate = Gate(answer, limits, Hosts())
        large = [Client(bytes(MIB), ends=False) for _ in range(3)]
        tasks = [asyncio.create_task(one.ask(gate)) for one in large]
        await turns()
        assert [one.status for one in large] == [None, None, 429]
        assert large[2].headers[b"connection"] == b"close"
        assert large[2].detail == "the bodies of others fill the 2,097,152 bytes that all may have"
        assert gate.held == 2 * (MIB - SHARE)
        small = await asyncio.gather(*(Client(bytes(SHARE)).ask(gate) for _ in range(100)))
        assert {one.status for one in small} == {200}
        for one in large[:2]:
            one.send_piece(b"", more=False)
        await asyncio.gather(*tasks)
        assert [one.status for one in large] == [200, 200, 429]
        assert gate.held == 0

    run(work)


def test_a_body_that_is_too_large_is_refused_where_it_is_seen():
    async def work() -> None:
        gate = Gate(answer, Limits(body=MIB), Hosts())
        declared = await Client(ends=False).ask(gate, scope(content_length=str(MIB + 1)))  # nothing of it has come
        coming = await Client(bytes(MIB), b"1", ends=False).ask(gate)
        for one in (declared, coming):
            assert one.status == 413
            assert one.headers[b"connection"] == b"close"
            assert one.detail == "the body is too large; allowed are 1,048,576 bytes"
        assert (await Client(bytes(MIB)).ask(gate)).status == 200

    run(work)


class Clock:
    """A loop's clock that the test moves."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now, self.real = loop.time(), loop.time
        loop.time = lambda: self.now

    async def move(self, seconds: float) -> None:
        self.now += seconds
        await turns()


@pytest.mark.parametrize(
    ("moves", "status"),
    [
        ([1.9], None),
        ([2.1], 408),
        ([(1.9, 32 * 1024), 1.0], None),  # a second more for these bytes
        ([(1.9, 32 * 1024), 1.2], 408),
        ([(1.0, MIB), 8.9], None),
        ([(1.0, MIB), 9.1], 408),  # never more than ten in all
        ([(1.9, 100)] + [(1.9, 100)] * 4, 408),
    ],
)
def test_a_body_comes_at_a_rate(moves, status):
    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        gate = Gate(answer, Limits(seconds=10, rate=32 * 1024), Hosts())
        client = Client()
        task = asyncio.create_task(client.ask(gate))
        await turns()
        for move in moves:
            seconds, length = move if isinstance(move, tuple) else (move, 0)
            await clock.move(seconds)
            if length:
                client.send_piece(bytes(length), more=True)
                await turns()
        assert client.status == status
        if status is None:
            client.send_piece(b"", more=False)
            await task
            assert client.status == 200
        else:
            assert client.headers[b"connection"] == b"close"
            assert "2 seconds and one more for every 32,768 bytes, at most 10 in all" in client.detail

    run(work)


def test_the_body_is_handed_on_in_one_piece():
    async def work() -> None:
        got = []

        async def app(scope, receive, send) -> None:
            got.append(await receive())
            got.append(await receive())

        client = Client(b"one ", b"two ", b"three")
        client.come.put_nowait({"type": "http.disconnect"})
        await client.ask(Gate(app, Limits(), Hosts()))
        assert got == [{"type": "http.request", "body": b"one two three", "more_body": False}, {"type": "http.disconnect"}]
        assert client.sent == []

    run(work)


def test_who_goes_away_is_not_answered():
    async def work() -> None:
        client = Client(b"some", ends=False)
        client.come.put_nowait({"type": "http.disconnect"})
        gate = Gate(answer, Limits(), Hosts())
        assert (await client.ask(gate)).sent == []
        assert (gate.inside, gate.held) == (0, 0)

    run(work)


@pytest.mark.parametrize("name", [one.name for one in fields(Limits)])
def test_limits_are_at_least_one(name):
    with pytest.raises(Misuse, match=f"the limit '{name}' is at least 1, got 0"):
        Limits(**{name: 0})


@pytest.mark.parametrize(
    ("limits", "said"),
    [({"waiting": 63}, "fewer than the 64 of one batch"), ({"held": MIB}, "fewer than the 8,388,608 of one")],
)
def test_limits_must_not_contradict_each_other(limits, said):
    with pytest.raises(Misuse, match=said):
        Limits(**limits)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("localhost.", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("toile.example", 200),
        ("10.1.2.3:8000", 200),  # where the connection came in
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("10.1.2.4", 421),
        ("0.0.0.0:8000", 421),
        ("localhost:8000@evil.example", 400),
        ("localhost:80:80", 400),
        (":8000", 400),
        ("", 400),
    ],
)
def test_hosts_are_allowed_by_name(host, status):
    async def work() -> None:
        gate = Gate(answer, Limits(), Hosts(["Toile.example"]))
        client = await Client(b"").ask(gate, scope(host=host, local="10.1.2.3"))
        assert client.status == status
        if status == 421:
            assert "this server is not called" in client.detail
            assert "localhost, toile.example" in client.detail
            assert "--host-name" in client.detail
        if status != 200:
            assert client.headers[b"connection"] == b"close"

    run(work)


@pytest.mark.parametrize("count", [0, 2])
def test_a_request_has_one_host(count):
    with pytest.raises(Problem, match=f"this one has {count}") as caught:
        Hosts().check([(b"host", b"localhost")] * count, "127.0.0.1")
    assert caught.value.status == 400


@pytest.mark.parametrize(("at", "host"), [("::", "[::]:8000"), ("0.0.0.0", "0.0.0.0"), ("box.lan", "box.lan:80")])
def test_the_address_that_is_listened_at_is_a_name_of_the_server(at, host):
    assert Hosts(at=at).check([(b"host", host.encode())], "127.0.0.1") is None


@pytest.mark.parametrize("name", ["", "http://a", "*", "a b", ":80", "a:b"])
def test_a_name_that_is_none(name):
    with pytest.raises(Misuse, match="a host is a name or an address"):
        Hosts([name])


@given(st.binary(max_size=60))
def test_any_host_is_allowed_or_told(host):
    try:
        Hosts(["toile.example"]).check([(b"host", host)], "127.0.0.1")
    except Problem as error:
        assert error.status in (400, 421)
    else:
        assert host.decode("latin-1").strip().lower().strip("[").startswith(("localhost", "127.", "::1", "0", "toile.example"))
