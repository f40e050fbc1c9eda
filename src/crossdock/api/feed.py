"""The feed: the hub's events in its own order, page by page from a cursor, for programs that follow."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import Request, Response, get

from crossdock.api.context import Context, context
from crossdock.api.orders import _seconds
from crossdock.api.problems import Problem
from crossdock.model.envelope import CloudEvent
from crossdock.model.registry import EVENTS, TYPE_PREFIX, short_type
from crossdock.store import feed
from crossdock.store.segments import current_segment

LIMIT_MAX: Final = 1000
SCANNED_MAX: Final = 5000
"""So many events are looked through for the wanted types before an answer is given, with a cursor that is further on."""
NEWEST_MAX: Final = 200
POLL_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 0.02
"""A wake-up comes at the commit; the row is readable once no older transaction is open."""


@get("/v1/feed", summary="Events in the hub's order, from a cursor on; waits for new ones if asked to")
async def read_feed(
    request: Request[Any, Any, Any], after: str = "beginning", limit: int = 100, types: str = "", wait: str = "0s"
) -> Response[bytes]:  # fmt: skip
    """`after`: a cursor, `beginning`, `now`, or `newest:N`. `cursor` of the answer is where to go on."""
    hub = context(request)
    hub.identify(request, "feed")
    if not 1 <= limit <= LIMIT_MAX:
        raise Problem(400, "bad-query", f"limit is 1 to {LIMIT_MAX}")
    wanted, seconds = _wanted(types), _seconds(wait)
    async with hub.reader.acquire() as connection:
        log = await feed.log_of(connection)
        place = await _start(connection, log, after)
    if after == "now" and not seconds:
        return _answer(log, [], place)
    rows, place = await _until_news(hub, log, place, (limit, wanted, seconds))
    return _answer(log, rows, place)


def _answer(log: feed.Log, rows: list[Any], place: feed.Place) -> Response[bytes]:
    body = {"events": [cloud_event(row) for row in rows], "cursor": log.cursor(place)}
    return Response(
        msgspec.json.encode(body), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def cloud_event(row: Any) -> CloudEvent:
    """Without the sealed part: nothing personal is in it."""
    return CloudEvent(
        specversion="1.0", id=row["event_id"], source=row["source"], type=TYPE_PREFIX + row["type"], subject=row["thread_key"],
        time=row["occurred_at"], recordedtime=row["recorded_at"], data=msgspec.Raw(row["data"]),
        sequence="" if row["sequence"] is None else str(row["sequence"]), causationid=row["cause"] or "",
        traceparent=row["traceparent"] or "",
    )  # fmt: skip


def _wanted(types: str) -> frozenset[str]:
    """Types with or without their prefix; empty is all."""
    wanted = frozenset(short_type(one.strip()) for one in types.split(",") if one.strip())
    unknown = sorted(wanted - set(EVENTS))
    if unknown:
        raise Problem(
            400, "bad-query", f"types: there is no event {unknown[0]}; see docs/reference/events.md"
        )
    return wanted


async def _start(connection: Any, log: feed.Log, after: str) -> feed.Place:
    if after in ("", "beginning"):
        return feed.BEGINNING
    if after == "now":
        return await feed.tip(connection, current_segment())
    if after.startswith("newest:"):
        count = after.removeprefix("newest:")
        if not count.isdecimal() or not 1 <= int(count) <= NEWEST_MAX:
            raise Problem(400, "bad-query", f"after=newest:N takes N from 1 to {NEWEST_MAX}")
        return await feed.before_newest(connection, log, int(count))
    try:
        return log.place(after)
    except feed.UnknownCursor as error:
        if error.garbage:
            raise Problem(400, "bad-cursor", f"{error}: send back what an answer gave as cursor") from None
        remedy = "begin again with after=beginning, or with after=now and a comparison of what you hold"
        raise Problem(409, "unknown-generation", f"{error}; {remedy}") from None


async def _until_news(
    hub: Context, log: feed.Log, place: feed.Place, asked: tuple[int, frozenset[str], float]
) -> tuple[list[Any], feed.Place]:
    """`asked`: limit, types, seconds to wait. An empty answer still moves the cursor past what was not wanted."""
    limit, wanted, seconds = asked
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        news = hub.news
        rows, place, whole = await _look(hub, log, place, limit, wanted)
        left = end - loop.time()
        if rows or not whole or left <= 0 or hub.ending:
            return rows, place
        try:
            async with asyncio.timeout(min(left, POLL_SECONDS)):
                await news.wait()
            await asyncio.sleep(SETTLE_SECONDS)
        except TimeoutError:
            continue


async def _look(
    hub: Context, log: feed.Log, place: feed.Place, limit: int, wanted: frozenset[str]
) -> tuple[list[Any], feed.Place, bool]:
    """What is there, as far as one request looks; True where nothing more was to be seen."""
    found: list[Any] = []
    scanned = 0
    while scanned < SCANNED_MAX:
        async with hub.reader.acquire() as connection:
            rows, place = await feed.read(
                connection, place, log, limit - len(found) if not wanted else LIMIT_MAX
            )
        if not rows:
            return found, place, True
        scanned += len(rows)
        for row in rows:
            if not wanted or row["type"] in wanted:
                found.append(row)
                if len(found) == limit:
                    return found, feed.place_of(row), False
    return found, place, False
