"""One connection as the server sees it: real sockets, one process, and an application that the test decides."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from toile.errors import ToileError
from toile.serving.http import connections as connections_module
from toile.serving.http import protocol as module
from toile.serving.http.connections import Connections, Doing, allowed
from toile.serving.http.listening import Server
from toile.serving.http.protocol import Protocol

App = Callable[[Any, Any, Any], Awaitable[None]]
GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def echo(scope, receive, send) -> None:
    """Says what was asked, when all of it is here."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    else:
        return
    headers = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
    said = json.dumps({"path": scope["path"], "length": len(body), "headers": headers}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


def seven_waits(go: asyncio.Event) -> App:
    async def app(scope, receive, send) -> None:
        if scope["path"] == "/7":
            await go.wait()
        await echo(scope, receive, send)

    return app


class Listening:
    """A server in this loop; `made` are its connections in the order in which they came."""

    def __init__(self, app: App, most: int, seconds: float) -> None:
        self.state, self.made = Connections(most), []
        self.config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
        self.seconds = seconds

    def protocol(self) -> Protocol:
        self.made.append(Protocol(self.config, self.state, {}, seconds=self.seconds))
        return self.made[-1]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        count = len(self.made)
        streams = await asyncio.open_connection(*self.address)
        while len(self.made) == count or self.made[-1].transport is None:
            await asyncio.sleep(0)
        return streams


@asynccontextmanager
async def listening(app: App = echo, *, most: int = 100, seconds: float = 60) -> AsyncIterator[Listening]:
    made = Listening(app, most, seconds)
    with socket.create_server(("127.0.0.1", 0)) as own:
        made.address = own.getsockname()
        server = await asyncio.get_running_loop().create_server(made.protocol, sock=own)
        yield made
        server.close()
        for one in made.made:
            one.transport.abort()
        await asyncio.sleep(0)


async def answers(reader: asyncio.StreamReader, count: int | None = None) -> list[tuple[bytes, dict[str, Any]]]:
    """The heads and documents of so many answers, or of all until the connection is closed."""
    found = []
    while count is None or len(found) < count:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            assert (error.partial, count) == (b"", None)
            break
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        found.append((head, json.loads(await reader.readexactly(length))))
    return found


async def asked(sent: bytes, *, eof: bool = False, seconds: float = 60) -> list[tuple[bytes, dict[str, Any]]]:
    """All answers to these bytes, until the server hangs up."""
    async with listening(seconds=seconds) as server:
        reader, writer = await server.connect()
        writer.write(sent)
        if eof:
            writer.write_eof()
        found = await answers(reader)
        writer.close()
        return found


def statuses(found: list[tuple[bytes, dict[str, Any]]]) -> list[int]:
    return [int(head.split()[1]) for head, _ in found]


def chunks(count: int, size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, b"a" * size) * count


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


@pytest.mark.parametrize("sent", [GET % 1, GET % 1 + GET % 2, GET % 1 + CHUNKED + chunks(3, 5) + b"0\r\n\r\n"])
def test_who_closes_its_side_after_asking_is_answered(sent):
    found = asyncio.run(asked(sent, eof=True))
    assert statuses(found) == [200] * sent.count(b"Host")
    assert found[-1][1]["length"] == (15 if b"POST" in sent else 0)


def test_who_closes_its_side_before_it_has_asked_is_left():
    assert asyncio.run(asked(CHUNKED + chunks(3, 5), eof=True)) == []
    assert asyncio.run(asked(b"GET / HT", eof=True)) == []


@pytest.mark.parametrize(
    ("body", "length"),
    [
        (chunks(1024, 1), 1024),
        (chunks(1030, 1), None),
        (chunks(200_000, 1), None),
        (chunks(4000, 256), 4000 * 256),  # as large files come that are sent line by line
        (chunks(1, 300_000), 300_000),
        (chunks(4, 100_000), 400_000),
        (b"5;" + b"x" * 60_000 + b"\r\nhello\r\n", 5),
        (b"5;" + b"x" * 80_000 + b"\r\nhello\r\n", None),
        (b"5;" + b"x" * 10_000_000, None),
    ],
    ids=lambda value: f"{len(value):,} bytes" if isinstance(value, bytes) else "",
)
def test_what_a_body_may_take_on_the_wire(body, length):
    """And the client hears of it, although it had more to send."""

    async def work() -> list[tuple[bytes, dict[str, Any]]]:
        async with listening() as server:
            reader, writer = await server.connect()
            writer.write(CHUNKED + body + b"0\r\n\r\n")
            found = await answers(reader, 1)
            if length is None:
                assert await reader.read() == b""
                assert server.made[0].answering, "the application is told that the client is gone, and answers nothing"
            writer.close()
            return found

    ((head, said),) = asyncio.run(work())
    if length is not None:
        assert (said["length"], head.split()[1]) == (length, b"200")
    else:
        assert head.split()[1] == b"400"
        assert b"connection: close" in head
        assert "chunks that are too small" in said["detail"] or "on the wire" in said["detail"]


def test_trailers_are_no_headers():
    ((_, said),) = asyncio.run(asked(CHUNKED + b"5\r\nhello\r\n0\r\nHost: evil\r\nX-Late: 1\r\n\r\n", eof=True))
    assert said["headers"] == [["host", "a"], ["transfer-encoding", "chunked"]]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "head of the request is longer than 64 KiB"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000, "longer than 64 KiB"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", "more than 100 headers"),
        (b"\r\n" * 40_000, "longer than 64 KiB"),
        (b"nonsense\r\n\r\n", "no HTTP/1.1 request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "no HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", "no HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "no HTTP/1.1"),
        (b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n", "no HTTP/1.1"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "no HTTP/1.1"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "no HTTP/1.1"),
    ],
    ids=range(11),
)
def test_heads_that_are_refused(sent, said):
    ((head, found),) = asyncio.run(asked(sent))
    assert head.split()[1] == b"400"
    assert b"connection: close" in head
    assert said in found["detail"]


