"""One process that decodes, seen from the server: started when it is needed, asked, and ended when it does not answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from toile.serving.decoding.process import LENGTH, message
from toile.serving.http.problem import Problem


class Decoded(NamedTuple):
    """`pixels` are uint8, of whatever shape the decoding function gives; `steps` say what was done."""

    pixels: np.ndarray
    steps: tuple[str, ...]


class Lost(Exception):
    """The process did not survive what it was asked, or was ended. The message is for who asked it."""


class Decoder:
    """One process; see `toile.serving.decoding.process`, which it runs."""

    def __init__(self, work: str, memory: int, tell: Callable[[], None]) -> None:
        self.work, self.memory, self.tell = work, memory, tell
        self.process: Process | None = None
        self.ready = False

    @property
    def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        if self.process is None or self.process.stdin is None or self.process.stdout is None:
            raise EOFError("the process is not there")
        return self.process.stdin, self.process.stdout

    async def start(self) -> None:
        """Start the process, and do not wait until it is ready."""
        # It finds what this process finds, and nothing in the folder that it happens to be started in.
        path = os.pathsep.join(os.path.abspath(one) for one in sys.path)  # noqa: PTH100 - "" is the current folder
        environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = (sys.executable, "-P", "-m", "toile.serving.decoding.process", self.work, str(self.memory))
        self.process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment)
        self.ready = False

    async def ask(self, files: Sequence[tuple[bytes, dict[str, Any]]], seconds: float) -> list[tuple[Decoded | str, float]]:
        """What became of the first of these files, of one at least: its pixels, or why there are none; and how long it took.

        Args:
            files: each with the options of the decoding function.
            seconds: after which the process is ended.

        Raises:
            Lost: there is no answer.
            Problem: 503, no process could be started.
        """
        try:
            await self._begin()  # which does not count as time of whoever asks first
            async with asyncio.timeout(seconds):
                about = [{"size": len(file), "options": options} for file, options in files]
                self._pipes[0].write(message({"files": about}, *(file for file, _ in files)))
                found = (await self._read())["done"]
                if not 1 <= len(found) <= len(files):
                    raise ValueError(f"{len(found)} answers for {len(files)} files")
                return [(await self._one(one), float(one["seconds"])) for one in found]
        except TimeoutError:
            await self._lose()
            raise Lost(f"the picture takes longer than {seconds:g} seconds to decode") from None
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            await self._lose()
            raise Lost("the picture brings its decoder down: it is damaged, or needs too much memory") from None
        except BaseException:  # who asked was cancelled, and the answer is still to come
            await self._lose()
            raise

    async def end(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            process, self.process = self.process, None
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _begin(self) -> None:
        try:
            if self.process is None:
                await self.start()
            if not self.ready:
                self.ready = (await self._read())["ready"]
        except (OSError, EOFError) as error:
            raise Problem(503, f"no decoder can be started: {error}", {"Retry-After": "1"}) from None

    async def _lose(self) -> None:
        self.tell()
        await self.end()

    async def _read(self) -> dict[str, Any]:
        out = self._pipes[1]
        (length,) = LENGTH.unpack(await out.readexactly(LENGTH.size))
        return json.loads(await out.readexactly(length))

    async def _one(self, said: dict[str, Any]) -> Decoded | str:
        if "error" in said:
            return said["error"]
        pixels = await self._pipes[1].readexactly(prod(said["shape"]))
        return Decoded(np.frombuffer(pixels, np.uint8).reshape(said["shape"]), tuple(said["steps"]))
