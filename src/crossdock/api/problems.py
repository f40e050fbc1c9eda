"""Errors as `application/problem+json` (RFC 9457): stable code, a place, a remedy, never a stack trace."""

from typing import Any
from uuid import uuid4

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

TYPE_BASE = "https://crossdock.example/problems/"
_log = structlog.get_logger()


class Problem(Exception):
    """Raised by handlers; `errors` name places as JSON Pointers, `kept_as` finds what was kept in spite of it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: tuple[dict[str, str], ...] = (),
        retry_after: int = 0,
        kept_as: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after
        self.kept_as = kept_as
        self.trace_id = uuid4().hex


def respond(problem: Problem) -> Response[bytes]:
    """The answer a client sees."""
    body: dict[str, Any] = {
        "type": TYPE_BASE + problem.code, "title": problem.code.replace("-", " "), "status": problem.status,
        "code": problem.code, "detail": problem.detail, "retryable": problem.status in (408, 429, 503),
        "trace_id": problem.trace_id,
    }  # fmt: skip
    if problem.errors:
        body["errors"] = problem.errors
    if problem.kept_as:
        body["id"] = problem.kept_as
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after else {}
    return Response(
        msgspec.json.encode(body),
        status_code=problem.status,
        media_type="application/problem+json",
        headers=headers,
    )


def on_problem(_: Request[Any, Any, Any], error: Problem) -> Response[bytes]:
    return respond(error)


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals (404, 405, 413 …) in the same form."""
    codes = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    detail = "the body is larger than this hub accepts" if error.status_code == 413 else str(error.detail)
    return respond(Problem(error.status_code, codes.get(error.status_code, "http-error"), detail))


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A bug: logged with its trace, told without it."""
    problem = Problem(500, "internal-error", "the hub has a fault here; the trace_id finds it in its log")
    _log.exception("request_failed", path=request.url.path, trace_id=problem.trace_id, exc_info=error)
    return respond(problem)


PLAIN = MediaType.TEXT
