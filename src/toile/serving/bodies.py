"""The images of a request: picture files, or pixels as JSON. Nothing here reads a path, a URL or a pickle."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic_core import from_json
from starlette.datastructures import UploadFile

from toile.pictures.decode import FORMATS, ImageError
from toile.pictures.form import Form
from toile.pictures.read import UNTOUCHED, Prepared, read
from toile.serving.problem import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

FILES = ("application/octet-stream", *(f"image/{name.lower()}" for name in FORMATS))
ALLOWED = (
    "multipart/form-data with files named 'image', application/json with 'image' or 'images', "
    f"or a picture file itself as one of {', '.join(FILES)}"
)
MAX_PIXELS = 4_000_000  # of a picture; its page makes larger ones smaller before it sends them
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


async def files(request: Request, most: int) -> list[tuple[str, bytes]]:
    """The files of a multipart body with their names.

    Raises:
        Problem: a part that is no file, or has another name.
        HTTPException: 400, the body is damaged or has more files than `most`.
    """
    found = []
    async with request.form(max_files=most, max_fields=8, max_part_size=4096) as form:
        for name, part in form.multi_items():
            if name != "image" or not isinstance(part, UploadFile):
                what = "file" if isinstance(part, UploadFile) else "field"
                raise Problem(422, f"the form has a {what} {name[:40]!r}; allowed are files named 'image'")
            found.append(((part.filename or "a picture")[:80], await part.read()))
    if not found:
        raise Problem(422, "the form has no file named 'image'")
    return found


def picture(name: str | None, content: bytes, form: Form, as_is: bool) -> Prepared:
    """One picture file as the model's input.

    Raises:
        Problem: 422 for what is no picture, damaged or too large; with several, `name` says which.
    """
    try:
        return read(content, form, as_is=as_is, most=MAX_PIXELS)
    except ImageError as error:
        raise Problem(422, f"{name}: {error}" if name else str(error)) from None


def pixels(body: bytes, shape: tuple[int, int, int], most: int) -> list[Prepared]:
    """The images of a JSON body: `{"image": rows}`, or `{"images": [rows, …]}`; they are taken as they are.

    Rows are lists of pixels, and a pixel a whole number 0..255, or a list of one number a channel.

    Raises:
        Problem: 400 for what is no JSON, 413 for more than can be meant, 422 for any other mistake; it says where.
    """
    allowed = JSON_BYTES_A_PIXEL * most * int(np.prod(shape)) + 4096
    if len(body) > allowed:  # JSON takes many times its length in memory
        raise Problem(413, f"the body has {len(body):,} bytes; allowed are {allowed:,} of JSON, enough for {most} images")
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
    return [Prepared(_array(image, shape, f"image {index}"), UNTOUCHED) for index, image in enumerate(images)]


def _array(image: Any, shape: tuple[int, int, int], where: str) -> np.ndarray:
    """Nested lists to uint8. By hand: NumPy would take strings, booleans and fractions for numbers."""
    level, names = [image], ("rows", "pixels in a row", "channels in a pixel")
    for size, name in zip(shape, names, strict=True):
        if name == names[2] and size == 1 and type(level[0]) is int:
            break  # a grey pixel may go without its brackets
        for one in level:
            if type(one) is not list or len(one) != size:
                got = len(one) if type(one) is list else _shown(one)
                raise Problem(422, f"{where} has {got} where {size} {name} are wanted; the model takes {shape}")
        level = list(chain.from_iterable(level))
    if set(map(type, level)) != {int} or min(level) < 0 or max(level) > 255:
        wrong = next(value for value in level if type(value) is not int or not 0 <= value <= 255)
        raise Problem(422, f"{where} has {_shown(wrong)} among its pixels; allowed are whole numbers 0..255")
    return np.array(level, np.uint8).reshape(shape)


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"a {type(value).__name__}"
    if type(value) is int and abs(value) > 10**9:
        return "a huge number"  # which Python may refuse to write out
    return repr(value)[:40]
