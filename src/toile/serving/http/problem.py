"""What a client is told when something is wrong: a problem as JSON (RFC 9457), never a traceback."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from toile.errors import ToileError

if TYPE_CHECKING:
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(ToileError):
    """A request that cannot be answered, with its HTTP status. The message says what, what was got and what is allowed.

    Args:
        status: 4xx, the client can mend it; 503, the system gives the server too little.
        detail: for a person.
        headers: of the answer, such as `Retry-After`.
    """

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers or {}


def document(status: int, detail: str) -> bytes:
    """The JSON of a problem."""
    title = HTTPStatus(status).phrase
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()


def response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The answer that carries a problem."""
    # What asks whether Starlette is there imports this file.
    from starlette.responses import Response

    return Response(document(status, detail), status, headers, MEDIA_TYPE)
