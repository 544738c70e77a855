"""The files of a page, as they lie in the package: read once, and served under a policy that lets them load nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from toile.reports.page import palette

# Nothing but the files of the page: no inline script or style, no other host, no frame, no form that leaves the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml"}  # fmt: skip


def pages(package: Traversable) -> dict[str, Callable[[Request], Awaitable[Response]]]:
    """A path and what answers there for each file of a folder of the package; the index is `/`, the others are in `/web/`. The
    colours, `/web/palette.css`, are those of the reports, and all pages have one head."""
    head = files("toile.serving").joinpath("head.html").read_bytes()
    made = {"/web/palette.css": _page(palette.css().encode(), TYPES[".css"])}
    for file in package.iterdir():
        suffix = "." + file.name.rpartition(".")[2]
        if suffix in TYPES:
            path = "/" if file.name == "index.html" else f"/web/{file.name}"
            made[path] = _page(file.read_bytes().replace(b"<!-- head -->\n", head), TYPES[suffix])
    return made


def _page(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"Content-Security-Policy": POLICY, "ETag": tag, "Cache-Control": "no-cache"}

    async def page(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return page
