"""The client against the twin over HTTP: notices, receipts in every condition, put-away, and transfers that leave."""

from decimal import Decimal
from typing import Any

from aiohttp import ClientSession

from crossdock.connect.contract import Done, Refused, RetryLater, Unknown
from crossdock.connectors.manhattan_wms.conftest import Bench, account, release
from crossdock.connectors.manhattan_wms.mapping_out import from_payload
from crossdock.model.movement import ExpectedLine, InboundAnnounced, MovedLine, TransferReleased
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import AnnounceInbound, ReleaseTransfer

INBOUND = "inbound/sap-1/4500000017"
TRANSFER = "transfer/sap-1/4500000018"


def announce(quantity: str = "100", location: str = "SITE1", *, cancelled: bool = False) -> bytes:
    lines = (ExpectedLine("10", "WID-1", Quantity(Decimal(quantity))),)
    payload = AnnounceInbound(
        INBOUND, "4500000017", location, () if cancelled else lines, cancelled=cancelled
    )
    return from_payload("inbound.announce", payload, People(), account())


def transfer(quantity: str = "20", *, cancelled: bool = False) -> bytes:
    lines = (MovedLine("10", "WID-1", Quantity(Decimal(quantity))),)
    payload = ReleaseTransfer(TRANSFER, "4500000018", "SITE1", "SITE2", lines, cancelled=cancelled)
    return from_payload("transfer.release", payload, People(), account())


async def at_dock(wms: Bench, what: str, **body: Any) -> Any:
    async with ClientSession() as http, http.post(f"{wms.base_url}/_twin/{what}", json=body) as answer:
        return await answer.json() if answer.status == 200 else answer.status


async def test_a_notice_is_taken_once_and_replaced(wms: Bench) -> None:
    """The same one changes nothing, another quantity is what is expected from then on."""
    done = await wms.send("inbound.announce", announce())
    assert isinstance(done, Done)
    assert done.receipt == InboundAnnounced(done.document)
    await wms.send("inbound.announce", announce())
    assert len(wms.journal("inbound.announce")) == 1

    await wms.send("inbound.announce", announce("90"))

    [asn] = await wms.get("/_twin/asns")
    assert (asn["reference"], asn["lines"][0]["quantity"]) == (INBOUND, "90")


async def test_receipts_come_in_with_their_condition(wms: Bench) -> None:
    """Good, damaged and held pieces of two trucks; what is closed short is told."""
    await wms.send("inbound.announce", announce())
    first = await at_dock(wms, "receive", reference=INBOUND, lines=[{"line": "10", "quantity": "40"}])
    damaged = {"line": "10", "quantity": "3", "condition": "DAMAGED", "lot": "L1"}
    await at_dock(wms, "receive", reference=INBOUND, lines=[damaged], close=True, reason="no more")

    one, two = await wms.told("inbound.received.v1", 2)
    [closed] = await wms.told("inbound.closed.v1")
    assert (one.thread, one.data.receipt, one.data.lines[0].quantity.value) == (INBOUND, first["receipt"], 40)
    assert (two.data.lines[0].condition, two.data.lines[0].lot) == ("damaged", "L1")
    assert (closed.data.reason, closed.data.delivery) == ("no more", "4500000017")
    stock = (await wms.get("/_twin/stock"))["WID-1"]
    assert (stock["quantity"], stock["held"]) == ("43", "3")


async def test_everything_that_is_left_comes_at_once(wms: Bench) -> None:
    """Without lines the dock receives what was announced and has not come."""
    await wms.send("inbound.announce", announce())
    await at_dock(wms, "receive", reference=INBOUND, lines=[{"line": "10", "quantity": "40"}])
    await at_dock(wms, "receive", reference=INBOUND)

    told = await wms.told("inbound.received.v1", 2)
    assert sorted(event.data.lines[0].quantity.value for event in told) == [40, 60]
    assert await at_dock(wms, "receive", reference="inbound/x/1") == 404


async def test_what_stands_on_the_dock_cannot_be_picked(wms: Bench) -> None:
    """An order waits for it until it is put away."""
    await wms.send("inbound.announce", announce())
    receipt = (await at_dock(wms, "receive", reference=INBOUND, on_dock=True))["receipt"]
    await wms.send("warehouse_order.release", release(quantity="2"))
    await wms.status("waiting_for_stock")

    await at_dock(wms, "put_away", receipt=receipt)

    [stored] = await wms.told("inbound.stored.v1")
    assert stored.data.receipt == receipt
    await wms.told("order.allocated.v1")
    assert await at_dock(wms, "put_away", receipt=receipt) == 404


async def test_a_transfer_leaves_in_two_trucks(wms: Bench) -> None:
    """Its goods are set aside, leave the stock truck by truck, and the last one says so."""
    await wms.stock(WID_1="30")
    done = await wms.send("transfer.release", transfer())
    assert isinstance(done, Done)
    assert done.receipt == TransferReleased(done.document)
    assert await wms.counted("WID-1") == ("30", "20")
    first = {"line": "10", "quantity": "12"}
    await at_dock(wms, "send", reference=TRANSFER, carrier="RDWY", lines=[first], last=False)
    await at_dock(wms, "send", reference=TRANSFER)

    one, two = sorted(await wms.told("transfer.shipped.v1", 2), key=lambda event: event.sequence)
    assert (one.thread, one.data.carrier, one.data.complete) == (TRANSFER, "RDWY", False)
    assert [x.data.lines[0].quantity.value for x in (one, two)] == [12, 8]
    assert two.data.complete
    assert await wms.counted("WID-1") == ("10", "0")


async def test_only_what_has_not_left_is_cancelled(wms: Bench) -> None:
    """Before, its goods are free again; afterwards it is refused."""
    await wms.stock(WID_1="30")
    await wms.send("transfer.release", transfer())
    assert isinstance(await wms.send("transfer.release", transfer(cancelled=True)), Done)
    assert await wms.counted("WID-1") == ("30", "0")

    other = transfer().replace(b"4500000018", b"4500000019")
    await wms.send("transfer.release", other)
    await at_dock(wms, "send", reference=TRANSFER.replace("18", "19"))
    refused = await wms.send("transfer.release", other.replace(b"RELEASED", b"CANCELLED"))
    assert isinstance(refused, Refused)
    assert refused.code == "TRANSFER_SHIPPED"


async def test_trouble_at_the_dock_is_an_outcome(wms: Bench) -> None:
    """A lost answer is unknown and sent again without harm; throttled is later; another facility is refused."""
    wms.quirk("answer_lost")
    assert isinstance(await wms.send("inbound.announce", announce()), Unknown)
    wms.quirk("answer_lost", 0.0)
    assert isinstance(await wms.send("inbound.announce", announce()), Done)
    assert len(wms.journal("inbound.announce")) == 1
    wms.quirk("throttle_429")
    assert isinstance(await wms.send("transfer.release", transfer()), RetryLater)
    wms.quirk("throttle_429", 0.0)
    assert isinstance(await wms.send("inbound.announce", announce(location="SITE9")), Refused)
    assert isinstance(await wms.send("inbound.announce", announce(cancelled=True)), Done)
