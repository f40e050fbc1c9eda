"""Orders that changed: Amazon's list, gathered whole and put in order of change, then read order by order with its items.

The list has no promised order, and a page of it may hold more orders than the items' plan allows to read at once:
so a reading gathers first, and hands out as many orders at a time as the plan has calls to spare.
"""

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final

import msgspec

from crossdock.connect.contract import Ask, Inbound, Page, RetryLater, Row
from crossdock.connect.reading import parse, read
from crossdock.connectors.amazon_marketplace.mapping import CHANNEL, OPEN
from crossdock.connectors.amazon_marketplace.reading import instant
from crossdock.connectors.amazon_marketplace.talk import ORDERS_PATH, Ended, Request, Talk
from crossdock.errors import Rejected

PAGE_ORDERS: Final = 100
ROWS_MAX: Final = 10
"""Orders handed out at a time."""
ITEM_PAGES_MAX: Final = 20
GATHERED_MAX: Final = 2000
"""Orders of one reading; what is listed beyond is read by the next."""
KEPT_MAX: Final = 1000
NAP_SECONDS: Final = 5.0
"""The most that a reading sleeps for its plan before it gives way to others."""


class _Gathering(msgspec.Struct, frozen=True):
    """Where a reading stands. `start` is over once the first page came; `token` leads to the next page of the list."""

    start: bool = True
    token: str = ""
    orders: tuple[msgspec.Raw, ...] = ()


class _Orders(msgspec.Struct, frozen=True, rename="pascal"):
    orders: tuple[msgspec.Raw, ...] = ()
    next_token: str = ""


class _OrdersAnswer(msgspec.Struct, frozen=True):
    payload: _Orders


class _Items(msgspec.Struct, frozen=True, rename="pascal"):
    order_items: tuple[msgspec.Raw, ...] = ()
    next_token: str = ""


class _ItemsAnswer(msgspec.Struct, frozen=True):
    payload: _Items


class _Summary(msgspec.Struct, frozen=True, rename="pascal"):
    amazon_order_id: str = ""
    last_update_date: str = ""
    order_status: str = ""


class _Document(msgspec.Struct, frozen=True, rename="pascal"):
    order: msgspec.Raw
    order_items: tuple[msgspec.Raw, ...] = ()


class _Documents(msgspec.Struct, frozen=True):
    documents: tuple[msgspec.Raw, ...] = ()


class _Dated(msgspec.Struct, frozen=True, rename="pascal"):
    last_update_date: str | None = None


class _DatedDocument(msgspec.Struct, frozen=True, rename="pascal"):
    order: _Dated


def rows(_: str, body: bytes, received_at: datetime) -> tuple[Row, ...]:
    """Each order of a page as a message of its own. Raises `Malformed` or `Rejected`."""
    found = []
    for place, raw in enumerate(read(_Documents, body).documents):
        if not isinstance(parse(bytes(raw)), dict):
            raise Rejected(f"/documents/{place}", "not an order")
        dated = read(_DatedDocument, bytes(raw)).order.last_update_date
        changed_at = instant(dated, f"/documents/{place}/Order/LastUpdateDate")
        message = Inbound(channel=CHANNEL, headers={}, body=bytes(raw), received_at=received_at)
        found.append(Row(message=message, changed_at=changed_at))
    return tuple(found)


