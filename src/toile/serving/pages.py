"""The page to try a model on, and the page of the API. Plain files of this package, which load nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response

from toile.serving.packaged import POLICY, TYPES, pages

PACKAGE = files("toile.serving").joinpath("web")


def router() -> APIRouter:
    """A route for each file of `web/`, read once; the index is `/`. The colours are those of the reports."""
    made = APIRouter(include_in_schema=False)
    for path, page in pages(PACKAGE).items():
        made.add_api_route(path, page, methods=["GET"], name=path)
    made.add_api_route("/docs", documentation, methods=["GET"])
    return made


async def documentation(request: Request) -> Response:
    """The OpenAPI document as a page. FastAPI's own page loads its scripts from another host."""
    from jinja2 import Environment

    app: FastAPI = request.app
    # Most keys of an OpenAPI document may be missing, so that an undefined one is not a mistake here.
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(PACKAGE.joinpath("docs.html.j2").read_text("utf-8"))
    page = template.render(api=app.openapi(), model=app.state.service.predictor, address=str(request.base_url).rstrip("/"))
    return Response(page, media_type=TYPES[".html"], headers={"Content-Security-Policy": POLICY})