def test_a_head_that_does_not_come_is_told():
    assert statuses(asyncio.run(asked(b"GET / HTTP/1.1\r\n", seconds=0.01))) == [408]
    assert statuses(asyncio.run(asked(b"\r\n", seconds=0.01))) == [408]
    assert asyncio.run(asked(b"", seconds=0.01)) == []


def test_requests_in_a_row_are_answered_in_their_order_and_few_are_parsed_ahead():
    count, most = 3000, 0

    async def app(scope, receive, send) -> None:
        nonlocal most
        most = max(most, *(len(one.pipeline) for one in server.made))
        await echo(scope, receive, send)

    async def work() -> list[tuple[bytes, dict[str, Any]]]:
        nonlocal server
        async with listening(app) as server:
            reader, writer = await server.connect()
            writer.write(b"".join(GET % number for number in range(count)))
            found = await answers(reader, count)
            writer.close()
            return found

    server: Any = None
    assert [said["path"] for _, said in asyncio.run(work())] == [f"/{number}" for number in range(count)]
    assert 0 < most <= module.SLICE // len(GET % 1)


def test_no_more_is_read_than_is_parsed():
    """A client that sends requests and waits for no answer has one read of them here, and the system keeps the others."""

    async def work() -> None:
        go = asyncio.Event()

        async def app(scope, receive, send) -> None:
            await receive()
            await go.wait()
            await echo(scope, receive, send)

        async with listening(app) as server:
            _, writer = await server.connect()
            writer.write((GET % 1) * 200_000)
            await until(lambda: bool(server.made[0].pipeline))
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(server.made[0]._unfed) <= module.HEAD
            assert len(server.made[0].pipeline) <= module.SLICE // len(GET % 1)
            writer.transport.abort()

    asyncio.run(work())


