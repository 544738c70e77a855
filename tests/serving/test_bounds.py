"""What costs a server more than it costs the client, against a real one: it is refused or waits, and all others are answered.

No test here looks at a clock: each counts, or waits for what comes first.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from starlette.requests import Request

from tests.serving.fixture import Server, png, sample, serving, write_export
from tests.serving.test_hostile import png_bomb, problem, status
from toile.serving.bodies import SLICE, Forms
from toile.serving.decoding.process import BOUNDS
from toile.serving.http.limits import MIB, SHARE, Limits
from toile.serving.http.problem import Problem

FILE = png(sample(0))
ROWS = sample(0)[:, :, 0].tolist()
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp("export") / "quarters.onnx")


@pytest.fixture(scope="module")
def server(export) -> Iterator[Server]:
    with serving(export, "--seconds", "60") as started:
        yield started
        assert started.metric('toile_requests_total{route="/v1/predict",status="5') == 0


def answered(server: Server) -> None:
    """Health, a picture and JSON are answered, each on a new connection."""
    for _ in range(3):
        raw = server.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 200"), raw
        for form in ({"content": FILE}, {"json": {"image": ROWS}}):
            answer = server.client.post("/v1/predict", headers={"Connection": "close"}, **form)
            assert answer.json()["predictions"][0]["class"] == "top left"


def connected(server: Server, stack: ExitStack, count: int, sent: bytes = b"") -> list[socket.socket]:
    made = [stack.enter_context(socket.create_connection(server.place, timeout=60)) for _ in range(count)]
    for one in made:
        one.sendall(sent)
    return made


def test_bodies_of_tiny_chunks_are_refused(server):
    body = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n"
    with ExitStack() as stack:
        made = connected(server, stack, 32, body)
        answered(server)
        for one in made:
            found = one.makefile("rb").read()
            assert status(found) == 400
            assert b"chunks that are too small" in found


def test_bodies_that_are_not_whole_keep_nobody_out(server):
    with ExitStack() as stack:
        made = connected(server, stack, Limits().requests + 20, HEAD + b"Content-Length: 800\r\n\r\nsome")
        answered(server)
        for one in made:
            one.sendall(bytes(796))
        for one in made:
            assert one.recv(20).startswith((b"HTTP/1.1 422", b"HTTP/1.1 429")), "now they are whole, and asked at once"


def test_bodies_of_all_fill_so_much_memory_and_small_ones_are_answered_all_the_same(server):
    length, count = 7 * MIB, 40
    most = Limits().held // (length - SHARE)
    before = server.metric("process_resident_memory_bytes")
    with ExitStack() as stack:
        waiting = connected(server, stack, count, HEAD + b"Content-Length: %d\r\n\r\n" % (length + 1))
        for one in waiting:
            one.settimeout(60)
            one.sendall(bytes(length))
        refused: Counter[bytes] = Counter()
        while refused.total() < count - most:
            for one in select.select(waiting, [], [], 60)[0]:
                refused[one.recv(12)] += 1
                waiting.remove(one)
        assert refused == {b"HTTP/1.1 429": count - most}
        answered(server)
        assert server.metric("process_resident_memory_bytes") - before < Limits().held + 64 * MIB
        for one in waiting:
            one.sendall(b"0")
            assert one.recv(12) == b"HTTP/1.1 422", "what there was room for is asked"


@pytest.mark.parametrize("size", [(1, 4_000_000), (4_000_000, 1), (BOUNDS.side + 1, 10), (2, BOUNDS.side + 1)])
def test_pictures_that_are_all_side(server, size):
    detail = problem(server.client.post("/v1/predict", content=png_bomb(*size)), 422)
    assert detail == f"the file is too large: {size[0]} x {size[1]}; allowed are sides of 4,096 pixels"


def test_a_picture_of_the_longest_side(server):
    assert server.client.post("/v1/predict", content=png(np.zeros((BOUNDS.side, 900, 1), np.uint8))).status_code == 200


def noisy_tiff(strips: int) -> bytes:
    """All strips are the same few bytes of garbage; libtiff writes a line on each to standard error, from C."""
    garbage, width = b"\x02" * 64, 4
    places = 8 + len(garbage)
    sizes, ifd = places + 4 * strips, places + 8 * strips
    entries = [(256, 4, 1, width), (257, 4, 1, strips), (258, 3, 1, 1), (259, 3, 1, 4), (262, 3, 1, 0),
               (273, 4, strips, places), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, strips, sizes)]  # fmt: skip
    tags = b"".join(
        struct.pack("<HHI", tag, kind, count) + (struct.pack("<HH", value, 0) if kind == 3 else struct.pack("<I", value))
        for tag, kind, count, value in entries
    )
    head = b"II*\0" + struct.pack("<I", ifd) + garbage
    head += struct.pack("<I", 8) * strips + struct.pack("<I", len(garbage)) * strips
    return head + struct.pack("<H", len(entries)) + tags + struct.pack("<I", 0)


def test_a_noisy_tiff_writes_nothing_to_the_log(export):
    with serving(export) as started:  # which sees to it that nothing is written
        for strips in (10, 2000, BOUNDS.side):
            answer = started.client.post("/v1/predict", content=noisy_tiff(strips), headers={"Content-Type": "image/tiff"})
            assert answer.status_code in (200, 422)
        problem(started.client.post("/v1/predict", content=noisy_tiff(1_000_000)), 422)


def test_more_connections_than_files_keep_nobody_out_and_fill_no_log(export):
    with serving(export, "--seconds", "60", files=160) as started, ExitStack() as stack:
        made = connected(started, stack, 400)
        answered(started)
        made[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert made[-1].recv(12) == b"HTTP/1.1 200", "those that came last are still there"
        assert made[0].recv(1) == b"", "those that have been idle longest made room"


def test_a_name_that_is_not_the_servers_is_not_answered(server, export):
    """A page from elsewhere whose own name was made to point here would read what it likes."""
    for path in ("/", "/v1/model", "/healthz", "/metrics"):
        detail = problem(server.client.get(path, headers={"Host": "evil.example"}), 421)
        assert "this server is not called 'evil.example'; it answers to 127.0.0.1, [::1], localhost" in detail
    assert "access-control-allow-origin" not in server.client.get("/v1/model", headers={"Origin": "http://evil"}).headers
    with serving(export, "--host-name", "toile.example", "--host-name", "other.example") as started:
        for host, wanted in (("toile.example:80", 200), ("OTHER.example", 200), ("localhost", 200), ("third.example", 421)):
            assert started.client.get("/healthz", headers={"Host": host}).status_code == wanted


def test_who_closes_its_side_gets_its_answer(server):
    with socket.create_connection(server.place, timeout=60) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(FILE) + FILE)
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 200")


def form(content: bytes) -> Request:
    body = b'--B\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' + content + b"\r\n--B--\r\n"

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"multipart/form-data; boundary=B")]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def test_forms_are_parsed_a_slice_at_a_time_and_in_turn(monkeypatch, tmp_path):
    """What is almost a boundary, megabytes of it, takes seconds; all else goes on in between, and nothing is on a disk."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is none"))
    large = b"\r\n--B\r" * 200_000
    ends: list[str] = []

    async def parse(forms: Forms, name: str, content: bytes) -> None:
        ((_, found),) = await forms.files(form(content), 64)
        assert found == content
        ends.append(name)

    async def work() -> int:
        forms, turns = Forms(), 0
        tasks = [asyncio.create_task(parse(forms, name, large)) for name in ("large", "also large")]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(parse(forms, "small", b"file")))
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            turns += 1
        await asyncio.gather(*tasks)
        return turns

    assert asyncio.run(work()) >= 2 * len(large) // SLICE
    assert ends[0] == "small"


