"""The page to try a model on, and the page of the API. Plain files of this package, which load nothing from elsewhere."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response

from toile.reports.page import palette

# Nothing but the files below: no inline script or style, no other host, no frame, no form that leaves the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml"}  # fmt: skip
PACKAGE = files("toile.serving").joinpath("web")


def router() -> APIRouter:
    """A route for each file of `web/`, read once; the index is `/`. The colours are those of the reports."""
    made = APIRouter(include_in_schema=False)
    made.add_api_route("/web/palette.css", _page(palette.css().encode(), TYPES[".css"]), methods=["GET"])
    for file in PACKAGE.iterdir():
        suffix = "." + file.name.rpartition(".")[2]
        if suffix in TYPES:
            path = "/" if file.name == "index.html" else f"/web/{file.name}"
            made.add_api_route(path, _page(file.read_bytes(), TYPES[suffix]), methods=["GET"], name=file.name)
    made.add_api_route("/docs", documentation, methods=["GET"])
    return made


def _page(content: bytes, media_type: str):
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"Content-Security-Policy": POLICY, "ETag": tag, "Cache-Control": "no-cache"}

    async def page(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return page


async def documentation(request: Request) -> Response:
    """The OpenAPI document as a page. FastAPI's own page loads its scripts from another host."""
    from jinja2 import Environment

    app: FastAPI = request.app
    # Most keys of an OpenAPI document may be missing, so that an undefined one is not a mistake here.
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(PACKAGE.joinpath("docs.html.j2").read_text("utf-8"))
    page = template.render(api=app.openapi(), model=app.state.service.predictor, address=str(request.base_url).rstrip("/"))
    return Response(page, media_type=TYPES[".html"], headers={"Content-Security-Policy": POLICY})
