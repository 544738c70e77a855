"""The application behind `toile open`: pages and answers, all of them GET, behind the gate of `toile serve`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from toile.errors import Misuse, ToileError
from toile.serving.http import problem
from toile.serving.http.gate import Gate
from toile.serving.http.hosts import Hosts
from toile.serving.http.limits import Limits
from toile.serving.http.problem import Problem
from toile.serving.packaged import TYPES, pages
from toile.viewer.answers import COMMITTEE, Answers, document, number
from toile.viewer.events import Events
from toile.viewer.subjects import png

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A report is a page of its own, whoever wrote it: it may draw and answer to the hand, and no origin lets it ask for more.
REPORT = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# No other origin may read an answer, or show a picture of it.
OURS = ((b"cross-origin-resource-policy", b"same-origin"), (b"cross-origin-opener-policy", b"same-origin"))
KEPT = "private, max-age=31536000, immutable"  # an image of a fingerprint is always the same

Answer = Callable[[Request], Any]


def make(answers: Answers, events: Events, hosts: Hosts, limits: Limits) -> ASGIApp:
    """An ASGI application that shows a store."""

    def json(find: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def told(request: Request) -> Response:
            content = await run_in_threadpool(lambda: document(find(request)))
            return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})

        return told

    async def stream(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(headers=Told.HEADERS, media_type=Told.media_type)
        return Told(events)

    async def image(request: Request) -> Response:
        def drawn() -> bytes:
            images, index = answers.subject(_subject(request)).test.images, number(request.path_params["index"], "an image")
            if index >= len(images):
                raise Problem(404, f"there are {len(images)} test images, no number {index}")
            return png(images[index])

        # Of a committee, STUDY~NUMBER, the images are other ones when the study is.
        kept = "no-store" if COMMITTEE in _subject(request) else KEPT
        return Response(await run_in_threadpool(drawn), media_type="image/png", headers={"Cache-Control": kept})

    async def report(request: Request) -> Response:
        return _report(await run_in_threadpool(answers.report, request.path_params["study"]))

    async def stored(request: Request) -> Response:
        return _report(await run_in_threadpool(answers.stored_report, request.path_params["name"]))

    def cell(request: Request) -> Any:
        true, chosen = (number(request.query_params.get(name), name) for name in ("true", "chosen"))
        return answers.subject(_subject(request)).cell(true, chosen)

    found: dict[str, Answer] = {
        "/v1/store": lambda request: answers.about(),
        "/v1/runs": lambda request: answers.runs(),
        "/v1/runs/{run}": lambda request: answers.run(request.path_params["run"]),
        "/v1/runs/{run}/history": lambda request: answers.history(request.path_params["run"]),
        "/v1/studies": lambda request: answers.studies.all(),
        "/v1/studies/{study}": lambda request: answers.studies.told(request.path_params["study"]),
        "/v1/committees/{subject}": lambda request: answers.committee(_subject(request)),
        "/v1/said/{subject}/cell": cell,
        "/v1/said/{subject}/mistakes": lambda request: answers.subject(_subject(request)).mistakes(),
        "/v1/compare": lambda request: answers.compare(*(request.query_params.get(name, "") for name in "ab")),
    }
    routes = [Route(path, json(find), methods=["GET"]) for path, find in found.items()]
    routes += [
        Route("/v1/events", stream, methods=["GET"]),
        Route("/v1/said/{subject}/images/{index}.png", image, methods=["GET"]),
        Route("/v1/studies/{study}/report", report, methods=["GET"]),
        Route("/v1/reports/{name}", stored, methods=["GET"]),
    ]
    routes += [Route(path, page, methods=["GET"]) for path, page in pages(files("toile.viewer").joinpath("web")).items()]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        events.end()

    handlers: dict[Any, Any] = {ToileError: _said, HTTPException: _http, Exception: _bug}
    return Gate(_Ours(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)), limits, hosts)


class Told(StreamingResponse):
    """The events, as an answer. It counts as one that listens until it ends, however early."""

    HEADERS: ClassVar = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    media_type = "text/event-stream"

    def __init__(self, events: Events) -> None:
        super().__init__(events.stream(), headers=self.HEADERS)
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.events.listening():
            await super().__call__(scope, receive, send)


def _subject(request: Request) -> str:
    return request.path_params["subject"]


def _report(content: str | bytes) -> Response:
    headers = {"Content-Security-Policy": REPORT, "Cache-Control": "no-store"}
    return Response(content, media_type=TYPES[".html"], headers=headers)


async def _said(request: Request, error: ToileError) -> Response:
    if isinstance(error, Problem):
        return problem.response(error.status, str(error), error.headers)
    return problem.response(422 if isinstance(error, Misuse) else 409, str(error))


async def _http(request: Request, error: HTTPException) -> Response:
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path[:80]!r}"
    elif error.status_code == 405:
        detail = f"{request.method[:20]} is not possible here: a store is only looked at"
    return problem.response(error.status_code, detail, dict(error.headers or {}))


async def _bug(request: Request, error: Exception) -> Response:
    """Starlette raises the error again afterwards, so that the server logs it where the operator looks."""
    return problem.response(500, "the server made a mistake; its log says which")


class _Ours:
    """ASGI application around another, whose answers no other origin gets: not by a script, an image, a frame or a form."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *OURS]
            await send(message)

        if (why := _foreign(dict(scope["headers"]), scope["path"])) is not None:
            return await problem.response(403, why)(scope, receive, say)
        return await self.app(scope, receive, say)


def _foreign(headers: dict[bytes, bytes], path: str) -> str | None:
    """Why a request comes from a page of another origin; None where it does not. Who follows a link to the page is let in."""
    site = headers.get(b"sec-fetch-site", b"none")
    followed = headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
    if site not in (b"none", b"same-origin") and not (followed and path == "/"):
        return "a page of another origin may not ask here"
    origin, host = headers.get(b"origin"), headers.get(b"host", b"")
    if origin is not None and origin.partition(b"://")[2] != host:
        return f"a page of the origin {origin[:80].decode('latin-1')!r} may not ask here"
    return None
