"""The packaged committee of three behind `toile serve`, on loopback, beside `model.predict` of three Keras models in-process.

The clients run on the same cores as the server, so every figure is that of both; server_cpu_microseconds in the JSON, for each
request, is what it would come to on a machine that does nothing else. Weights are untrained: they change no time.
The last cases have no rival: they ask whether the server stays as it is under many requests, and under hostile ones, and how
long `/healthz` takes meanwhile.
"""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from PIL import Image

from benchmarks.harness.measure import Case, Side
from benchmarks.predict import ONNX, committee, images, predicted, temporary_folder

JSON = {"Content-Type": "application/json"}
MEMORY, CPU = "process_resident_memory_bytes", "process_cpu_seconds_total"


def cases(quick: bool) -> list[Case]:
    """One client, batches of 64, 20,000 requests by 32 clients, 300 requests that are meant to harm, attacks that go on."""
    files = {"folder": temporary_folder()}
    one, batches = files | {"calls": 30 if quick else 1000}, files | {"calls": 3 if quick else 100, "batch": 64}
    return [
        Case(
            "one image",
            {"toile serve, PNG": Side(asked, one | {"form": "png"}), "toile serve, JSON": Side(asked, one | {"form": "json"}),
             "Keras, predict of three": Side(predicted, one)},
            figure="p50_microseconds",
            note="over HTTP with one connection kept open; Keras's side has no HTTP. Wanted: at most 3,000 microseconds",
        ),
        Case(
            "batches of 64",
            {"toile serve, JSON": Side(asked, batches | {"form": "json"}),
             "toile serve, PNG": Side(asked, batches | {"form": "png"}),
             "Keras, predict of three": Side(predicted, batches)},
            figure="images_per_second",
            more_is_better=True,
            note="as above. Wanted: at least 1,000 images a second",
        ),
        Case(
            "many requests, 32 at once",
            {"toile serve": Side(crowded, files | {"requests": 640 if quick else 20_000})},
            figure="requests_per_second",
            more_is_better=True,
            note="wanted: no errors, and memory_growth (from the first tenth of the requests to the last) below 0.05",
        ),
        Case(
            "hostile requests",
            {"toile serve": Side(attacked, files | {"requests": 30 if quick else 300})},
            figure="other_than_4xx",
            note="wanted: 0, and memory_growth_mb below 50",
        ),
        Case(
            "health while attacked",
            {"toile serve": Side(besieged, files | {"seconds": 1 if quick else 10})},
            figure="worst_milliseconds",
            note="the slowest of a request to `/healthz` every 20 ms, asked by another process, under each attack in turn: 32 "
                 "clients with bodies of one-byte chunks, 80 whose bodies come slowly, 8 with a PNG of 1 x 4,000,000, 8 with a "
                 "PNG of four megapixels, 8 with a TIFF of damaged strips. Wanted: below 500; idle_milliseconds is what the "
                 "machine makes of it without any",
        ),
    ]  # fmt: skip


def asked(folder: str, calls: int, form: str, batch: int = 1) -> dict[str, float]:
    """One client that waits for each answer."""
    pixels = images(batch)
    body, headers = _json(pixels) if form == "json" else _files(pixels)
    with _server(folder) as (address, metric), _connection(address) as connection:
        for _ in range(3):  # the first calls make and plan things
            _checked(connection, body, headers, batch)
        seconds, before = [], metric(CPU)
        for _ in range(calls):
            begun = time.perf_counter()
            _checked(connection, body, headers, batch)
            seconds.append(time.perf_counter() - begun)
        cpu = (metric(CPU) - before) / calls
    median, late = np.quantile(seconds, [0.5, 0.95])
    return {
        "p50_microseconds": median * 1e6, "p95_microseconds": late * 1e6, "images_per_second": batch / median,
        "server_cpu_microseconds": cpu * 1e6,
    }  # fmt: skip


