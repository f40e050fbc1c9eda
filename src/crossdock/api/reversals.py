"""A person wants the goods issues of a shipment reversed; where policy says so, a second person must want it as well."""

from datetime import date
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Request, Response, post

from crossdock.access.tokens import Identity
from crossdock.api.actions import REASON_MAX, _say
from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.model.envelope import NewEvent
from crossdock.model.shipment import GoodsIssueReversalRequested
from crossdock.processes import order_reversal, shipment_reversal
from crossdock.processes.order_state import State as Order
from crossdock.processes.shipment_state import State as Shipment
from crossdock.processes.shipment_state import by_order
from crossdock.store import access
from crossdock.views.threads import states


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """`never_left`: the departure was told and did not happen. `posting_on`: the day of the reversal, today by default."""

    reason: str = ""
    never_left: bool = False
    posting_on: date | None = None


@post(
    "/v1/shipments/reverse-goods-issue/{shipment:path}",
    status_code=202,
    summary="Reverse the goods issues of a shipment; by policy, once a second person asks for it too",
)
async def reverse_goods_issue(request: Request[Any, Any, Any], shipment: str) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    try:
        asked = read(Asked, await request.body() or b"{}")
    except (Malformed, Rejected) as error:
        raise Problem(400, "bad-query", f"the body: {error}") from None
    if not asked.reason.strip():
        raise Problem(400, "reason-missing", "say why: it stands in the story afterwards")
    key = f"shipment/{shipment.strip('/')}"
    state = await _reversible(hub, key, asked)
    wish = GoodsIssueReversalRequested(
        who.name, asked.reason.strip()[:REASON_MAX], asked.never_left, asked.posting_on
    )  # fmt: skip
    waits = _waits(hub, state, who, wish)
    await _say(hub, who.id, [NewEvent(thread=key, data=wish, id=uuid4().hex)])
    async with hub.pool.acquire() as connection:
        what = "ask to reverse goods issue" if waits else "reverse goods issue"
        await access.note_action(connection, who.name, what, key, wish.reason, never_left=wish.never_left)
    body = {"shipment": key.partition("/")[2], "state": "asked" if waits else "to be reversed"}
    return Response(msgspec.json.encode(body), status_code=202, media_type="application/json")


async def _reversible(hub: Context, key: str, asked: Asked) -> Shipment:
    """Raises a problem that says what stands in the way, of the shipment or of one of its orders."""
    async with hub.reader.acquire() as connection:
        state = (await states(connection, [key])).get(key)
        if not isinstance(state, Shipment) or not state.shipment:
            raise Problem(
                404, "no-such-shipment", f"nobody has packed {key}: name it as wms-1/S-77, as find does"
            )
        orders = await states(connection, [f"order/{x}" for x in by_order(state.packages)])
    why = shipment_reversal.obstacle(state, never_left=asked.never_left)
    for order in orders.values():
        if isinstance(order, Order):
            why = why or order_reversal.obstacle(order, state.shipment, never_left=asked.never_left)
    if why:
        raise Problem(409, "nothing-to-reverse", why)
    return state


def _waits(hub: Context, state: Shipment, who: Identity, wish: GoodsIssueReversalRequested) -> bool:
    """Whether a second person must ask as well. Raises 403 for the first one who asks again."""
    if shipment_reversal.differs(state, wish):
        return True
    waits = shipment_reversal.needs_second(state, f"operator/{who.id}", who.name, hub.hub.policy)
    if waits and state.reversal is not None:
        detail = f"{state.reversal.by} asked for it: somebody else must ask for the same, with a token of their own"
        raise Problem(403, "two-people", detail)
    return waits
