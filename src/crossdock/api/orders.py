"""Orders with an answer: `POST /v1/orders?wait=5s` appends, waits for the decision, and answers with it."""

import asyncio
import re
from typing import Any

import msgspec
from litestar import Request, Response, post

from crossdock.api.context import Context, context
from crossdock.api.events import _admit, _submit
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.model.envelope import NewEvent
from crossdock.model.order import OrderReceived
from crossdock.model.thread import hash16, order_thread
from crossdock.runtime.intake import Raw, subject_named
from crossdock.store.pool import LOST

WAIT_MAX_SECONDS = 30.0
LOOK_SECONDS = 0.04
UNDECIDED = ("new", "checking", "claiming")
_WAIT = re.compile(r"^(\d{1,6})(ms|s)?$")


@post("/v1/orders", summary="Take an order and wait for its decision")
async def take_order(request: Request[Any, Any, Any], wait: str = "0s") -> Response[bytes]:
    """200 with the decision, or 202 with a link when it takes longer than `wait`."""
    hub = context(request)
    who = hub.identify(request, "events")
    _admit(hub, who.id)
    seconds = _seconds(wait)
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise Problem(
            400, "idempotency-key-missing", "send an Idempotency-Key header: a repeat must not order twice"
        )
    body = await request.body()
    order = _order(body)
    thread = order_thread(order.channel, order.reference.partition("/")[2])
    source_id = f"order-api/{who.id}/{key[:200]}"
    event = NewEvent(thread=thread, data=order, id=source_id)
    kept = hub.intake.keep(Raw(system=who.name, channel="orders", body=body, subject=subject_named(event)))
    item = hub.intake.item(order.channel, source_id, (event,), content=kept.content, kept=kept)
    await _submit(hub, [item])
    if item.verdict == "different":
        raise Problem(422, "idempotency-key-reused", "this Idempotency-Key came with another order before")
    return await _decision(hub, thread, seconds)


def _seconds(wait: str) -> float:
    found = _WAIT.match(wait)
    if not found:
        raise Problem(400, "bad-wait", "wait is a number with ms or s, e.g. 5s")
    return min(WAIT_MAX_SECONDS, int(found[1]) / (1000 if found[2] == "ms" else 1))


def _order(body: bytes) -> OrderReceived:
    try:
        order = read(OrderReceived, body)
    except Malformed as error:
        raise Problem(
            400, "malformed", str(error), errors=({"pointer": error.at, "detail": error.reason},)
        ) from None
    except Rejected as error:
        raise Problem(
            422, "invalid-order", str(error), errors=({"pointer": error.path, "detail": error.reason},)
        ) from None
    wrong = next((n for n, x in enumerate(order.lines) if x.ordered.value <= 0), None)
    if wrong is not None:
        place = {"pointer": f"/lines/{wrong}/ordered/value", "detail": "must be above 0"}
        raise Problem(422, "invalid-order", "a line orders nothing", errors=(place,))
    if not order.lines or not order.reference.startswith(f"{order.channel}/"):
        where = "/lines" if not order.lines else "/reference"
        detail = "no lines" if not order.lines else f"must begin with '{order.channel}/'"
        raise Problem(422, "invalid-order", detail, errors=({"pointer": where, "detail": detail},))
    return order


async def _decision(hub: Context, thread: str, seconds: float) -> Response[bytes]:
    """Look at the thread's phase until it is decided or time is up."""
    end = asyncio.get_running_loop().time() + seconds
    row: Any = None
    while True:
        try:
            row = await hub.reader.fetchrow(
                "select phase, waiting_on, waiting_since, updated_at from thread_state where thread = $1",
                hash16(thread),
            )
        except LOST:
            row = None
        if row is not None and row["phase"] not in UNDECIDED:
            break
        if asyncio.get_running_loop().time() >= end:
            row = None
            break
        await asyncio.sleep(LOOK_SECONDS)
    link = f"/v1/threads/story/{thread}"
    if row is None:
        body = {"thread": thread, "decision": "pending", "story": link}
        return Response(
            msgspec.json.encode(body),
            status_code=202,
            media_type="application/json",
            headers={"Location": link},
        )
    body = {
        "thread": thread, "decision": row["phase"], "waiting_on": row["waiting_on"], "as_of": row["updated_at"], "story": link,
    }  # fmt: skip
    return Response(
        msgspec.json.encode(body), status_code=200, media_type="application/json", headers={"Location": link}
    )
