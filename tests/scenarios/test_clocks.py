"""What does not arrive: partners that keep silent, and the case that each clock opens in time and closes by itself."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually
from scenarios.conftest import trading
from scenarios.group import Group

MINUTES = {
    "acknowledgement_minutes": 2, "label_minutes": 2, "first_scan_minutes": 3, "goods_issue_minutes": 2, "delivery_minutes": 4,
    "transit_minutes": 5, "freight_bill_minutes": 8,
}  # fmt: skip
"""Of a business clock that runs twenty times as fast: two minutes are six seconds."""


def _never_rests(routing: dict[str, Any]) -> None:
    """Whatever the time of day at which the tests run."""
    for node in routing["nodes"].values():
        node.pop("calendar", None)
        node.pop("cut_offs", None)


@pytest.fixture(scope="module")
def watched_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    with trading(tmp_path_factory.mktemp("clocks"), _never_rests, {"clocks": MINUTES}) as made:
        yield made


@pytest.fixture
async def watched(watched_hub: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    hub, twins = watched_hub
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Group(Api(hub, session), twins)
        yield made
        await made.calm()


BUYER = {
    "name": "Toni Muster", "lines": ["Probeweg 1"], "city": "Berlin", "postal_code": "10115", "country": "DE",
    "email": "toni@example.com", "phone": "+49305550100",
}  # fmt: skip


async def promised(group: Group, days: int) -> str:
    """An order that a program takes, for a promised day."""
    reference = f"shopify-eu/P-{uuid4().hex[:8]}"
    day = datetime.now(UTC).date() + timedelta(days=days)
    body = {
        "number": reference, "reference": reference, "channel": "shopify-eu", "total": {"amount": "10.00", "currency": "EUR"},
        "lines": [{"line": "1", "item": "OVER-1", "ordered": {"value": "1"}, "unit_price": {"amount": "10.00", "currency": "EUR"}}],
        "destination": {"country": "DE"}, "promised_on": day.isoformat(),
        "people": {"buyer": BUYER, "ship_to": BUYER}, "subject": "customer/shopify-eu/toni",
    }  # fmt: skip
    event: dict[str, Any] = {
        "specversion": "1.0", "id": uuid4().hex, "source": "shopify-eu", "type": "crossdock.logistics.order.received.v1",
        "subject": f"order/{reference}", "data": body,
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body
    return reference


async def until_closed(group: Group, thread: str, cause: str) -> None:
    async def closed() -> bool:
        return all(x["cause"] != cause for x in await group.cases(thread))

    await eventually(closed, what=f"{thread} has no case any more: {cause}")


async def missing(group: Group, thread: str) -> dict[str, str]:
    """Milestones that are drawn as missing, with the clock that ran out."""
    story = await group.story(thread)
    return {x["name"]: x["note"] for x in story["milestones"] if x["classifier"] == "missing"}


async def test_a_warehouse_that_does_not_take_an_order(watched: Group) -> None:
    """Its acknowledgement is overdue: the warehouse's own case, the story draws it; it takes the order, and the case is closed."""
    async with watched.quirks("wms-1", unavailable=1.0):
        reference = await watched.buy(("WID-1", 1))
        thread = f"order/{reference}"
        case = await watched.until_case(thread, "warehouse acknowledgement overdue")
        assert case["owner"] == "warehouse"
        assert "no day was promised" in case["title"]
        assert await missing(watched, thread) == {"released": "clock: warehouse acknowledgement"}
        assert "closes by itself" in (await watched.story(thread))["sentence"]

    await until_closed(watched, thread, "warehouse acknowledgement overdue")
    assert await missing(watched, thread) == {}


@pytest.mark.parametrize(
    ("days", "words"), [(-2, "late for the customer"), (9, "the promised day can be kept")]
)
async def test_a_carrier_that_gives_no_label(watched: Group, days: int, words: str) -> None:
    """As bad as the promise of the parcel's order makes it; the shipment draws it; the label comes, and the case is closed."""
    async with watched.quirks("ups-1", unavailable=1.0):
        reference = await promised(watched, days)
        thread = f"order/{reference}"
        case = await watched.until_case(thread, "label overdue")
        assert words in case["title"]
        [shipment] = await watched.until_shipments(reference, 1)
        assert (await missing(watched, shipment))["labelled"] == "clock: label"

    await until_closed(watched, thread, "label overdue")
    assert "labelled" not in await missing(watched, shipment)


async def test_an_erp_that_does_not_post(watched: Group) -> None:
    """The goods issue is overdue beside the refusal; posted, both cases are closed."""
    async with watched.quirks("sap-1", period_closed=1.0):
        reference = await promised(watched, -2)
        thread = f"order/{reference}"
        case = await watched.until_case(thread, "goods issue overdue")
        assert case["owner"] == "finance"
        assert "late for the customer" in case["title"]
        refused = next(x for x in await watched.cases(thread) if "posting period" in x["title"].lower())
    await watched.retry(refused)
    await until_closed(watched, thread, "goods issue overdue")
    assert refused["number"] not in [x["number"] for x in await watched.cases(thread)]


async def test_a_carrier_that_shows_nothing(watched: Group) -> None:
    """First the scan is overdue, then the proof of delivery; both come, and both cases are closed."""
    async with watched.quirks("ups-1", silent=1.0):
        reference = await watched.buy(("WID-1", 1))
        thread = f"order/{reference}"
        await watched.until_case(thread, "first scan overdue")
        await watched.until_case(thread, "proof of delivery overdue")
        assert (await missing(watched, thread))["delivered"] == "clock: proof of delivery"

    await until_closed(watched, thread, "first scan overdue")
    await until_closed(watched, thread, "proof of delivery overdue")
    await watched.until(reference, "completed")


async def test_a_bill_that_does_not_come(watched: Group) -> None:
    """The shipment waits for it after its delivery; billed, its case is closed."""
    reference = await watched.buy(("WID-1", 1))
    [shipment] = await watched.until_shipments(reference, 1)
    case = await watched.until_case(shipment, "freight bill overdue")
    assert case["owner"] == "finance"
    assert "freight bill" in (await watched.story(shipment))["sentence"]
    data = {
        "invoice": f"UPS-{uuid4().hex[:6]}",
        "carrier": "ups",
        "total": {"amount": "7.00", "currency": "EUR"},
    }
    event: dict[str, Any] = {
        "specversion": "1.0", "id": uuid4().hex, "source": "ups-1", "type": "crossdock.logistics.freight.invoiced.v1",
        "subject": shipment, "data": data,
    }  # fmt: skip
    answer = await watched.api.post("/v1/events", event)
    assert answer.status == 202, answer.body
    await until_closed(watched, shipment, "freight bill overdue")
