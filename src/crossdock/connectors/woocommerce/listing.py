"""Orders that changed, page by page, and webhooks that the shop switched off.

Pages follow the time of change, not page numbers: an order that changes meanwhile moves to the end, and whatever
stood behind it would move up over the border of a numbered page unseen.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from crossdock.connect.contract import Ask, Inbound, Page, Row
from crossdock.connect.reading import parse
from crossdock.connectors.woocommerce.mapping import DRAFTS
from crossdock.connectors.woocommerce.talk import Talk
from crossdock.errors import Rejected

CHANNEL: Final = "webhooks"
TOPIC: Final = "order.updated"
PAGE_ROWS: Final = 50
"""The shop allows 100; half of that keeps an answer with long orders below what is read of one."""
WEBHOOKS_MAX: Final = 100


class Webhook(msgspec.Struct, frozen=True):
    """What we read of a webhook's settings."""

    id: int
    topic: str = ""
    delivery_url: str = ""


class _Changed(msgspec.Struct, frozen=True):
    date_modified_gmt: str = ""


def rows(_: str, body: bytes, received_at: datetime) -> tuple[Row, ...]:
    """Each order of a page as the `order.updated` that would have told of it. Raises `Malformed` or `Rejected`."""
    documents = parse(body)
    if not isinstance(documents, list):
        raise Rejected("/", "not a list of orders")
    found = []
    for place, raw in enumerate(msgspec.json.decode(body, type=list[msgspec.Raw])):
        document = documents[place]
        if not isinstance(document, dict):
            raise Rejected(f"/{place}", "not an order")
        if document.get("status") in DRAFTS:
            continue  # the shop's webhooks are silent on them
        message = Inbound(
            channel=CHANNEL, headers={"x-wc-webhook-topic": TOPIC}, body=bytes(raw), received_at=received_at
        )
        found.append(Row(message=message, changed_at=_changed_at(document, place)))
    return tuple(found)


def _changed_at(document: dict[str, Any], place: int) -> datetime:
    try:
        return datetime.fromisoformat(document["date_modified_gmt"]).replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError):
        raise Rejected(f"/{place}/date_modified_gmt", "not a time of the form 2026-01-15T12:00:00") from None


async def changed(ask: Ask, talk: Talk) -> Page:
    """One page, and where to go on: at the second of its last order, since more may have changed within it."""
    after, number = _place(ask)
    path = (
        f"orders?status=any&orderby=modified&order=asc&dates_are_gmt=true&per_page={PAGE_ROWS}&page={number}"
        f"&modified_after={quote(after.isoformat(timespec='seconds'), safe='')}"
    )
    body = await talk.get_raw(path)
    found = talk.shaped(list[_Changed], body)
    if len(found) < PAGE_ROWS:
        return Page(body=body)
    last = datetime.fromisoformat(found[-1].date_modified_gmt)
    going_on = last - timedelta(seconds=1)
    if going_on > after:
        return Page(body=body, next=f"{going_on.isoformat()} 1")
    return Page(body=body, next=f"{after.isoformat()} {number + 1}")  # a whole page within one second


def _place(ask: Ask) -> tuple[datetime, int]:
    """(exclusive bound in UTC without offset, page number)."""
    if ask.page:
        after, _, number = ask.page.partition(" ")
        return datetime.fromisoformat(after), int(number)
    since = ask.since.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return since - timedelta(seconds=1), 1


async def revive(account: str, talk: Talk) -> str:
    """Set the disabled webhooks that lead to this account's channel active again."""
    found = await talk.get(list[Webhook], f"webhooks?status=disabled&per_page={WEBHOOKS_MAX}")
    ours = [x for x in found if urlsplit(x.delivery_url).path.endswith(f"/v1/in/{account}/{CHANNEL}")]
    for webhook in ours:
        await talk.put(Webhook, f"webhooks/{webhook.id}", {"status": "active"})
    return ", ".join(f"{x.topic or 'webhook'} ({x.id})" for x in ours)
