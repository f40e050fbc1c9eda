"""Stock over HTTP: numbers by place with what they mean, as of an instant, and the entries behind them."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.processes.routing import below_zero, consigned, owner_of, serving, sold_of_others
from crossdock.views import promise
from crossdock.views import stock as view


@get(
    "/v1/stock/{item:str}",
    summary="Stock of an item by place, with what it adds up to, now or as of an instant",
)
async def read_stock(
    request: Request[Any, Any, Any], item: str, at: str = "", known_at: str = ""
) -> Response[bytes]:  # fmt: skip
    """`at`: what had happened by then, late facts included. `known_at`: only what was recorded by then."""
    hub = context(request)
    hub.identify(request, "read")
    policy = hub.hub.policy
    async with hub.reader.acquire() as connection:
        try:
            found = await view.read_stock(
                connection, item, _instant("at", at), _instant("known_at", known_at), below_zero(policy.routing),
                sold_of_others(policy.routing, policy.location),
            )  # fmt: skip
        except view.TooOld as error:
            raise Problem(410, "too-old", f"{error}: ask for a later instant") from None
    if found is None:
        raise _unknown(item)
    return Response(
        msgspec.json.encode(found), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


@get("/v1/stock/entries/{item:str}", summary="The entries behind an item's numbers, newest first")
async def list_entries(
    request: Request[Any, Any, Any], item: str, before: int = 0, limit: int = 100
) -> Response[bytes]:  # fmt: skip
    """Narrowed by `location`, `lot`, `owner` and `bucket`. `next` of the answer is the `before` of the page after it."""
    hub = context(request)
    hub.identify(request, "read")
    asked = request.query_params
    narrowing = view.Narrowing(
        asked.get("location"), asked.get("lot"), asked.get("owner"), asked.get("bucket", "")
    )
    async with hub.reader.acquire() as connection:
        entries = await view.read_entries(connection, item, before, limit, narrowing)
    if entries is None:
        raise _unknown(item)
    whole = len(entries) < max(1, min(limit, view.ENTRIES_MAX))
    body = {"item": item, "entries": entries, "next": None if whole else entries[-1].id}
    return Response(msgspec.json.encode(body), media_type="application/json")


@get("/v1/promise/{item:str}", summary="What of an item can be promised on a channel for a day, term by term")
async def read_promise(
    request: Request[Any, Any, Any], item: str, channel: str = "", on: str = ""
) -> Response[bytes]:  # fmt: skip
    """`channel`: one of `roles.channels`, the first where none is given. `on`: the day, today where none is given."""
    hub = context(request)
    hub.identify(request, "read")
    policy = hub.hub.policy
    name = channel or (policy.channels[0] if policy.channels else "")
    if name not in policy.channels:
        known = ", ".join(policy.channels) or "none"
        raise Problem(404, "not-found", f"{name or 'nothing'} is no channel; roles.channels names {known}")
    nodes = serving(policy.routing, name, policy.location)
    async with hub.reader.acquire() as connection:
        goods = promise.Goods(nodes, owner_of(policy.routing, name), consigned(policy.routing))
        found = await promise.read_promise(connection, item, name, goods, _day(on))
    if found is None:
        raise _unknown(item)
    return Response(
        msgspec.json.encode(found), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if text else datetime.now(UTC).date()
    except ValueError:
        raise Problem(400, "bad-query", "on is a day, as 2026-12-01") from None


def _unknown(item: str) -> Problem:
    return Problem(404, "no-such-stock", f"no place ever held {item}")


def _instant(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Problem(400, "bad-query", f"{name} is an instant with its offset, as 2026-11-26T08:00:00Z")
    return found