def crowded(folder: str, requests: int) -> dict[str, float]:
    """32 clients, each with a connection kept open."""
    body, headers = _png(images(1)[0]), {"Content-Type": "image/png"}

    def client(address: tuple[str, int], calls: int) -> int:
        with _connection(address) as connection:
            return sum(_status(connection, body, headers) != 200 for _ in range(calls))

    with _server(folder) as (address, metric), ThreadPoolExecutor(32) as pool:
        errors = sum(pool.map(lambda _: client(address, requests // 320), range(32)))
        before, begun = metric(MEMORY), time.perf_counter()
        errors += sum(pool.map(lambda _: client(address, requests * 9 // 320), range(32)))
        seconds, after = time.perf_counter() - begun, metric(MEMORY)
    return {
        "requests_per_second": requests * 0.9 / seconds, "errors": errors, "memory_growth": after / before - 1,
        "memory_mb": after / 2**20,
    }  # fmt: skip


def attacked(folder: str, requests: int) -> dict[str, float]:
    """Ten kinds of harm, eight clients."""
    kinds = _harm()
    whole, headers = _png(images(1)[0]), {"Content-Type": "image/png"}
    with _server(folder, "--seconds", "1") as (address, metric), ThreadPoolExecutor(8) as pool:
        with _connection(address) as connection:  # so that what is made once has been made
            for body in (whole, _png(np.zeros((1990, 1990, 1), np.uint8))):
                _status(connection, body, headers)
        before = metric(MEMORY)
        statuses = list(pool.map(lambda i: kinds[i % len(kinds)](address), range(requests)))
        after = metric(MEMORY)
        with _connection(address) as connection:
            _checked(connection, whole, headers, 1)
    return {
        "other_than_4xx": sum(not 400 <= status < 500 for status in statuses), "memory_growth_mb": (after - before) / 2**20,
        "memory_mb": after / 2**20,
    }  # fmt: skip


def _harm() -> list[Callable[[tuple[str, int]], int]]:
    """Requests by kind; each takes an address and gives the status of the answer."""
    png, text = {"Content-Type": "image/png"}, {"Content-Type": "text/plain"}
    whole = _png(images(1)[0])
    bomb = _png(np.zeros((1990, 1990, 1), np.uint8))  # allowed, and a thousand times larger than its file, but for the cut end
    head = whole[12:16] + (60_000).to_bytes(4, "big") * 2 + whole[24:29]  # IHDR, which claims 3.6 gigapixels
    huge = whole[:12] + head + zlib.crc32(head).to_bytes(4, "big") + whole[33:]
    rows = images(1)[0, :, :, 0].tolist()
    bodies = [
        (whole[: len(whole) // 2], png), (bomb[:-30], png), (huge, png), (bytes(9 * 2**20), png), (whole, text),
        (json.dumps({"image": [[float("nan"), *rows[0][1:]], *rows[1:]]}).encode(), JSON),
        (b'{"image":' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON),
        (b'{"images":[' + b"{}," * 400_000 + b"{}]}", JSON),
        (b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.", png),
    ]  # fmt: skip

    def slow(address: tuple[str, int]) -> int:
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nand then nothing")
            return int(connection.recv(65536).split()[1])

    return [*(lambda address, b=body, h=headers: _send(address, b, h) for body, headers in bodies), slow]


def besieged(folder: str, seconds: float) -> dict[str, float]:
    """The slowest answer of `/healthz` without an attack, and under each."""
    png, tiff = {"Content-Type": "image/png"}, {"Content-Type": "image/tiff"}
    chunks = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 200_000
    tall, large, noisy = _black_png(1, 4_000_000), _black_png(2000, 2000), _noisy_tiff(4000)
    attacks: dict[str, tuple[int, Callable[[tuple[str, int]], object]]] = {
        "idle": (0, lambda address: None),
        "tiny_chunks": (32, lambda address: _raw(address, chunks)),
        "slow_bodies": (80, _dribble),
        "tall_png": (8, lambda address: _send(address, tall, png)),
        "large_png": (8, lambda address: _send(address, large, png)),
        "damaged_tiff": (8, lambda address: _send(address, noisy, tiff)),
    }
    found = {}
    with _server(folder) as (address, _):
        for name, (clients, attack) in attacks.items():
            end = time.perf_counter() + seconds
            threads = [threading.Thread(target=_again, args=(attack, address, end)) for _ in range(clients)]
            for thread in threads:
                thread.start()
            probe = [sys.executable, "-c", PROBE, *map(str, address), str(seconds)]
            found[f"{name}_milliseconds"] = float(subprocess.run(probe, capture_output=True, text=True, check=True).stdout)
            for thread in threads:
                thread.join()
    return found | {"worst_milliseconds": max(found.values())}


# A process of its own: the attackers of this one would keep it waiting, and not the server.
PROBE = """
import http.client, sys, time
worst, end = 0, time.perf_counter() + float(sys.argv[3])
while time.perf_counter() < end:
    begun = time.perf_counter()
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=120)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    worst = max(worst, time.perf_counter() - begun)
    time.sleep(0.02)
print(worst * 1e3)
"""


def _again(attack: Callable[[tuple[str, int]], object], address: tuple[str, int], end: float) -> None:
    while time.perf_counter() < end:
        try:
            attack(address)
        except OSError:  # the server has hung up, as it may
            continue


def _send(address: tuple[str, int], body: bytes, headers: dict[str, str]) -> int:
    with _connection(address) as connection:
        return _status(connection, body, headers)


def _raw(address: tuple[str, int], sent: bytes) -> bytes:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(sent)
        return connection.recv(65536)


def _dribble(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        connection.settimeout(0.5)
        while True:
            connection.sendall(b"a")
            try:
                connection.recv(65536)
                return
            except TimeoutError:
                continue


def _black_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _noisy_tiff(strips: int) -> bytes:
    """Each of its strips is garbage, which libtiff says on standard error."""
    tags = [(256, 4, 1, 4), (257, 4, 1, strips), (258, 3, 1, 1), (259, 3, 1, 4), (262, 3, 1, 0), (273, 4, strips, 72),
            (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, strips, 72 + 4 * strips)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    offsets, sizes = struct.pack("<I", 8) * strips, struct.pack("<I", 64) * strips
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 72 + 8 * strips) + b"\x02" * 64 + offsets + sizes + directory


@contextmanager
def _server(folder: str, *options: str) -> Iterator[tuple[tuple[str, int], Callable[[str], float]]]:
    """`toile serve` of the committee: its address, and how to ask for what it measures of itself."""
    command = [sys.executable, "-m", "toile.cli", "serve", str(committee(folder) / ONNX), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        host, port = re.search(r"http://(\S+):(\d+)", process.stderr.readline()).groups()
        address = (host, int(port))
        yield address, lambda name: _metric(address, name)
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextmanager
def _connection(address: tuple[str, int]) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield connection
    finally:
        connection.close()


def _status(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> int:
    connection.request("POST", "/v1/predict", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _checked(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str], count: int) -> None:
    connection.request("POST", "/v1/predict", body, headers)
    found = json.loads(connection.getresponse().read())
    if len(found.get("predictions", ())) != count:
        raise RuntimeError(f"{count} predictions were wanted: {str(found)[:300]}")


def _metric(address: tuple[str, int], name: str) -> float:
    with _connection(address) as connection:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE).group(1))


def _json(pixels: np.ndarray) -> tuple[bytes, dict[str, str]]:
    return json.dumps({"images": pixels[:, :, :, 0].tolist()}, separators=(",", ":")).encode(), JSON


def _files(pixels: np.ndarray) -> tuple[bytes, dict[str, str]]:
    """A form of PNG files, as a browser or curl sends it."""
    part = b'--part\r\nContent-Disposition: form-data; name="image"; filename="one.png"\r\n\r\n'
    body = b"".join(part + _png(one) + b"\r\n" for one in pixels) + b"--part--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=part"}


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0]).save(file, "PNG")
    return file.getvalue()
