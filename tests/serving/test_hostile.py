"""Requests that are meant to harm, against a real server: each gets a 4xx as a problem, and the server goes on."""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
import zlib
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.serving.fixture import Server, png, sample, serving, write_export

SECONDS = 1
BODY = 2**20
FILE = png(sample(0))
ROWS = sample(0)[:, :, 0].tolist()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    export = write_export(tmp_path_factory.mktemp("export") / "quarters.onnx")
    with serving(export, "--seconds", str(SECONDS), "--max-body-mib", "1", "--max-batch", "8") as started:
        yield started
        # After all of it: nothing was the server's fault, and it still answers.
        assert started.metric('toile_requests_total{route="/v1/predict",status="5') == 0
        assert started.client.post("/v1/predict", content=FILE).status_code == 200


def problem(answer: httpx.Response, status: int | None = None) -> str:
    """The detail of a problem; checks its form."""
    assert 400 <= answer.status_code < 500, answer.text
    assert status in (None, answer.status_code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert set(found) == {"type", "title", "status", "detail"}
    assert found["status"] == answer.status_code
    assert "Traceback" not in answer.text
    assert "/site-packages/" not in answer.text
    return found["detail"]


def encoded(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_bomb(width: int, height: int) -> bytes:
    """A whole PNG of black pixels, a thousand times smaller than what it decodes to."""
    packer = zlib.compressobj(9)
    row, rows = b"\0" + bytes(width), b""
    for _ in range(min(height, 3000)):
        rows += packer.compress(row)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows + packer.flush()) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A small PNG whose compressed comment is 100 MB."""
    comment = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    return FILE[:33] + chunk(b"zTXt", comment) + FILE[33:]


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8))
PICTURES = {
    "empty": b"",
    "text": b"just text",
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n(/etc/passwd) (r) file\n",
    "pdf": b"%PDF-1.7\n1 0 obj<<>>endobj",
    **{f"half a {name}": (whole := encoded(NOISE, name))[: len(whole) // 2] for name in ("PNG", "JPEG", "GIF", "BMP", "TIFF")},
    "only a head": FILE[:33],
    "bomb of 9 megapixels": png_bomb(3000, 3000),
    "bomb of 100 megapixels": png_bomb(10_000, 10_000),
    "bomb of 4 gigapixels": png_bomb(65_000, 65_000),
    "no width": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 28, 8, 0, 0, 0, 0)),
    "comment bomb": text_bomb(),
    "gif that claims to be huge": b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + bytes(6) + b";",
    "thousands of scans": (scans := encoded(NOISE, "JPEG", progressive=True))[:-2] + 200 * scans[scans.rindex(b"\xff\xda") :],
    "transparent": encoded(Image.new("RGBA", (30, 30)), "PNG"),
}  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
@pytest.mark.parametrize("name", PICTURES)
def test_pictures(server, name, path):
    content = PICTURES[name]
    problem(server.client.post(path, content=content, headers={"Content-Type": "image/png"}), 422)
    if path == "/v1/predict":
        detail = problem(server.client.post(path, files=[("image", FILE), ("image", ("odd.png", content))]), 422)
        assert "odd.png" in detail


def rows(change=None, row: int = 3, column: int = 4) -> list:
    made = [list(one) for one in ROWS]
    made[row][column] = change
    return made


BODIES = {
    "no JSON": (b"{", 400),
    "empty": (b"", 400),
    "NaN": (json.dumps({"image": rows(float("nan"))}).encode(), 400),
    "infinity": (json.dumps({"image": rows(float("inf"))}).encode(), 400),
    "1e400": (json.dumps({"image": rows(7)}).replace("7", "1e400").encode(), None),
    "deep lists": (b'{"image":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
    "deep objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, None),
    "not UTF-8": (b'{"image": "\xff\xfe"}', 400),
    "list": (json.dumps([ROWS]).encode(), 422),
    "number": (b"7", 422),
    "null": (b"null", 422),
    "other key": (json.dumps({"picture": ROWS}).encode(), 422),
    "both keys": (json.dumps({"image": ROWS, "images": [ROWS]}).encode(), 422),
    "path": (json.dumps({"path": "/etc/passwd"}).encode(), 422),
    "url": (json.dumps({"image": "http://127.0.0.1/"}).encode(), 422),
    "no images": (json.dumps({"images": []}).encode(), 422),
    "too many": (json.dumps({"images": [ROWS] * 9}, separators=(",", ":")).encode(), 422),
    "too long": (json.dumps({"images": [ROWS] * 9}, indent=12).encode(), 413),
    "short row": (json.dumps({"image": [*ROWS[:-1], ROWS[-1][:-1]]}).encode(), 422),
    "a row more": (json.dumps({"image": [*ROWS, ROWS[0]]}).encode(), 422),
    "empty rows": (json.dumps({"image": [[]] * 28}).encode(), 422),
    "fraction": (json.dumps({"image": rows(0.5)}).encode(), 422),
    "true": (json.dumps({"image": rows(True)}).encode(), 422),
    "null pixel": (json.dumps({"image": rows(None)}).encode(), 422),
    "string pixel": (json.dumps({"image": rows("7")}).encode(), 422),
    "pixel of channels": (json.dumps({"image": rows([1, 2, 3])}).encode(), 422),
    "list among numbers": (json.dumps({"image": rows([7])}).encode(), 422),
    "below": (json.dumps({"image": rows(-1)}).encode(), 422),
    "above": (json.dumps({"image": rows(256)}).encode(), 422),
    "huge number": (json.dumps({"image": rows(7)}).replace("7", "9" * 5000).encode(), None),
    "many lists": (b'{"images": [' + b"[]," * 50_000 + b"[]]}", 413),
    "many numbers": (b'{"image": [' + b"0," * 50_000 + b"0]}", 413),
    "images in images": (json.dumps({"images": [[ROWS]]}).encode(), 422),
}


@pytest.mark.parametrize("name", BODIES)
def test_json(server, name):
    body, status = BODIES[name]
    headers = {"Content-Type": "application/json"}
    assert problem(server.client.post("/v1/predict", content=body, headers=headers), status)


def test_a_wrong_pixel_is_named(server):
    answer = server.client.post("/v1/predict", json={"images": [ROWS, rows(256)]})
    assert problem(answer) == "image 1 has 256 among its pixels; allowed are whole numbers 0..255"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/x-pickle", 415),
        ("application/octet-stream", 200),
        ("IMAGE/PNG; q=1", 200),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=x", 400),
        ("multipart/form-data; boundary=" + "x" * 5000, 400),
        ("\xff", 415),
    ],
)
def test_types(server, kind, status):
    answer = server.client.post("/v1/predict", content=FILE, headers={"Content-Type": kind.encode("latin-1")})
    assert answer.status_code == status, answer.text
    if status != 200:
        problem(answer)


@pytest.mark.parametrize(
    ("files", "data", "said"),
    [
        ([("picture", FILE)], {}, "a file 'picture'"),
        ([], {"image": "text"}, "a field 'image'"),
        ([("image", FILE)], {"path": "/etc/passwd"}, "a field 'path'"),
        ([("image", FILE)] * 9, {}, "Maximum number of files is 8"),
        ([("image", FILE)], {f"f{i}": "x" for i in range(20)}, "Maximum number of fields"),
        ([("image", FILE)], {"image": "x" * 10_000}, "exceeded maximum size"),
    ],
)
def test_forms(server, files, data, said):
    assert said in problem(server.client.post("/v1/predict", files=files or [("image", FILE)], data=data))


def test_a_form_without_files(server):
    body = b"--x--\r\n"
    answer = server.client.post("/v1/predict", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert problem(answer, 422) == "the form has no file named 'image'"


def test_bodies_that_are_too_large(server):
    address = "/v1/predict"
    for content in (bytes(BODY + 1), iter([bytes(BODY // 2)] * 9), bytes(20 * BODY)):
        assert "1,048,576 bytes" in problem(server.client.post(address, content=content), 413)
    problem(server.client.post(address, files={"image": bytes(BODY)}), 413)
    answer = server.raw(
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 413"), "it is told before it sends, not asked to go on"


def status(answer: bytes) -> int:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found = json.loads(body)
    assert found["status"] == int(head.split()[1])
    return found["status"]


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"INVENTED /v1/predict HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),  # without Host
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000, 400),
        (b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300), 400),  # TLS
    ],
)
def test_what_is_no_http(server, sent, wanted):
    assert status(server.raw(sent)) == wanted


def test_slow_clients_are_told_and_left(server):
    """At once, so that the test takes as long as one of them."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 500\r\n\r\n"
    chunked = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    sent = {
        "body": (head + b"some of it",),
        "no body": (head,),
        "chunks": (chunked,),
        "too much and slow": (head.replace(b"500", b"99999999") + bytes(2 * BODY),),
        "head": (b"GET /healthz HTTP/1.1\r\nHost:",),
        "nothing": (),
    }
    answers: dict[str, bytes] = {}
    threads = [threading.Thread(target=lambda n=n, p=p: answers.update({n: server.raw(*p)})) for n, p in sent.items()]
    for thread in threads:
        thread.start()
    assert server.client.post("/v1/predict", content=FILE).status_code == 200, "nobody else waits for them"
    for thread in threads:
        thread.join()
    assert answers.pop("nothing") == b""
    assert status(answers.pop("too much and slow")) == 413
    assert {name: status(answer) for name, answer in answers.items()} == dict.fromkeys(answers, 408)


def test_a_second_request_may_not_dribble_either(server):
    with socket.create_connection(server.place, timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /hea")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        assert status(answer) == 408


def test_clients_that_do_not_read(server):
    """Answers pile up in the socket's buffers, then in the server's; it hangs up."""
    body = json.dumps({"images": [ROWS] * 8}, separators=(",", ":")).encode()
    head = b"POST /v1/predict?pixels=true HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: %d\r\n\r\n"
    with socket.socket() as connection, pytest.raises(ConnectionError):
        connection.settimeout(30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(server.place)
        while True:
            connection.sendall(head % len(body) + body)


def test_clients_that_go_away(server):
    before = server.metric("toile_requests_total")
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 500\r\n\r\n"
    for _ in range(20):
        with socket.create_connection(server.place) as connection:
            connection.sendall(head + FILE[:40])
    assert server.client.post("/v1/predict", content=FILE).status_code == 200
    assert server.metric("toile_requests_total") >= before


@pytest.mark.parametrize(
    "path",
    ["/v1/predict/../../etc/passwd", "/web/../app.py", "/web/%2e%2e/app.py", "/web/docs.html.j2", "/v1/samples/-1",
     "/v1/samples/99999999999999999999", "/v1/samples/x", "/v1/samples/0", "/" + "a" * 5000, "/%ff%00", "/favicon.ico"],
)  # fmt: skip
def test_paths(server, path):
    problem(server.client.get(path))
    assert status(server.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())) in (404, 422)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_methods(server, method):
    answer = server.client.request(method, "/v1/predict")
    assert problem(answer, 405)
    assert answer.headers["allow"] == "POST"
