"""How much the server takes on, in figures; what `docs/serve.md` promises."""

from __future__ import annotations

from dataclasses import dataclass, fields

from toile.errors import Misuse

MIB = 2**20
SHARE = 64 * 1024  # bytes of a body that every connection may have; what is beyond is taken from what all share


@dataclass(frozen=True)
class Limits:
    """How much at once. A picture's pixels and sides are limited where it is decoded, in `toile.serving.decoding.process`; the
    head of a request and the way its body comes, in `toile.serving.http.protocol`.

    Args:
        body: bytes of one request.
        held: bytes of all bodies that are here at once, beyond the first 64 KiB of each.
        batch: images of one request, and of one call of the model.
        waiting: images that may wait for the model; who comes then is told to come again.
        requests: requests that are answered at once, counted from when their bodies are whole. GET is not counted.
        connections: at once; the one that has been idle longest makes room for the next.
        seconds: in which the head of a request must have come, then its body, then in which the client must read.
        rate: bytes a second that a body must come with, after the first fifth of `seconds`.
        decoding: seconds for the pictures of one request, and before that for a decoder to be free.
        memory: bytes of one decoder, where the system can bound them.

    Raises:
        Misuse: one of them is below 1, or they contradict each other.
    """

    body: int = 8 * MIB
    held: int = 128 * MIB
    batch: int = 64
    waiting: int = 1024
    requests: int = 64
    connections: int = 512
    seconds: float = 10.0
    rate: int = 32 * 1024
    decoding: float = 10.0
    memory: int = 768 * MIB

    def __post_init__(self) -> None:
        for one in fields(self):
            if not 1 <= (value := getattr(self, one.name)) < float("inf"):
                raise Misuse(f"the limit {one.name!r} is at least 1, got {value}")
        if self.waiting < self.batch:
            raise Misuse(f"{self.waiting} images may wait, fewer than the {self.batch} of one batch")
        if self.held < self.body:
            raise Misuse(f"{self.held:,} bytes of bodies may be here, fewer than the {self.body:,} of one")
