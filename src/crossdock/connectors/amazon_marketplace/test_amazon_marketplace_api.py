"""Amazon: the client against its twin over real sockets: tokens, plans, lost answers, and what stays once."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from crossdock.connect.contract import Absent, CannotTell, Done, Refused, RetryLater, Unknown
from crossdock.connectors.amazon_marketplace.client import AmazonClient
from crossdock.connectors.amazon_marketplace.conftest import (
    Stage,
    availability,
    call,
    shipment,
    translated,
)
from crossdock.connectors.amazon_marketplace.requests import package_reference
from crossdock.errors import Misconfigured
from crossdock.model.order import FulfilmentCancelled, FulfilmentCreated
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CancelFulfilment
from crossdock.model.stock import AvailabilityPublished


async def test_the_last_piece_ships_the_order(stage: Stage) -> None:
    """Shipments are confirmed one by one, each as a package of its own; with the last piece the order is shipped."""
    order = await stage.order()
    first = await stage.client.send(shipment(order, "S-1", (0, 1)))
    between = (await stage.shown(order["id"]))["status"]
    second = await stage.client.send(shipment(order, "S-2", (0, 1), (1, 1)))
    after = await stage.shown(order["id"])

    document = f"{order['id']}-{package_reference('S-1')}"
    assert first == Done(document=document, receipt=FulfilmentCreated(document))
    assert isinstance(second, Done)
    assert (between, after["status"]) == ("PartiallyShipped", "Shipped")
    assert [x["trackingNumber"] for x in after["packages"].values()] == ["1Z-S-1", "1Z-S-2"]


async def test_a_lost_answer_is_looked_up_and_confirmed_once(stage: Stage) -> None:
    """Without an answer it may be done; Amazon shows that it is, and sending it again makes no second package."""
    order = await stage.order()
    wanted = shipment(order, "S-1", (0, 2), (1, 1))
    assert await stage.client.look_up(wanted) == Absent()
    await stage.quirk("answer_lost")
    lost = await stage.client.send(wanted)
    await stage.quirk("answer_lost", 0)

    assert isinstance(lost, Unknown)
    assert isinstance(await stage.client.look_up(wanted), Done)
    assert isinstance(await stage.client.send(wanted), Done)
    assert len(await stage.journal("fulfilment.create")) == 1
    assert len(await stage.journal("fulfilment.edit")) == 1
    assert [line["shipped"] for line in (await stage.shown(order["id"]))["lines"]] == [2, 1]


async def test_a_part_that_is_shipped_may_be_another_shipment(stage: Stage) -> None:
    """Amazon shows quantities and no packages: between nothing and all of it, nobody can tell."""
    order = await stage.order()
    await stage.client.send(shipment(order, "S-1", (0, 1)))
    found = await stage.client.look_up(shipment(order, "S-2", (0, 1)))
    assert isinstance(found, CannotTell)
    assert found.for_ever


async def test_what_was_shipped_by_hand_is_done(stage: Stage) -> None:
    """Confirmed in Seller Central already, there is nothing left to tell; a strange line is refused for good."""
    order = await stage.order()
    assert isinstance(await stage.client.send(shipment(order, "BY-HAND", (0, 2), (1, 1))), Done)
    assert isinstance(await stage.client.send(shipment(order, "S-1", (0, 2))), Done)
    strange = {**order, "lines": [{"id": "404", "sku": "A"}]}
    refused = await stage.client.send(shipment(strange, "S-2", (0, 1)))
    assert isinstance(refused, Refused)
    assert refused.code == "InvalidInput"
    assert len(await stage.journal("fulfilment.create")) == 1


async def test_a_cancelled_order_takes_no_shipment(stage: Stage) -> None:
    """Nothing of it is ordered any more: a person hears of it."""
    order = await stage.order()
    await stage.control(f"orders/{order['id']}/cancel", {}, "POST")
    assert isinstance(await stage.client.send(shipment(order, "S-1", (0, 1))), Refused)


async def test_one_token_serves_all_calls(stage: Stage) -> None:
    """However many begin at once, Login with Amazon is asked once."""
    order = await stage.order()
    calls = [stage.client.look_up(shipment(order, "S-1", (0, 1))) for _ in range(8)]
    assert await asyncio.gather(*calls) == [Absent()] * 8
    assert len(stage.twin.books.all("token")) == 1


async def test_an_expired_token_is_renewed(stage: Stage) -> None:
    """A token that is refused before its time is replaced, and the call made again with the new one."""
    order = await stage.order()
    assert isinstance(await stage.client.send(shipment(order, "S-1", (0, 1))), Done)
    await stage.quirk("token_expired")
    assert isinstance(await stage.client.send(shipment(order, "S-2", (0, 1))), Done)
    assert isinstance(await stage.client.send(shipment(order, "S-3", (1, 1))), Done)


async def test_wrong_credentials_wait_for_a_person(stage: Stage) -> None:
    """No effect is at fault where Login with Amazon refuses the application or the seller's consent."""
    order = await stage.order()
    for name, said in (("client_secret", "invalid_client"), ("refresh_token", "invalid_grant")):
        account = replace(stage.account, secrets={**stage.account.secrets, name: "wrong"})
        client = AmazonClient(account, stage.transport)
        outcome = await client.send(shipment(order, "S-1", (0, 1)))
        assert isinstance(outcome, RetryLater)
        assert said in outcome.reason
        with pytest.raises(Misconfigured, match=said):
            await client.check()