def test_a_mistake_behind_a_good_request_is_told_after_its_answer():
    bad = CHUNKED + chunks(2000, 1)
    found = asyncio.run(asked(GET % 1 + bad))
    assert statuses(found) == [200, 400]
    found = asyncio.run(asked(GET % 1 + b"nonsense\r\n\r\n"))
    assert statuses(found)[0] == 200
    assert b"connection: close" in found[-1][0]


def test_an_upgrade_is_answered_as_if_nobody_had_asked_for_it():
    upgrade = b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    found = asyncio.run(asked(upgrade + b"PRI * HTTP/2.0\r\n\r\n"))
    assert statuses(found) == [200]
    assert b"connection: close" in found[0][0]


def test_an_answer_that_is_the_last_is_not_lost_to_who_still_sends():
    async def refuse(scope, receive, send) -> None:
        headers = [(b"content-length", b"2"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    async def work() -> None:
        async with listening(refuse) as server:
            reader, writer = await server.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n")
            writer.write(bytes(20_000_000))
            await writer.drain()  # all of it is taken
            assert statuses(await answers(reader)) == [413]
            writer.close()

    asyncio.run(work())


def test_what_comes_after_the_last_answer_has_a_bound(monkeypatch):
    monkeypatch.setattr(module, "LEFT", 100_000)

    async def work() -> None:
        async with listening() as server:
            _, writer = await server.connect()
            writer.write(b"nonsense\r\n\r\n")
            with pytest.raises(ConnectionError):
                while True:
                    writer.write(bytes(65536))
                    await writer.drain()

    asyncio.run(work())


def test_the_connection_that_is_idle_longest_makes_room():
    async def work() -> None:
        go = asyncio.Event()
        async with listening(seven_waits(go), most=4) as server:
            waiting, sending, idle, again = [await server.connect() for _ in range(4)]
            waiting[1].write(GET % 7)
            sending[1].write(CHUNKED + chunks(1, 5))
            await until(lambda: [one.answering for one in server.made] == [True, True, False, False])
            for reader, writer in (idle, again):
                writer.write(GET % 1)
                assert statuses(await answers(reader, 1)) == [200]

            async def newcomer() -> asyncio.StreamWriter:
                _, writer = await server.connect()
                writer.write(GET % 7)
                await until(lambda: server.made[-1].answering)
                return writer

            for closed, by in ((idle, "idle"), (again, "idle, but later"), (sending, "its request is not whole")):
                await newcomer()
                assert await ended(closed[0]), by
            assert len(server.state.connections) == 4
            refused = await server.connect()
            assert await ended(refused[0]), "all others are being answered"
            go.set()
            assert statuses(await answers(waiting[0], 1)) == [200]

    asyncio.run(work())


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def test_who_does_not_read_its_answers_makes_room_as_well():
    large = bytes(10_000_000)

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(large))]})
        await send({"type": "http.response.body", "body": large})

    async def work() -> None:
        async with listening(app, most=1) as server:
            _, writer = await server.connect()
            writer.write(GET % 1)
            await until(lambda: server.made[0].flow.write_paused)
            reader, _ = await server.connect()
            await until(lambda: server.made[0] not in server.state.connections)
            assert server.made[1] in server.state.connections
            assert not reader.at_eof()

    asyncio.run(work())


def test_answers_that_nobody_reads_hold_so_many_bytes(monkeypatch):
    large = bytes(10_000_000)
    monkeypatch.setattr(connections_module, "UNREAD", 35_000_000)

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(large))]})
        await send({"type": "http.response.body", "body": large})

    async def work() -> None:
        async with listening(app) as server:
            clients = []
            for number in range(1, 11):
                clients.append(await server.connect())
                clients[-1][1].transport.pause_reading()
                clients[-1][1].write(GET % number)
                await until(lambda: server.made[-1].flow.write_paused)
                held = [one.transport.get_write_buffer_size() for one in server.made]
                assert sum(held) <= 35_000_000
                assert held[-1] > 0
            kept = [size > 0 for size in held]
            assert kept == sorted(kept), "those that came last are kept"
            assert 3 <= sum(kept) < 10

    asyncio.run(work())


