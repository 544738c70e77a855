"""Pictures decoded in processes of their own, which may take only so long and so much, and are replaced when they do not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any

from toile.errors import ToileError
from toile.serving.decoding.client import Decoded, Decoder, Lost
from toile.serving.http.problem import Problem

PROCESSES = 2
PIECE = 2**20  # bytes of files in one message, or one file
WORTH = 8  # files of a request that are worth a process of their own
PICTURE = "toile.serving.decoding.process:picture"


class Undecodable(ToileError):
    """A file that the function did not take; `index` is its place among those of the request."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


@dataclass(eq=False)
class _Turn:
    """What one request wants done next. `alone`: it was in a process that was lost, and others with it."""

    files: list[bytes]
    options: dict[str, Any]
    answer: asyncio.Future[list[tuple[Decoded | str, float]]]
    clock: asyncio.TimerHandle
    alone: bool = False

    def fail(self, error: Exception) -> None:
        if not self.answer.done():  # else who asked is gone
            self.answer.set_exception(error)


class Decoders:
    """A few processes that turn bytes into pixels. Use it as an asynchronous context manager, which starts and ends them.

    Small files that wait at the same time go to a process together, and many files of one request to several processes. Each
    request has its turn behind all others before it gets the next, so that nobody waits for the whole of a large one.

    Args:
        work: `module:function`, a function of bytes and keywords that JSON can say -> (uint8 array, steps). A `ToileError` of
            it is told to the client.
        seconds: in which the files of one request must be decoded, and before that, in which its turn must come.
        memory: bytes that each process may have of its own; see `toile.serving.decoding.process`.
        processes: at most; the second is started when the first is busy.
        tell: called when a process was lost: it crashed, or was ended because it took too long.
    """

    def __init__(
        self,
        work: str = PICTURE,
        *,
        seconds: float,
        memory: int,
        processes: int = PROCESSES,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self.seconds = seconds
        self._all = [Decoder(work, memory, tell) for _ in range(processes)]
        self._free = list(self._all)
        self._waiting: deque[_Turn] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Decoders:
        with suppress(OSError):  # who asks first tries again, and is told
            await self._free[-1].start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in self._all:
            await one.end()

    async def decode(self, files: Sequence[bytes], **options: Any) -> list[Decoded]:
        """Decode the files of one request, in their order.

        Args:
            options: of the decoding function.

        Raises:
            Undecodable: the first that could not be decoded.
            Problem: 429, its turn did not come in time; 503, no process could be started.
        """
        count = min(len(self._all), ceil(len(files) / WORTH))
        if count <= 1:
            return await self._part(files, 0, [0.0], options)
        at, spent = [round(part * len(files) / count) for part in range(count + 1)], [0.0]
        parts = [self._part(files[begin:end], begin, spent, options) for begin, end in pairwise(at)]
        found = await asyncio.gather(*parts, return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return [one for part in found if not isinstance(part, BaseException) for one in part]

    async def _part(self, files: Sequence[bytes], first: int, spent: list[float], options: dict[str, Any]) -> list[Decoded]:
        """Some of the files of a request, from `first`; `spent` are the seconds of all of them so far."""
        done: list[Decoded] = []
        while len(done) < len(files):
            try:
                found = await self._turn(_piece(files, len(done)), options)
            except Lost as error:
                raise Undecodable(first + len(done), str(error)) from None
            for one, seconds in found:
                spent[0] += seconds
                if isinstance(one, str):
                    raise Undecodable(first + len(done), one)
                if spent[0] > self.seconds:
                    why = f"the pictures take longer than {self.seconds:g} seconds to decode"
                    raise Undecodable(first + len(done), why)
                done.append(one)
        return done

    async def _turn(self, files: list[bytes], options: dict[str, Any]) -> list[tuple[Decoded | str, float]]:
        """What became of the first of these files, of one at least, and how long it took."""
        loop = asyncio.get_running_loop()
        late = Problem(429, "too many pictures are being decoded already", {"Retry-After": "1"})
        turn = _Turn(files, options, loop.create_future(), loop.call_later(self.seconds, lambda: turn.fail(late)))
        self._waiting.append(turn)
        self._begin()
        return await turn.answer

    def _begin(self) -> None:
        if self._free and self._waiting:
            task = asyncio.create_task(self._work(self._free.pop()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, decoder: Decoder) -> None:
        try:
            while turns := self._next():
                await self._ask(decoder, turns)
        finally:
            self._free.append(decoder)

    def _next(self) -> list[_Turn]:
        """The first that waits, and its share of the others, as long as they are small."""
        share, size, taken = ceil(len(self._waiting) / (len(self._free) + 1)), 0, []
        while self._waiting and len(taken) < share:
            turn = self._waiting[0]
            size += sum(map(len, turn.files))
            if taken and (size > PIECE or turn.alone or taken[0].alone):
                break
            self._waiting.popleft()
            turn.clock.cancel()
            if not turn.answer.done():
                taken.append(turn)
        return taken

    async def _ask(self, decoder: Decoder, turns: list[_Turn]) -> None:
        try:
            found = await decoder.ask([(file, turn.options) for turn in turns for file in turn.files], self.seconds)
        except Lost as error:
            if len(turns) == 1:
                return turns[0].fail(error)
            for turn in turns:  # it may have been any of them
                turn.alone = True
            found = []
        except Exception as error:  # everybody's who asked, and each request says so for itself
            for turn in turns:
                turn.fail(error)
            return None
        left = []
        for turn in turns:
            own, found = found[: len(turn.files)], found[len(turn.files) :]
            if not own:
                left.append(turn)
            elif not turn.answer.done():
                turn.answer.set_result(own)
        self._waiting.extendleft(reversed(left))
        return self._begin()


def _piece(files: Sequence[bytes], first: int) -> list[bytes]:
    """The next files, one at least, of so many bytes at most."""
    size, piece = 0, []
    for file in files[first:]:
        size += len(file)
        if piece and size > PIECE:
            break
        piece.append(file)
    return piece
