"""The application: the API and the pages behind the gate, all of it counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from toile.serving import api, pages, schema
from toile.serving.http import problem
from toile.serving.http.gate import Gate
from toile.serving.http.hosts import Hosts
from toile.serving.http.limits import Limits
from toile.serving.http.watch import Watch
from toile.serving.predictor import Predictor
from toile.version import __version__

DESCRIPTION = """\
Answers what a model that toile exported says of images. Requests that arrive together are asked together. Whatever goes wrong
is told as a problem of type application/problem+json."""


def make(predictor: Predictor, limits: Limits = Limits(), hosts: Hosts | None = None) -> ASGIApp:  # noqa: B008 (frozen)
    """An ASGI application that serves a loaded model; its lifespan is that of the processes which decode pictures."""
    watch = Watch()
    service = api.Service(predictor, limits, watch)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.decoders:
            yield

    app = FastAPI(title=f"toile: {predictor.metadata.get('name', 'a model')}", version=__version__,
                  description=DESCRIPTION, docs_url=None, redoc_url=None, lifespan=lifespan)  # fmt: skip
    app.state.service = service
    app.include_router(api.router)
    app.include_router(pages.router())
    handlers: dict[type[Exception], Any] = {
        problem.Problem: _problem,
        RequestValidationError: _invalid,
        HTTPException: _http,
        Exception: _bug,
    }
    for kind, tell in handlers.items():
        app.add_exception_handler(kind, tell)
    _name_problems(app)
    paths = app.openapi()["paths"]
    paths["/v1/predict"]["post"]["requestBody"] = schema.body(predictor.image_shape, limits.batch)
    paths["/v1/explain"]["post"]["requestBody"] = schema.body(predictor.image_shape, 1)
    return watch.around(Gate(app, limits, hosts or Hosts()))


async def _problem(request: Request, error: problem.Problem) -> Response:
    return problem.response(error.status, str(error), error.headers)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    said = [f"{' '.join(map(str, one['loc']))[:60]}: {one['msg']}" for one in error.errors()]
    return problem.response(422, "; ".join(said[:5]))


async def _http(request: Request, error: HTTPException) -> Response:
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path[:80]!r}; /docs says what there is"
    elif error.status_code == 405:
        detail = f"{request.method[:20]} is not possible here"
    return problem.response(error.status_code, detail, dict(error.headers or {}))


async def _bug(request: Request, error: Exception) -> Response:
    """Starlette raises the error again afterwards, so that the server logs it where the operator looks."""
    return problem.response(500, "the server made a mistake; its log says which")


def _name_problems(app: FastAPI) -> None:
    """Put the form of problems into the OpenAPI document, in place of FastAPI's own form of a validation error."""
    made = app.openapi()
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas["ProblemDocument"] = schema.ProblemDocument.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
