"""Random damage to a file, as broken disks, cables and careless hands do it."""

from __future__ import annotations

import random
from collections.abc import Sequence

KINDS = ("bits", "truncated", "garbage", "swapped", "inserted", "zeros", "digits")


def damaged(content: bytes, others: Sequence[bytes], seed: int) -> bytes:
    """Another content, by one of `KINDS`; `swapped` takes one of `others`."""
    draw = random.Random(seed)
    kind, at = draw.choice(KINDS), draw.randrange(len(content) + 1)
    if kind == "bits":
        changed = bytearray(content)
        for place in draw.choices(range(len(content)), k=draw.choice((1, 1, 8))) if content else []:
            changed[place] ^= 1 << draw.randrange(8)
        return bytes(changed)
    if kind == "truncated":
        return content[:at]
    if kind == "garbage":
        return content[:at] + draw.randbytes(draw.randrange(1, 200)) + content[at + 100 :]
    if kind == "swapped":
        return draw.choice(others)
    if kind == "inserted":
        return content[:at] + draw.choice((b"[", b'"', b"{", b"\x00", b"\n", b",", b"1e999", b"null", b"-")) + content[at:]
    if kind == "zeros":
        return content[:at] + bytes(len(content) - at)
    # Another number where there is one, which changes no form.
    places = [place for place, byte in enumerate(content) if 48 <= byte < 58]
    if not places:
        return b""
    place = draw.choice(places)
    return content[:place] + b"%d" % draw.randrange(10) + content[place + 1 :]
