"""Orders that changed, page by page, from the REST Admin API: its order is the webhooks' own document.

GraphQL would give the same orders in other words, and with them a second mapping that could differ from the first.
"""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from crossdock.connect.contract import Account, Ask, Inbound, Page, Refused, RetryLater, Row, Unknown
from crossdock.connect.reading import parse, read
from crossdock.connect.transport import NoAnswer, NotSent, Transport
from crossdock.connectors.shopify.answers import Ended, http_outcome
from crossdock.connectors.shopify.queries import API_VERSION
from crossdock.errors import Rejected

CHANNEL: Final = "webhooks"
TOPIC: Final = "orders/updated"
PAGE_ROWS: Final = 50
"""Shopify allows 250; fewer keep an answer with long orders below what is read of one."""
_NEXT: Final = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class _Orders(msgspec.Struct, frozen=True):
    orders: tuple[msgspec.Raw, ...]


def rows(_: str, body: bytes, received_at: datetime) -> tuple[Row, ...]:
    """Each order of a page as the `orders/updated` that would have told of it. Raises `Malformed` or `Rejected`."""
    found = []
    for place, raw in enumerate(read(_Orders, body).orders):
        document = parse(bytes(raw))
        told = document.get("updated_at") if isinstance(document, dict) else None
        try:
            changed_at = datetime.fromisoformat(told or "")
        except (TypeError, ValueError):
            raise Rejected(f"/orders/{place}/updated_at", "not a time") from None
        if changed_at.tzinfo is None:
            raise Rejected(f"/orders/{place}/updated_at", "a time without offset")
        message = Inbound(
            channel=CHANNEL, headers={"x-shopify-topic": TOPIC}, body=bytes(raw), received_at=received_at
        )
        found.append(Row(message=message, changed_at=changed_at))
    return tuple(found)


async def changed(ask: Ask, account: Account, transport: Transport) -> Page | Refused | RetryLater:
    """One page. Its `Link` header names the next by a cursor, which allows no other condition beside it."""
    since = ask.since.astimezone(UTC).replace(microsecond=0).isoformat()
    query = (
        f"limit={PAGE_ROWS}&page_info={quote(ask.page, safe='')}"
        if ask.page
        else f"status=any&order={quote('updated_at asc')}&limit={PAGE_ROWS}&updated_at_min={quote(since, safe='')}"
    )
    url = f"{account.base_url.rstrip('/')}/admin/api/{API_VERSION}/orders.json?{query}"
    headers = {"x-shopify-access-token": account.secrets["access_token"], "accept": "application/json"}
    try:
        answer = await transport.request("GET", url, headers=headers, timeout_seconds=ask.timeout_seconds)
        if answer.status != 200:
            raise Ended(http_outcome(answer, writes=False))
    except (NotSent, NoAnswer) as error:
        return RetryLater(reason=str(error))
    except Ended as ended:
        outcome = ended.outcome
        return RetryLater(reason=outcome.reason) if isinstance(outcome, Unknown) else outcome
    return Page(body=answer.body, next=_cursor(answer.headers.get("link", "")))


def _cursor(link: str) -> str:
    found = _NEXT.search(link)
    return parse_qs(urlsplit(found[1]).query).get("page_info", [""])[0] if found else ""
