"""Lots and pieces over HTTP: where they are and in which parcels they left; recalling a lot, and lifting a recall."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.runtime.wake import LOG
from crossdock.store import access, recall
from crossdock.views import recall as view

LOT_LENGTH_MAX = 100
REASON_MAX = 500
PIECES_MAX = 100


class Asked(msgspec.Struct):
    """Which lot, and why."""

    lot: str
    reason: str


@get("/v1/stock/lots/{item:str}", summary="Where a lot is, and in which parcels of which orders it left")
async def read_lot(
    request: Request[Any, Any, Any], item: str, lot: str = "", after: str = ""
) -> Response[bytes]:
    """`lot` is needed. `next` of the answer is the `after` of the page after it."""
    hub = context(request)
    hub.identify(request, "read")
    _named(lot)
    async with hub.reader.acquire() as connection:
        try:
            found = await view.trace(connection, item, lot, after)
        except ValueError:
            raise Problem(400, "bad-query", "after is the `next` of the page before") from None
    if found is None:
        raise Problem(404, "no-such-stock", f"no place ever held {item}")
    return Response(
        msgspec.json.encode(found), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


@get("/v1/stock/serials/{item:str}", summary="Where single pieces are, and in which parcels they left")
async def read_pieces(request: Request[Any, Any, Any], item: str) -> Response[bytes]:
    """`serial`, once for each piece."""
    hub = context(request)
    hub.identify(request, "read")
    serials = list(dict.fromkeys(request.query_params.getall("serial", [])))
    if not 0 < len(serials) <= PIECES_MAX or any("\0" in x for x in serials):
        raise Problem(400, "bad-query", f"name the pieces: serial=…, at most {PIECES_MAX} of them")
    async with hub.reader.acquire() as connection:
        found = await view.trace_pieces(connection, item, serials)
    return _done({"item": item, "pieces": found}, 200)


@post(
    "/v1/stock/lots/{item:str}/recall",
    status_code=202,
    summary="Recall a lot: nothing of it is for sale from now on, and whoever counted on it hears of it",
)
async def recall_lot(request: Request[Any, Any, Any], item: str) -> Response[bytes]:
    """Asked again, it tells again whoever has goods of the lot by now."""
    hub = context(request)
    who = hub.identify(request, "operator")
    asked = await _asked(request)
    async with hub.pool.acquire() as connection:
        await recall.place(connection, item, asked.lot, asked.reason, who.name)
        told = await recall.tell(connection, item, asked.lot)
        await access.note_action(
            connection, who.name, "recall", f"lot {asked.lot} of {item}", asked.reason, told=told
        )
    hub.waker.ring(LOG)
    return _done({"item": item, "lot": asked.lot, "told": told}, 202)


@post("/v1/stock/lots/{item:str}/lift", status_code=202, summary="Lift the recall of a lot")
async def lift_recall(request: Request[Any, Any, Any], item: str) -> Response[bytes]:
    """What is held stays held until it is released."""
    hub = context(request)
    who = hub.identify(request, "operator")
    asked = await _asked(request)
    async with hub.pool.acquire() as connection:
        if not await recall.lift(connection, item, asked.lot, asked.reason, who.name):
            raise Problem(404, "no-such-recall", f"lot {asked.lot} of {item} is not recalled")
        await access.note_action(
            connection, who.name, "lift recall", f"lot {asked.lot} of {item}", asked.reason
        )
    hub.waker.ring(LOG)
    return _done({"item": item, "lot": asked.lot}, 202)


async def _asked(request: Request[Any, Any, Any]) -> Asked:
    try:
        asked = read(Asked, await request.body())
    except (Malformed, Rejected):
        raise Problem(400, "bad-query", 'send {"lot": "…", "reason": "…"}') from None
    _named(asked.lot)
    if not asked.reason.strip():
        raise Problem(400, "reason-missing", "a reason is needed: it stands in every case and entry")
    return Asked(asked.lot, asked.reason.strip()[:REASON_MAX])


def _named(lot: str) -> None:
    if not lot or len(lot) > LOT_LENGTH_MAX or any(c in lot for c in "\t\n\0"):
        raise Problem(400, "bad-query", "name the lot")


def _done(body: dict[str, Any], status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")