async def test_a_good_account_says_where_it_sells(stage: Stage) -> None:
    """The check names the marketplace, and a marketplace that the seller is not in is a wrong setting."""
    assert await stage.client.check() == "connected to Amazon.de"
    settings = {**stage.account.settings, "marketplace_id": "ATVPDKIKX0DER"}
    elsewhere = AmazonClient(replace(stage.account, settings=settings), stage.transport)
    with pytest.raises(Misconfigured, match="A1PA6795UKMFR9"):
        await elsewhere.check()


async def test_throttling_is_no_fault_of_the_effect(stage: Stage) -> None:
    """429 says when to come again, by the rate that the answer names."""
    order = await stage.order()
    await stage.quirk("throttle_429")
    outcome = await stage.client.send(shipment(order, "S-1", (0, 1)))
    assert isinstance(outcome, RetryLater)
    assert outcome.throttled
    assert 0 < (outcome.after_seconds or 0) <= 0.5
    assert await stage.journal("fulfilment.create") == []


async def test_a_plan_is_kept_before_amazon_has_to_refuse(stage: Stage) -> None:
    """Beyond the burst calls are spaced by the client itself: the twin, which counts as well, refuses none."""
    await stage.control("listings", {"A": {"quantity": None}}, "PUT")
    wanted = [stage.client.send(availability("A", str(n), n)) for n in range(1, 11)]
    assert all(isinstance(outcome, Done) for outcome in await asyncio.gather(*wanted))
    assert len(await stage.journal("availability.publish")) == 10


async def test_a_call_that_would_come_too_late_is_not_begun(stage: Stage) -> None:
    """Where the plan allows the next call only after the attempt's time, it ends as throttled, with the wait."""
    order = await stage.order()
    await stage.control("plans", {"confirmShipment": [0.01, 1]}, "PUT")
    assert isinstance(await stage.client.send(shipment(order, "S-1", (0, 1))), Done)
    for _ in range(20):
        outcome = await stage.client.send(shipment(order, "S-2", (0, 1)))
        if isinstance(outcome, RetryLater):
            break
    assert isinstance(outcome, RetryLater)
    assert outcome.throttled
    assert (outcome.after_seconds or 0) > 5


@pytest.mark.parametrize("seconds", [0.3, 1.0])
async def test_a_slow_answer_is_unknown(stage: Stage, seconds: float) -> None:
    """Begun in time and answered too late, it may be done; with too little time left it is not begun."""
    order = await stage.order()
    await stage.quirk("slow")
    outcome = await stage.client.send(shipment(order, "S-1", (0, 1), seconds=seconds))
    assert isinstance(outcome, Unknown if seconds == 1.0 else RetryLater)


async def test_an_answer_of_503_may_have_been_done(stage: Stage) -> None:
    """Without a word of when to come again, nobody knows whether it was taken; a question simply comes again."""
    order = await stage.order()
    await stage.client.check()
    await stage.quirk("unavailable")
    assert isinstance(await stage.client.send(shipment(order, "S-1", (0, 1))), Unknown)
    assert isinstance(await stage.client.look_up(shipment(order, "S-1", (0, 1))), CannotTell)


