"""Downloads that can be interrupted, and that end with the right file or none."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from toile.data.errors import DataError

Progress = Callable[[str, int, "int | None"], None]
"""`progress(name, done, total)`: bytes of the file `name` that are here, and that there will be (None: not told)."""

_BLOCK = 1 << 18
_HEADERS = {"User-Agent": "toile", "Accept-Encoding": "identity"}
_FAILURES = (OSError, http.client.HTTPException, ValueError)  # URLError and time-outs are OSErrors


class DownloadError(DataError):
    """An address that does not give the file. The message says what it did instead."""


def download(
    url: str, target: Path, md5: str, progress: Progress | None = None, timeout: float = 5.0, most: int = 1 << 30
) -> Path:
    """Downloads `url` to `target`, going on from `<target>.part` where an earlier attempt was cut off.

    `target` appears only when it is whole and its hash is right. After a lost connection the part stays for the next
    attempt; with a wrong hash it is deleted (and fetched once more, if it was begun by an earlier attempt).

    Args:
        url: http or https.
        target: the file to make; its folder is made too.
        md5: of the whole file, in hexadecimal.
        progress: called at the start, after each block and at the end.
        timeout: seconds to connect, and without a byte.
        most: bytes that the file can have: an address that sends more must not fill the disk.

    Raises:
        DownloadError: no answer, an HTTP error, a connection lost on the way, a wrong hash, too many bytes.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with FileLock(target.with_name(f".{target.name}.lock")):  # two downloads into one part would spoil it
        if target.exists() and file_md5(target) == md5:
            return target
        resumed = part.exists() and part.stat().st_size > 0
        got = _attempt(url, part, target.name, progress, timeout, md5, most)
        if got != md5 and resumed:
            got = _attempt(url, part, target.name, progress, timeout, md5, most)
        if got != md5:
            raise DownloadError(f"{url}: MD5 {got}, expected {md5}; deleted")
        part.replace(target)
        with contextlib.suppress(OSError):
            handle = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    return target


def file_md5(path: Path) -> str:
    """MD5 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def reachable(urls: Iterable[str], seconds: float = 5.0) -> dict[str, str | None]:
    """Asks all addresses at once whether they answer, so that a dead network costs `seconds` in all.

    A time-out alone would not do: it counts for every address of a host anew, and not at all for its name's look-up.

    Returns:
        For each address None where it answers, else what it did instead.
    """
    answers: dict[str, str | None] = dict.fromkeys(urls, f"no answer within {seconds:g} s")

    def ask(url: str) -> None:
        try:
            with urllib.request.urlopen(_request(url, method="HEAD"), timeout=seconds):
                answers[url] = None
        except urllib.error.HTTPError as error:
            answers[url] = None if error.code in (405, 501) else f"HTTP {error.code} {error.reason}"  # HEAD not known
            error.close()
        except _FAILURES as error:
            answers[url] = _said(error)

    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in answers]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(answers)


def _attempt(url: str, part: Path, name: str, progress: Progress | None, timeout: float, md5: str, most: int) -> str:
    """One request. Returns the MD5 of the whole part, which is deleted unless that is `md5`."""
    done = part.stat().st_size if part.exists() else 0
    request = _request(url, {"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            if done and not _continues(answer, done):
                done = 0  # the server sends the file from its beginning, whatever we asked for
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length is not None else None
            with part.open("ab" if done else "wb") as file:
                _tell(progress, name, done, total)
                while block := answer.read(_BLOCK):
                    done += len(block)
                    if done > most:
                        part.unlink()
                        raise DownloadError(f"{url}: sends more than {most:,} bytes; the file has fewer, so nothing is kept")
                    file.write(block)
                    _tell(progress, name, done, total)
                file.flush()
                os.fsync(file.fileno())
        if total is not None and done < total:
            raise DownloadError(f"{url}: connection lost after {done:,} of {total:,} bytes; try again to go on from there")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416:  # the part is as long as the file, or longer: its hash decides
            raise DownloadError(f"{url}: HTTP {error.code} {error.reason}") from error
    except _FAILURES as error:
        raise DownloadError(f"{url}: {_said(error)}") from error
    got = file_md5(part)
    if got != md5:
        part.unlink()
    return got


def _request(url: str, headers: dict[str, str] | None = None, method: str = "GET") -> urllib.request.Request:
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{url}: expected an http or https address")
    return urllib.request.Request(url, headers={**_HEADERS, **(headers or {})}, method=method)


def _continues(answer: http.client.HTTPResponse, done: int) -> bool:
    return answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {done}-")


def _tell(progress: Progress | None, name: str, done: int, total: int | None) -> None:
    if progress is not None:
        progress(name, done, total)


def _said(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason) or type(reason).__name__
