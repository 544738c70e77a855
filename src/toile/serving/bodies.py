"""The images of a request: picture files, or pixels as JSON. Nothing here reads a path, a URL or a pickle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from toile.pictures.decode import FORMATS
from toile.pictures.read import UNTOUCHED
from toile.serving.decoding.client import Decoded
from toile.serving.http.problem import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

FILES = ("application/octet-stream", *(f"image/{name.lower()}" for name in FORMATS))
ALLOWED = (
    "multipart/form-data with files named 'image', application/json with 'image' or 'images', "
    f"or a picture file itself as one of {', '.join(FILES)}"
)
SLICE = 64 * 1024  # of a form, parsed at once; a hostile one takes some 20 ms
# In JSON the longest pixel is `255,` and white space; brackets and a deep indent fit in the rest.
JSON_BYTES_A_PIXEL = 24


def kind(request: Request) -> str:
    """The media type of the body, without parameters.

    Raises:
        Problem: 415, none that is allowed.
    """
    found = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if found not in ("multipart/form-data", "application/json", *FILES) and not found.startswith("image/"):
        raise Problem(415, f"the body is of type {found!r}; allowed are {ALLOWED}")
    return found


class Forms:
    """What reads multipart bodies: a slice of one of them at a time, all in turn, and all else in between."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def files(self, request: Request, most: int) -> list[tuple[str, bytes]]:
        """The files of a multipart body with their names. They are held in memory, never on a disk.

        Raises:
            Problem: 400, the body is damaged or has more files than `most`; 422, a part that is no file, or has another name.
        """
        body, found = await request.body(), []
        async with aclosing(self._slices(body)) as slices:
            parser = MultiPartParser(request.headers, slices, max_files=most, max_fields=8, max_part_size=4096)
            parser.spool_max_size = len(body) + 1
            try:
                form = await parser.parse()
            except MultiPartException as error:
                raise Problem(400, error.message) from None
        try:
            for name, part in form.multi_items():
                if name != "image" or not isinstance(part, UploadFile):
                    what = "file" if isinstance(part, UploadFile) else "field"
                    raise Problem(422, f"the form has a {what} {name[:40]!r}; allowed are files named 'image'")
                found.append(((part.filename or "a picture")[:80], await part.read()))
        finally:
            await form.close()
        if not found:
            raise Problem(422, "the form has no file named 'image'")
        return found

    async def _slices(self, body: bytes) -> AsyncGenerator[bytes, None]:
        for at in range(0, len(body), SLICE):
            async with self._turn:
                yield body[at : at + SLICE]
                await asyncio.sleep(0)


def pixels(body: bytes, shape: tuple[int, int, int], most: int) -> list[Decoded]:
    """The images of a JSON body: `{"image": rows}`, or `{"images": [rows, …]}`; they are taken as they are.

    Rows are lists of pixels, and a pixel a whole number 0..255, or a list of one number a channel. `7.0` is a whole number, as
    in JSON Schema, which cannot tell it from `7`.

    Raises:
        Problem: 400 for what is no JSON, 413 for more than can be meant, 422 for any other mistake; it says where.
    """
    values = most * int(np.prod(shape))
    if len(body) > (allowed := JSON_BYTES_A_PIXEL * values + 4096):
        raise Problem(413, f"the body has {len(body):,} bytes; allowed are {allowed:,} of JSON, enough for {most} images")
    # JSON takes many times its length in memory, and nothing else runs while it is parsed. Twice what can be meant is a mistake
    # that is told in full.
    if body.count(b",") > 2 * values + 64 or body.count(b"[") + body.count(b"{") > 4 * values + 64:
        raise Problem(413, f"the body has far more numbers or brackets than {most} images of {shape} have")
    try:
        # Neither NaN nor infinity; brackets deeper than 200 or so are a mistake as well.
        found = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise Problem(400, f"the body is no JSON: {error}") from None
    if not isinstance(found, dict) or len(found) != 1 or (key := next(iter(found))) not in ("image", "images"):
        got = ", ".join(repr(name[:40]) for name in list(found)[:5]) if isinstance(found, dict) else type(found).__name__
        raise Problem(422, f"the body has {got or 'nothing'}; allowed is an object with 'image', or one with 'images'")
    images = found[key] if key == "images" else [found[key]]
    if not isinstance(images, list) or not 1 <= len(images) <= most:
        count = len(images) if isinstance(images, list) else f"a {type(images).__name__}"
        raise Problem(422, f"'images' has {count}; allowed are 1 to {most} images")
    return [Decoded(_array(image, shape, f"image {index}"), UNTOUCHED) for index, image in enumerate(images)]


def _array(image: Any, shape: tuple[int, int, int], where: str) -> np.ndarray:
    """Nested lists to uint8. By hand: NumPy would take strings, booleans and fractions for numbers."""
    level, names = [image], ("rows", "pixels in a row", "channels in a pixel")
    for size, name in zip(shape, names, strict=True):
        if name == names[2] and size == 1 and type(level[0]) in (int, float):
            break  # a grey pixel may go without its brackets
        for one in level:
            if type(one) is not list or len(one) != size:
                got = len(one) if type(one) is list else _shown(one)
                raise Problem(422, f"{where} has {got} where {size} {name} are wanted; the model takes {shape}")
        level = list(chain.from_iterable(level))
    kinds = set(map(type, level))
    if not (kinds == {int} or (kinds <= {int, float} and all(map(_whole, level)))) or min(level) < 0 or max(level) > 255:
        wrong = next(value for value in level if not _whole(value) or not 0 <= value <= 255)
        raise Problem(422, f"{where} has {_shown(wrong)} among its pixels; allowed are whole numbers 0..255")
    return np.array(level, np.uint8).reshape(shape)


def _whole(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"a {type(value).__name__}"
    if type(value) is int and abs(value) > 10**9:
        return "a huge number"  # which Python may refuse to write out
    return repr(value)[:40]
