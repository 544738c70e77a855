"""Downloads against a server on this machine: resumed, restarted, refused."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from toile.data.reading.fetch import DownloadError, download, reachable

BODY = bytes(range(256)) * 3000
MD5 = hashlib.md5(BODY).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    """Serves BODY. `server.ranges`: whether Range is honoured; `server.cut`: bytes after which it hangs up, once."""

    def do_HEAD(self):
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()

    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        self.server.asked.append(self.headers.get("Range"))
        start = 0
        if self.server.ranges and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(BODY):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        else:
            self.send_response(200)
        body = BODY[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut, self.server.cut = self.server.cut, None
        self.wfile.write(body[:cut])

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(ranges: bool = True, cut: int | None = None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.ranges, server.cut, server.asked = ranges, cut, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}/file.gz"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def visible(folder):
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.endswith(".lock"))


def test_whole_file_with_progress(tmp_path):
    told = []
    with serving() as (_, url):
        target = download(url, tmp_path / "new" / "file.gz", MD5, lambda *what: told.append(what))
    assert target.read_bytes() == BODY
    assert visible(tmp_path / "new") == ["file.gz"]
    assert told[0] == ("file.gz", 0, len(BODY))
    assert told[-1] == ("file.gz", len(BODY), len(BODY))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_after_a_lost_connection(tmp_path, ranges):
    target = tmp_path / "file.gz"
    with serving(ranges, cut=300_000) as (server, url):
        with pytest.raises(DownloadError, match=r"lost after 300,000 of 768,000 bytes"):
            download(url, target, MD5)
        assert visible(tmp_path) == ["file.gz.part"]
        assert download(url, target, MD5).read_bytes() == BODY
        assert server.asked == [None, "bytes=300000-"]
    assert visible(tmp_path) == ["file.gz"]


def test_wrong_hash_leaves_nothing(tmp_path):
    with serving() as (_, url), pytest.raises(DownloadError, match=f"MD5 {MD5}, expected {'0' * 32}"):
        download(url, tmp_path / "file.gz", "0" * 32)
    assert visible(tmp_path) == []


@pytest.mark.parametrize("part", [b"something else", BODY + b"more", b"x" * len(BODY)])
def test_a_spoiled_part_is_fetched_afresh(tmp_path, part):
    (tmp_path / "file.gz.part").write_bytes(part)
    with serving() as (_, url):
        assert download(url, tmp_path / "file.gz", MD5).read_bytes() == BODY
    assert visible(tmp_path) == ["file.gz"]


def test_a_whole_part_needs_no_more_bytes(tmp_path):
    (tmp_path / "file.gz.part").write_bytes(BODY)
    with serving() as (server, url):
        download(url, tmp_path / "file.gz", MD5)
        assert server.asked == [f"bytes={len(BODY)}-"]


def test_what_is_there_is_not_fetched(tmp_path):
    (tmp_path / "file.gz").write_bytes(BODY)
    assert download("http://127.0.0.1:1/file.gz", tmp_path / "file.gz", MD5).read_bytes() == BODY


@pytest.mark.parametrize(
    ("url", "says"), [("http://127.0.0.1:1/x", "refused"), ("file:///etc/passwd", "expected an http or https address")]
)
def test_no_answer(tmp_path, url, says):
    with pytest.raises(DownloadError, match=says):
        download(url, tmp_path / "file.gz", MD5)
    assert visible(tmp_path) == []


def test_http_error(tmp_path):
    with serving() as (_, url), pytest.raises(DownloadError, match="HTTP 404"):
        download(url.replace("file.gz", "missing"), tmp_path / "file.gz", MD5)


def test_reachable():
    with serving() as (_, url):
        missing, dead = url.replace("file.gz", "missing"), "http://127.0.0.1:1/x"
        answers = reachable([url, missing, dead])
    assert answers[url] is None
    assert answers[missing].startswith("HTTP 404")
    assert "refused" in answers[dead]