async def test_nobody_there_is_tried_again(stage: Stage) -> None:
    """A token in hand or not: what was not reached did nothing."""
    order = await stage.order()
    account = replace(stage.account, base_url="http://127.0.0.1:9")
    outcome = await AmazonClient(account, stage.transport).send(shipment(order, "S-1", (0, 1)))
    assert isinstance(outcome, RetryLater)


async def test_a_quantity_is_set_and_the_rest_of_the_listing_stays(stage: Stage) -> None:
    """Whole pieces are set; handling time, which is the seller's own, is as before."""
    await stage.control("listings", {"A": {"quantity": 3}}, "PUT")
    outcome = await stage.client.send(availability("A", "7.5", 4))
    assert isinstance(outcome, Done)
    assert outcome.receipt == AvailabilityPublished("A", "amazon-1", Quantity(Decimal(7)))
    listing = stage.twin.books.get("listing", "A")
    assert (listing["quantity"], listing["lead_time_to_ship_max_days"]) == (7, 2)


async def test_the_newest_quantity_wins(stage: Stage) -> None:
    """However late Amazon shows what it accepted, in the end it shows what was said last, over what it counted itself."""
    await stage.control("listings", {"A": {"quantity": 9}}, "PUT")
    await stage.quirk("late_listing")
    for version, quantity in enumerate(("8", "2", "5"), 1):
        assert isinstance(await stage.client.send(availability("A", quantity, version)), Done)
    assert isinstance(await stage.client.look_up(availability("A", "5", 3)), CannotTell)
    await stage.order(lines=[{"sku": "A", "quantity": 4, "price": "1.00"}])
    assert await stage.control("listings") == {"A": 5}
    await stage.order(lines=[{"sku": "A", "quantity": 1, "price": "1.00"}])

    async with asyncio.timeout(8):
        while stage.twin.books.get("listing", "A")["accepted"]:
            await asyncio.sleep(0.05)
    assert await stage.control("listings") == {"A": 5}
    assert isinstance(await stage.client.look_up(availability("A", "5", 3)), Done)


async def test_an_unknown_sku_and_an_invalid_quantity_are_refused(stage: Stage) -> None:
    """404 and INVALID are Amazon's last word, and a person reads it."""
    unknown = await stage.client.send(availability("NO-SUCH/SKU ?", "1"))
    assert isinstance(unknown, Refused)
    assert "NO-SUCH/SKU ?" in unknown.reason
    await stage.control("listings", {"A": {"quantity": 3}}, "PUT")
    body = b'{"sku": "A", "quantity": -4, "version": 1}'
    invalid = await stage.client.send(replace(availability("A", "1"), body=body))
    assert isinstance(invalid, Refused)
    assert (invalid.code, "quantity" in invalid.reason) == ("INVALID", True)


async def test_a_cancellation_is_a_persons_and_is_looked_up(stage: Stage) -> None:
    """Amazon takes none from us: the effect is refused with what to do, and done once Seller Central shows it."""
    order = await stage.order()
    wanted = call("order.cancel", CancelFulfilment(f"amazon-1/{order['id']}", "no stock"))
    refused = await stage.client.send(wanted)
    assert isinstance(refused, Refused)
    assert "Seller Central (no stock)" in refused.reason
    assert await stage.client.look_up(wanted) == Absent()
    assert (await stage.shown(order["id"]))["status"] == "Unshipped"

    await stage.control(f"orders/{order['id']}/cancel", {}, "POST")
    done = Done(document=order["id"], receipt=FulfilmentCancelled(order["id"]))
    assert (await stage.client.send(wanted), await stage.client.look_up(wanted)) == (done, done)


async def test_an_expired_token_does_not_hide_addresses(stage: Stage) -> None:
    """Restricted tokens are asked for with an access token, and either may end before its time."""
    await stage.order()
    await stage.quirk("token_expired")
    for _ in range(3):
        [row] = await stage.read()
        assert translated(row.message).events[0].data.people.ship_to.lines == ("Probeweg 1",)


async def test_a_kind_that_is_not_carried_is_refused(stage: Stage) -> None:
    """Whatever reaches the client by mistake is not sent, and cannot be looked up."""
    stray = replace(availability("A", "1"), kind="label.create")
    assert isinstance(await stage.client.send(stray), Refused)
    assert await stage.client.look_up(stray) == CannotTell(
        reason="label.create is not carried", for_ever=True
    )
