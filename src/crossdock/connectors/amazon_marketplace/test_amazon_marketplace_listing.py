"""Amazon: changed orders read from the twin page by page, with their items, within the plans; and what notifications tell."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

from crossdock.connect.contract import Ask, Refused, RetryLater, Row
from crossdock.connectors.amazon_marketplace.client import AmazonClient
from crossdock.connectors.amazon_marketplace.conftest import LONG_AGO, NOW, Stage, translated
from crossdock.connectors.amazon_marketplace.connector import CONNECTOR
from crossdock.connectors.amazon_marketplace.listing import rows
from crossdock.connectors.amazon_marketplace.plans import Bucket
from crossdock.model.order import HoldPlaced, OrderCancelRequested, OrderReceived, ShippedElsewhere


def number_of(row: Row) -> str:
    return str(json.loads(row.message.body)["Order"]["AmazonOrderId"])


async def until_told(stage: Stage, count: int) -> None:
    async with asyncio.timeout(8):
        while len(stage.told) < count:
            await asyncio.sleep(0.02)


async def test_an_order_comes_with_items_buyer_and_address(stage: Stage) -> None:
    """What the list and the items say apart is one message; the restricted token shows who it goes to."""
    order = await stage.order(shipping="4.90")
    [row] = await stage.read()
    [event] = translated(row.message).events
    assert isinstance(event.data, OrderReceived)
    assert event.thread == f"order/amazon-1/{order['id']}"
    assert [(x.item, str(x.ordered), str(x.unit_price)) for x in event.data.lines] == [
        ("A", "2 EA", "EUR 4.50"), ("B", "1 EA", "EUR 1.00"),
    ]  # fmt: skip
    assert str(event.data.total) == "EUR 14.90"
    assert event.data.people
    assert event.data.people.ship_to.lines == ("Probeweg 1",)
    assert event.data.people.buyer.email.endswith("@marketplace.amazon.example")
    tokens = [entry["personal"] for _, entry in stage.twin.books.all("token")]
    assert sorted(tokens) == [False, True]


async def test_orders_come_in_the_order_of_change_over_all_pages(stage: Stage) -> None:
    """However the list is cut, each order comes once, the oldest change first."""
    await stage.generous()
    with stage.twin.books.change():
        stage.twin.books.put("setting", "page_size", 5)
    numbers = [(await stage.order())["id"] for _ in range(23)]
    for place, number in enumerate(numbers):
        stage.touch(number, NOW - timedelta(minutes=(place * 7) % 23))
    found = await stage.read()
    times = [row.changed_at for row in found]
    assert times == sorted(times)
    threads = [translated(row.message).events[0].thread for row in found]
    assert sorted(threads) == sorted(f"order/amazon-1/{number}" for number in numbers)


async def test_an_order_that_changes_while_the_list_is_read_is_in_this_list_or_the_next(stage: Stage) -> None:
    """What is cancelled between list and items is no broken order, pushes nothing over a border, and the next reading finds it."""
    await stage.generous()
    with stage.twin.books.change():
        stage.twin.books.put("setting", "page_size", 4)
    numbers = [(await stage.order())["id"] for _ in range(10)]
    for place, number in enumerate(numbers):
        stage.touch(number, NOW - timedelta(hours=10 - place))
    page = await stage.ask()
    await stage.control(f"orders/{numbers[1]}/cancel", {}, "POST")
    await stage.control(f"orders/{numbers[8]}/cancel", {}, "POST")
    found = []
    while page.next:
        page = await stage.ask(page.next)
        found += rows("orders", page.body, NOW)
    known = [translated(row.message) for row in found]
    assert [x.ignored.partition(":")[0] for x in known if not x.events] == ["Unshipped"]
    later = [translated(row.message).events[0] for row in await stage.read(NOW)]
    assert [number_of(row) for row in found] == [*numbers[:8], numbers[9]]
    assert {(x.thread.rpartition("/")[2], type(x.data)) for x in later} == {
        (numbers[1], OrderCancelRequested), (numbers[8], OrderCancelRequested),
    }  # fmt: skip


async def test_items_are_asked_for_once_and_only_where_they_matter(stage: Stage) -> None:
    """Readings overlap, and the items' plan is scarce: only open orders cost a call, and each state one."""
    await stage.control("plans", {"getOrderItems": [0.001, 1]}, "PUT")
    await stage.order()
    await stage.order(pending=True)
    await stage.order(afn=True)
    cancelled = await stage.order()
    await stage.control(f"orders/{cancelled['id']}/cancel", {}, "POST")
    first, again = await stage.read(), await stage.read()
    assert [row.message.body for row in first] == [row.message.body for row in again]
    said = sorted(
        type(told.events[0].data).__name__ if told.events else told.ignored.partition(":")[0]
        for told in (translated(row.message) for row in first)
    )
    assert said == ["OrderCancelRequested", "OrderReceived", "Pending"]


async def test_a_scarce_plan_slows_a_reading_and_fails_nothing(stage: Stage) -> None:
    """While the items' plan has no call left, pages come empty and lead on; the account is neither paused nor at fault."""
    await stage.control("plans", {"getOrderItems": [1, 3]}, "PUT")
    numbers = {(await stage.order())["id"] for _ in range(5)}
    found, empty, page = set(), 0, await stage.ask()
    while page.next:
        page = await stage.ask(page.next, seconds=1.0)
        now = rows("orders", page.body, NOW)
        found |= {number_of(row) for row in now}
        empty += not now
    assert found == numbers
    assert empty


