"""What a decoder may be given to do, good and bad; each is a function of the bytes of a file."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from toile.errors import ToileError


def lengths(content: bytes, times: int = 1) -> tuple[np.ndarray, list[str]]:
    """The bytes themselves, so many times, and what process this was."""
    if content == b"refused":
        raise ToileError("this file is refused")
    if content == b"odd":
        raise ZeroDivisionError("not said to the client")
    return np.frombuffer(content * times, np.uint8)[:, None], [str(os.getpid())]


def hostile(content: bytes) -> tuple[np.ndarray, list[str]]:
    """As the content says."""
    word, _, rest = content.decode().partition(" ")
    if word == "forever":
        while True:
            time.sleep(0.01)
    if word == "exit":
        os._exit(0)
    if word == "eat":
        held = []
        while True:
            held.append(bytearray(os.urandom(1) * 2**22))
    if word == "shout":
        os.write(1, b"x" * 100_000)
        os.write(2, b"x" * 100_000)
        print("y" * 100_000, file=sys.stderr)
    if word == "wait":
        Path(rest + ".begun").touch()
        while not Path(rest).exists():
            time.sleep(0.001)
    return np.zeros((1, 1), np.uint8), [str(os.getpid())]


def slowly(content: bytes) -> tuple[np.ndarray, list[str]]:
    """Longer than a turn, and says in the end when it began."""
    begun = time.monotonic()
    while time.monotonic() - begun < 0.06:
        pass
    return np.zeros((1, 1), np.uint8), [f"{begun:.6f}"]