def test_all_states_are_forgotten_with_their_connections():
    async def work() -> None:
        async with listening() as server:
            for sent in (b"", GET % 1, CHUNKED, b"nonsense\r\n\r\n"):
                _, writer = await server.connect()
                writer.write(sent)
                await writer.drain()
                writer.close()
            await until(lambda: not server.state.connections)
            assert server.state._doing == {}
            assert server.state._by == {doing: {} for doing in Doing}

    asyncio.run(work())


def test_a_server_that_ends_says_that_its_answers_are_the_last(monkeypatch):
    """Whether a request was there before, comes on an idle connection, or on one that was just made: none is reset."""
    monkeypatch.setattr(module, "CONTINUING", 60)

    async def work() -> None:
        go = asyncio.Event()
        async with listening(seven_waits(go)) as server:
            waiting, idle = await server.connect(), await server.connect()
            waiting[1].write(GET % 7)
            idle[1].write(GET % 1)
            ((head, _),) = await answers(idle[0], 1)
            assert b"connection: close" not in head
            await until(lambda: server.made[0].answering)
            server.state.draining = True
            for one in server.made:
                one.shutdown()
            late = await server.connect()
            for _, writer in (idle, late):
                writer.write(GET % 2)
            go.set()
            for reader, _ in (waiting, idle, late):
                ((head, _),) = await answers(reader)
                assert head.startswith(b"HTTP/1.1 200")
                assert b"connection: close" in head

    asyncio.run(work())


def test_a_server_that_ends_closes_what_stays_idle(monkeypatch):
    monkeypatch.setattr(module, "CONTINUING", 0.01)

    async def work() -> None:
        async with listening() as server:
            idle, told = await server.connect(), await server.connect()
            told[1].write(b"nonsense\r\n\r\n")
            assert statuses(await answers(told[0])) == [400]
            server.state.draining = True
            for one in server.made:
                one.shutdown()
            assert await idle[0].read() == b""
            await until(lambda: not server.state.connections)

    asyncio.run(work())


def test_answers_are_sent_at_once():
    """Nagle's algorithm would hold an answer's body back until its head is acknowledged: 40 ms on Linux."""

    async def work() -> None:
        async with listening() as server:
            await server.connect()
            accepted = server.made[0].transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    asyncio.run(work())


def test_connections_stay_below_the_limit_of_open_files(monkeypatch):
    resource = pytest.importorskip("resource")

    def limited(files: int) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda what: (files, files))

    limited(1024)
    assert allowed(512) == 512
    limited(256)
    assert allowed(512) == 256 - connections_module.FILES - connections_module.BURST
    limited(resource.RLIM_INFINITY)
    assert allowed(512) == 512
    limited(64)
    with pytest.raises(ToileError, match=r"the limit of open files is 64; a server needs 96 \(`ulimit -n` sets it\)"):
        allowed(512)


def test_connections_that_the_system_does_not_give_are_a_line_now_and_then(caplog, capfd):
    async def work() -> None:
        server = Server(uvicorn.Config(echo, log_config=None), 10)
        loop = asyncio.get_running_loop()
        context = {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")}
        with caplog.at_level(logging.ERROR):
            for _ in range(1000):
                server._tell(loop, context)
            assert [one.getMessage() for one in caplog.records] == [
                "connections cannot be accepted: Too many open files (said once in 60 seconds)"
            ]
            server._tell(loop, {"message": "something else", "exception": ValueError("told as ever")})
        assert "told as ever" in caplog.text

    asyncio.run(work())
    assert "Traceback" not in capfd.readouterr().out