async def test_who_has_no_call_to_spare_hands_out_what_there_is(stage: Stage) -> None:
    """A page does not wait until its last order could be read."""
    for _ in range(4):
        await stage.order()
    stage.client._line.plans.buckets["getOrderItems"] = Bucket(0.5, 2, 2)
    page = await stage.ask((await stage.ask()).next)
    assert (len(rows("orders", page.body, NOW)), page.next != "") == (2, True)


async def test_a_refused_list_is_read_later(stage: Stage) -> None:
    """429 for the list, which others of the seller's applications read too, ends in an empty page that leads to itself."""
    await stage.order()
    await stage.quirk("throttle_429")
    page = await stage.ask(seconds=0.8)
    assert (rows("orders", page.body, NOW), page.next != "") == ((), True)


async def test_trouble_with_the_list_is_told(stage: Stage) -> None:
    """An application without the role for addresses, or nobody there: the reading waits, and says for what."""
    ask = Ask(list="orders", since=LONG_AGO, page="", timeout_seconds=2.0)
    away = replace(stage.account, base_url="http://127.0.0.1:9")
    assert isinstance(await AmazonClient(away, stage.transport).changed(ask), RetryLater)
    elsewhere = replace(stage.account, settings={**stage.account.settings, "marketplace_id": "ATVPDKIKX0DER"})
    assert isinstance(await AmazonClient(elsewhere, stage.transport).changed(ask), Refused)


async def test_late_lists_show_an_order_later(stage: Stage) -> None:
    """A change that is not listed yet is missing now, and loses nothing: the next readings begin before it."""
    await stage.quirk("late_orders")
    await stage.order()
    assert await stage.read() == []


async def test_notifications_hint_hold_and_cancel(stage: Stage) -> None:
    """Sent with the key that opens the door: news is a hint, a buyer's wish a hold, a cancellation counts at once."""
    order = await stage.order()
    await stage.control(f"orders/{order['id']}/ask", {}, "POST")
    await stage.control(f"orders/{order['id']}/cancel", {}, "POST")
    await until_told(stage, 3)
    told = [translated(message) for message in stage.told]
    for message in stage.told:
        assert CONNECTOR.authenticate
        CONNECTOR.authenticate(message, stage.account)
    assert {type(x.events[0].data) for x in told if x.events} == {HoldPlaced, OrderCancelRequested}
    assert [x.ignored for x in told if not x.events] == [
        "a hint: what the order says is read from the list of changed orders"
    ]


async def test_what_amazon_ships_itself_is_told_when_it_leaves(stage: Stage) -> None:
    """Of an order of its own warehouse nothing follows until it is dispatched; then what left is said, without a lot."""
    order = await stage.order(afn=True)
    await stage.control(f"orders/{order['id']}/dispatch", {}, "POST")
    await until_told(stage, 2)
    placed, left = [translated(message) for message in stage.told]

    assert placed.ignored.startswith("AFN")
    [event] = left.events
    assert event.thread == f"elsewhere/amazon-1/{order['id']}"
    assert isinstance(event.data, ShippedElsewhere)
    assert [(x.item, int(x.quantity.value)) for x in event.data.lines] == [("A", 2), ("B", 1)]
    [shown] = await stage.journal("order.shippedElsewhere")
    assert shown["key"] == order["id"]


async def test_copies_and_latecomers_are_known_by_their_id(stage: Stage) -> None:
    """A notification that comes three times, or after a later one, has one id; one that never comes changes no order."""
    for quirk in ("duplicate_notification", "reordered_notification"):
        await stage.quirk(quirk)
    order = await stage.order()
    await stage.control(f"orders/{order['id']}/cancel", {}, "POST")
    await until_told(stage, 6)
    assert len({translated(message).source_id for message in stage.told}) == 2
    await stage.quirk("lost_notification")
    await stage.order()
    assert (await stage.control("outbox"))["sent"] == 2
    assert len(await stage.read()) == 2


async def test_amazon_sells_what_the_listing_shows(stage: Stage) -> None:
    """Each order, paid or not, lowers what is shown; beyond it nothing is sold."""
    await stage.control("listings", {"A": {"quantity": 3}, "B": {"quantity": None}}, "PUT")
    await stage.order(pending=True)
    assert await stage.control("listings") == {"A": 1, "B": None}
    wish = {"orders": [{"lines": [{"sku": "A", "quantity": 2}]}]}
    async with stage.http.post(f"{stage.url}/_twin/orders", json=wish) as answer:
        assert answer.status == 409
    assert await stage.control("listings") == {"A": 1, "B": None}


async def test_a_paid_order_becomes_one(stage: Stage) -> None:
    """Pending, there is nothing to ship; once it is settled the next reading gives the order."""
    order = await stage.order(pending=True)
    [row] = await stage.read()
    assert translated(row.message).ignored.startswith("Pending")
    await stage.control(f"orders/{order['id']}/pay", {}, "POST")
    stage.touch(order["id"], NOW + timedelta(days=1))
    [row] = await stage.read()
    assert isinstance(translated(row.message).events[0].data, OrderReceived)
