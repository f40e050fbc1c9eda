"""What stands before a twin's API: it writes down every call, and refuses what is more than its account may make.

Partners count in different ways and say no in different words; both are set over the control surface. In memory only.

    GET  /_twin/calls  [{"at", "ended_at", "method", "path", "status", "refused"}]  the newest `CALLS_MAX`, oldest first
    PUT  /_twin/gate   {"per_second", "burst", "at_once", "calls", "answer": {"status", "headers", "body"}}
"""

import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

CALLS_MAX = 20_000


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the partner says that it was too much."""

    status: int = 429
    headers: dict[str, str] = {}
    body: str = ""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the account may do; None means that nothing is counted. Each call that is over it gets `answer`."""

    per_second: float | None = None
    burst: float = 1.0
    """Calls that may come at once after a quiet time, where `per_second` is counted."""
    at_once: int | None = None
    calls: int | None = None
    """A quota: so many more calls are let through."""
    refuse: int = 0
    """So many more calls are refused, whatever else is allowed."""
    answer: Refusal = Refusal()


@dataclass(slots=True)
class Call:
    """One call as the partner saw it; `ended_at` is 0 while it is under way."""

    at: float
    ended_at: float
    method: str
    path: str
    status: int
    refused: bool


class Gate:
    """Open until told otherwise. Tokens are fetched through another door, as at every partner that we know."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=CALLS_MAX)
        self.set(Limits())

    def set(self, limits: Limits) -> None:
        self._limits, self._left, self._to_refuse = limits, limits.calls, limits.refuse
        self._tokens, self._filled_at, self._under_way = limits.burst, time.monotonic(), 0

    def _lets_through(self) -> bool:
        limits, now = self._limits, time.monotonic()
        if self._to_refuse > 0:
            self._to_refuse -= 1
            return False
        if limits.at_once is not None and self._under_way >= limits.at_once:
            return False
        if self._left is not None and self._left < 1:
            return False
        if limits.per_second is not None:
            self._tokens = min(limits.burst, self._tokens + (now - self._filled_at) * limits.per_second)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
        if self._left is not None:
            self._left -= 1
        return True

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The twin's middleware."""
        if request.path.startswith("/_twin/") or request.path.endswith("/token"):
            return await handler(request)
        call = Call(time.time(), 0.0, request.method, request.path, 0, refused=not self._lets_through())
        self._calls.append(call)
        self._under_way += 1
        try:
            answer = _said(self._limits.answer) if call.refused else await handler(request)
            call.status = answer.status
        except web.HTTPException as error:
            call.status = error.status
            raise
        finally:
            self._under_way -= 1
            call.ended_at = time.time()
        return answer

    def routes(self) -> list[web.RouteDef]:
        async def calls(_: web.Request) -> web.Response:
            return web.json_response([asdict(call) for call in self._calls])

        async def put_gate(request: web.Request) -> web.Response:
            try:
                self.set(msgspec.json.decode(await request.read(), type=Limits))
            except msgspec.ValidationError as error:
                raise web.HTTPUnprocessableEntity(text=str(error)) from None
            return web.json_response({})

        return [web.get("/_twin/calls", calls), web.put("/_twin/gate", put_gate)]


def _said(refusal: Refusal) -> web.Response:
    kind: dict[str, Any] = {} if "Content-Type" in refusal.headers else {"content_type": "application/json"}
    return web.Response(status=refusal.status, headers=refusal.headers, text=refusal.body, **kind)
