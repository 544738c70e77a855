"""The process that decodes pictures of strangers: `python -m toile.serving.decoding.process MODULE:FUNCTION MEMORY`.

Decoders are C libraries that were written to read files, and a picture can be made to cost them seconds, gigabytes, a crash, or
lines on standard error without end. Here none of it can harm anybody: the memory is bounded, what is printed goes nowhere, and
the server ends the process that takes too long. It ends itself when its standard input closes.

A message is four bytes with the length of a JSON document, the document, and what it says follows, each way:

    {"files": [{"size": 812, "options": {…}}, …]}                   and the files, to the process
    {"done": [{"shape": […], "steps": […], "seconds": 0.001}, …]}   and the pixels, uint8, of one file at least, back

with "error" in the place of "shape" and "steps" for a file that could not be decoded.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np

from toile.errors import ToileError
from toile.pictures.decode import Bounds
from toile.pictures.form import Form
from toile.pictures.read import read

Work = Callable[..., tuple[np.ndarray, Sequence[str]]]
LENGTH = struct.Struct(">I")
BOUNDS = Bounds(pixels=4_000_000, side=4096)
# After this long it says what it has so far, so that others get their turn.
TURN = 0.05


def picture(content: bytes, form: dict[str, Any], as_is: bool) -> tuple[np.ndarray, Sequence[str]]:
    """What a server decodes: a picture file, as an image of its model.

    Args:
        form: what `Form.plain` gave, of the model's data set.
        as_is: guess nothing about the picture.
    """
    made = read(content, Form.parse(form), as_is=as_is, bounds=BOUNDS)
    return made.pixels, made.steps


def message(document: dict[str, Any], *parts: bytes) -> bytes:
    """A message as it is written."""
    head = json.dumps(document).encode()
    return b"".join((LENGTH.pack(len(head)), head, *parts))


def main(arguments: Sequence[str]) -> int:
    """Entry point of the process."""
    name, memory = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which answers what it accepted
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    module, _, function = name.partition(":")
    work = getattr(importlib.import_module(module), function)
    _bound(int(memory))
    answers.write(message({"ready": True}))
    answers.flush()
    while head := asked.read(LENGTH.size):
        document = json.loads(asked.read(*LENGTH.unpack(head)))
        _answer(work, [(asked.read(one["size"]), one["options"]) for one in document["files"]], answers)
        answers.flush()
    return 0


def _answer(work: Work, files: list[tuple[bytes, dict[str, Any]]], answers: BinaryIO) -> None:
    done, parts, begun = [], [], time.monotonic()
    for content, options in files:
        since = time.monotonic()
        try:
            pixels, steps = work(content, **options)
            parts.append(np.ascontiguousarray(pixels, np.uint8).tobytes())
            said = {"shape": pixels.shape, "steps": list(steps)}
        except MemoryError:
            said = {"error": "the picture needs too much memory to be decoded"}
        except ToileError as error:
            said = {"error": str(error)}
        except Exception as error:  # decoders meet damage with errors of every kind
            said = {"error": f"the picture cannot be decoded: {type(error).__name__}"}
        done.append(said | {"seconds": time.monotonic() - since})
        if time.monotonic() - begun > TURN:
            break
    answers.write(message({"done": done}, *parts))


def _bound(memory: int) -> None:
    """Let this process have so many bytes of its own, where the system knows how."""
    try:
        import resource
    except ImportError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (memory if hard == resource.RLIM_INFINITY else min(memory, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