class Listing:
    """Keeps what it read lately: readings overlap, and an order's items cost a call of a scarce plan."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], msgspec.Raw] = OrderedDict()

    async def changed(self, ask: Ask, marketplace: str, talk: Talk) -> Page:
        """The next part of a reading; one without orders where there is still something to wait for."""
        at = msgspec.json.decode(ask.page, type=_Gathering) if ask.page else _Gathering()
        try:
            if at.start or at.token:
                return _page((), await _gather(at, ask, marketplace, talk))
            return await self._hand_out(at.orders, talk)
        except Ended as ended:
            outcome = ended.outcome
            if not (isinstance(outcome, RetryLater) and outcome.throttled):
                raise
            # Not an answer to the account: one operation's plan must not hold up all others.
            await asyncio.sleep(max(0.0, min(NAP_SECONDS, outcome.after_seconds or 0.0, talk.left_seconds)))
            return _page((), at)

    async def _hand_out(self, orders: tuple[msgspec.Raw, ...], talk: Talk) -> Page:
        """As many orders as may be read now, at least one."""
        found: list[msgspec.Raw] = []
        for raw in orders[:ROWS_MAX]:
            try:
                found.append(await self._document(raw, talk, patient=not found))
            except Ended:
                if not found:
                    raise
                break
        return _page(tuple(found), _Gathering(start=False, orders=orders[len(found) :]))

    async def _document(self, raw: msgspec.Raw, talk: Talk, *, patient: bool) -> msgspec.Raw:
        """An order with its items; only one that is to be shipped is worth the call."""
        summary = _summary(raw)
        key = (summary.amazon_order_id, summary.last_update_date)
        if key in self._kept:
            return self._kept[key]
        items: tuple[msgspec.Raw, ...] = ()
        if summary.order_status == OPEN:
            items = await items_of(summary.amazon_order_id, talk, patient=patient)
        document = msgspec.Raw(msgspec.json.encode(_Document(raw, items)))
        self._kept[key] = document
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return document


def _page(documents: tuple[msgspec.Raw, ...], at: _Gathering) -> Page:
    body = msgspec.json.encode(_Documents(documents))
    goes_on = at.start or at.token or at.orders
    return Page(body=body, next=msgspec.json.encode(at).decode() if goes_on else "")


async def _gather(at: _Gathering, ask: Ask, marketplace: str, talk: Talk) -> _Gathering:
    """One page more of the list; with the last one, all of it in the order of change."""
    since = ask.since.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    query = (
        ("MarketplaceIds", marketplace),
        ("FulfillmentChannels", "MFN"),
        ("MaxResultsPerPage", str(PAGE_ORDERS)),
        ("LastUpdatedAfter", since),
        *((("NextToken", at.token),) if at.token else ()),
    )
    request = Request(operation="getOrders", method="GET", path=ORDERS_PATH, query=query, personal=True)
    told = (await talk.ask(_OrdersAnswer, request)).payload
    gathered = (*at.orders, *told.orders)
    if told.next_token and len(gathered) < GATHERED_MAX:
        return _Gathering(start=False, token=told.next_token, orders=gathered)
    return _Gathering(start=False, orders=tuple(sorted(gathered, key=_changed_at)))


def _changed_at(raw: msgspec.Raw) -> datetime:
    try:
        return instant(_summary(raw).last_update_date, "/LastUpdateDate")
    except Rejected as error:
        raise Ended(RetryLater(reason=f"a list that cannot be read: {error}")) from None


def _summary(raw: msgspec.Raw) -> _Summary:
    try:
        return msgspec.json.decode(raw, type=_Summary)
    except msgspec.ValidationError as error:
        raise Ended(RetryLater(reason=f"a list that cannot be read: {error}")) from None


async def items_of(order: str, talk: Talk, *, patient: bool = True) -> tuple[msgspec.Raw, ...]:
    """All items of one order. Who is not patient takes calls that are free now, and waits for none."""
    found: tuple[msgspec.Raw, ...] = ()
    token = ""
    for _ in range(ITEM_PAGES_MAX):
        if not patient and not talk.spare("getOrderItems"):
            raise Ended(RetryLater(reason="no call to spare", throttled=True))
        path = f"{ORDERS_PATH}/{order}/orderItems"
        query = (("NextToken", token),) if token else ()
        request = Request(operation="getOrderItems", method="GET", path=path, query=query)
        told = (await talk.ask(_ItemsAnswer, request)).payload
        found += told.order_items
        token = told.next_token
        if not token:
            return found
    raise Ended(RetryLater(reason=f"order {order} has more than {ITEM_PAGES_MAX} pages of items"))