@pytest.mark.parametrize("content", [b"\r\n--B\r\nX: y\r\n\r\n", b"\r\n--B\r\n\xff\r\n"])
def test_a_form_that_cannot_be_parsed_keeps_no_turn(content):
    async def work() -> None:
        forms = Forms()
        for _ in range(2):
            with pytest.raises(Problem) as caught:
                await forms.files(form(bytes(SLICE) + content + bytes(SLICE)), 64)
            assert caught.value.status == 400
        assert len(await forms.files(form(b"file"), 64)) == 1

    asyncio.run(work())


def test_the_decoders_end_with_the_server(export):
    psutil = pytest.importorskip("psutil")
    with serving(export) as started:
        answered(started)
        children = psutil.Process(started.process.pid).children()
        assert children
        assert all(one.memory_info().rss < 64 * MIB for one in children), "what they take when they are idle"
    gone, alive = psutil.wait_procs(children, timeout=60)
    assert (len(gone), alive) == (len(children), [])


def test_the_decoders_end_with_a_server_that_is_killed(export, tmp_path):
    psutil = pytest.importorskip("psutil")
    with pytest.raises(AssertionError), serving(export) as started:  # it does not end well
        answered(started)
        children = psutil.Process(started.process.pid).children()
        started.process.kill()
        started.process.wait(60)
    assert psutil.wait_procs(children, timeout=60)[1] == []
