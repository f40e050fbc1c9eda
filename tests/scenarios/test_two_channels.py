"""One stock, two channels: Shopify and Amazon sell the same items of one site, each hears of the other's sales, and Amazon's orders go the whole way."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from crossdock.demo import trade
from crossdock.demo.day import prepare
from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually, rows, start, stop
from e2e.trading import Trade, open_books

AMAZON, SHOPIFY = "amazon-eu", "shopify-eu"
ITEM = "GAD-1"
SECRETS = ("client_id", "client_secret", "refresh_token", "notification_key")
ASK_SECONDS = 1.0
KEPT_BACK_MAX = trade.OPENING_STOCK // 2
"""The most that a channel may not be told of, because it sells while it hears late."""
PLANS = {"getOrders": [20, 20], "getOrderItems": [50, 50]}
"""Of a seller who was granted more: a day of trade here is a minute."""


def add_amazon(directory: Path) -> None:
    """`systems/amazon-eu.yaml` with secrets beside it, and a channel more in `hub.yaml`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "marketplace_id": "A1PA6795UKMFR9", "seller_id": "A3TWOCHANNELS", "token_url": f"{url}/auth/o2/token",
    }  # fmt: skip
    system: dict[str, Any] = {
        "name": AMAZON, "connector": "amazon_marketplace", "base_url": url, "backfill_seconds": ASK_SECONDS,
        "settings": settings, "secrets": {},
    }  # fmt: skip
    for name in SECRETS:
        (directory / "secrets" / f"{AMAZON}.{name}").write_text(f"{name} of the seller\n")
        system["secrets"][name] = f"${{file:secrets/{AMAZON}.{name}}}"
    (directory / "systems" / f"{AMAZON}.yaml").write_text(yaml.safe_dump(system))
    hub = yaml.safe_load((directory / "hub.yaml").read_text())
    hub["roles"]["channels"].append(AMAZON)
    (directory / "hub.yaml").write_text(yaml.safe_dump(hub))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    directory = tmp_path_factory.mktemp("two-channels")
    prepare(directory, settings={"business_clock_rate": 20.0})
    add_amazon(directory)
    hub = start(directory)
    twins = Twins(hub.configured, hub.url, seed=1, pace_seconds=0.05)
    for process in twins.processes.values():
        process.start()
    try:
        asyncio.run(list_items(hub, twins))
        asyncio.run(open_books(hub, twins))
        yield hub, twins
    finally:
        for process in twins.processes.values():
            process.stop()
        stop(hub)
    logs = "".join(process.log.read_text(errors="replace") for process in twins.processes.values())
    assert "Traceback (most recent call last)" not in logs, logs[-4000:]


async def list_items(hub: RunningHub, twins: Twins) -> None:
    """Amazon lists all items before there is a quantity to tell it."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        trading = Trade(Api(hub, session), twins)

        async def up() -> bool:
            try:
                await trading.twin(AMAZON, "/health")
            except aiohttp.ClientError:
                return False
            return True

        await eventually(up, what="Amazon's twin is up")
        await trading.twin(AMAZON, "/plans", PLANS, "PUT")
        await trading.twin(AMAZON, "/listings", {sku: {"quantity": None} for sku in trade.products()}, "PUT")


@pytest.fixture
async def trading(running: tuple[RunningHub, Twins]) -> AsyncIterator[Trade]:
    """Trade on both channels; Amazon behaves again afterwards."""
    hub, twins = running
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Trade(Api(hub, session), twins)
        yield made
        quirks = await made.twin(AMAZON, "/quirks")
        await made.twin(AMAZON, "/quirks", dict.fromkeys(quirks, 0.0), "PUT")


async def buy(trading: Trade, *lines: tuple[str, int], **more: Any) -> str:
    """A buyer orders on Amazon; the reference that the order goes by."""
    items = [{"sku": sku, "quantity": n, **trade.products()[sku]} for sku, n in lines]
    [made] = await trading.twin(AMAZON, "/orders", {"orders": [{"lines": items} | more]}, "POST")
    return f"{AMAZON}/{made['id']}"


async def shown(trading: Trade, item: str = ITEM) -> tuple[int | None, int | None]:
    """What Shopify and Amazon show as left, by their own books."""
    return (
        (await trading.twin(SHOPIFY, "/inventory"))[item],
        (await trading.twin(AMAZON, "/listings"))[item],
    )


async def until_shown(trading: Trade, left: int, item: str = ITEM) -> None:
    """Both channels show what is left, or less by what is kept back; never more."""

    async def both() -> bool:
        return all(left - KEPT_BACK_MAX <= (n or 0) <= left for n in await shown(trading, item))

    await eventually(both, what=f"both channels show {left} of {item}")


async def until_ignored(trading: Trade, why: str) -> None:
    """A message of Amazon's is kept, with the reason why nothing followed from it."""

    async def kept() -> bool:
        found = await rows(trading.api.hub, "select outcome from message where system = $1", AMAZON)
        return any(row["outcome"].startswith(f"ignored: {why}") for row in found)

    await eventually(kept, what=f"a message is ignored: {why}")


async def test_amazons_orders_go_the_whole_way(trading: Trade) -> None:
    """Shipped, invoiced and confirmed at Amazon as one package with its tracking number, although answers are lost and copies come."""
    await trading.twin(AMAZON, "/quirks", {"answer_lost": 0.5, "duplicate_notification": 1.0}, "PUT")
    reference = await buy(trading, (ITEM, 2), ("MUG-1", 1), shipping="4.90")
    await trading.until(reference, "completed")
    await trading.twin(AMAZON, "/quirks", {"answer_lost": 0.0}, "PUT")

    async def order() -> dict[str, Any]:
        known = {f"{AMAZON}/{x['id']}": x for x in await trading.twin(AMAZON, "/orders")}
        return known[reference] if known[reference]["status"] == "Shipped" else {}

    confirmed: Any = await eventually(order, what="Amazon shows the order as shipped")
    [package] = confirmed["packages"].values()
    [label] = [
        x for x in await trading.twin("ups-1", "/parcels") if x["tracking"] == package["trackingNumber"]
    ]
    assert not label["voided"]
    done = [row["reference"] for row in await trading.journal(AMAZON, "fulfilment.create")]
    assert done == [f"{package['packageReferenceId']}|{reference}"]
    invoices = [
        row
        for row in await trading.journal("sap-1", "invoice.release")
        if row["reference"].endswith(f"|{reference}")
    ]
    assert [
        {item: Decimal(str(n)) for item, n in row["detail"]["quantities"].items()} for row in invoices
    ] == [{ITEM: Decimal(2), "MUG-1": Decimal(1)}]
    asked = {row["system"]: row["found"] for row in (await trading.api.get("/v1/now"))["asked"]}
    assert asked[AMAZON] == 0


async def test_a_sale_on_one_channel_lowers_the_other(trading: Trade) -> None:
    """Whoever sells, both show what is left of the one stock; and what Amazon counted down by itself is not taken off twice."""
    item = "LMP-2"
    await until_shown(trading, trade.OPENING_STOCK, item)
    sold_at_amazon = await buy(trading, (item, 300))
    await until_shown(trading, trade.OPENING_STOCK - 300, item)
    sold_at_shopify = await trading.order((item, 400))
    await until_shown(trading, trade.OPENING_STOCK - 700, item)
    for reference in (sold_at_amazon, sold_at_shopify):
        await trading.until(reference, "completed")
    await until_shown(trading, trade.OPENING_STOCK - 700, item)


async def test_what_is_no_order_of_ours_is_kept_and_touches_nothing(trading: Trade) -> None:
    """Pending and Amazon-fulfilled orders claim no stock and make no thread; paid, the pending one becomes an order."""
    item = "LMP-1"
    await until_shown(trading, trade.OPENING_STOCK, item)
    pending = await buy(trading, (item, 5), pending=True)
    await buy(trading, (item, 7), afn=True)
    for why in ("Pending", "AFN", "a hint"):
        await until_ignored(trading, why)
    found = (await trading.api.get("/v1/threads", kind="order", limit="500"))["threads"]
    assert all(pending not in str(thread) for thread in found)
    assert (await shown(trading, item))[0] in range(
        trade.OPENING_STOCK - KEPT_BACK_MAX, trade.OPENING_STOCK + 1
    )

    await trading.twin(AMAZON, f"/orders/{pending.partition('/')[2]}/pay", {}, "POST")
    await trading.until(pending, "completed")
    await until_shown(trading, trade.OPENING_STOCK - 5, item)


async def test_a_buyer_who_asks_to_cancel_holds_the_order(trading: Trade) -> None:
    """It waits for customer service while Amazon shows it as open; cancelled there, it is cancelled here, and nothing was taken for it."""
    item = "BKS-1"
    await until_shown(trading, trade.OPENING_STOCK, item)
    await trading.twin("sap-1", "/quirks", {"unavailable": 1.0}, "PUT")
    reference = await buy(trading, (item, 2))
    number = reference.partition("/")[2]
    await trading.until(reference, "checking")
    await trading.twin(AMAZON, f"/orders/{number}/ask", {}, "POST")

    async def held() -> bool:
        answer = await trading.api.call("GET", f"/v1/threads/story/order/{reference}")
        return answer.status == 200 and any(
            case["cause"] == "buyer asks to cancel" for case in answer.json()["cases"]
        )

    await eventually(held, what="customer service has a case")
    await trading.twin("sap-1", "/quirks", {"unavailable": 0.0}, "PUT")
    await trading.twin(AMAZON, f"/orders/{number}/cancel", {}, "POST")
    await trading.until(reference, "cancelled")
    assert (await shown(trading, item))[0] in range(
        trade.OPENING_STOCK - KEPT_BACK_MAX, trade.OPENING_STOCK + 1
    )
    assert [
        x for x in await trading.journal(AMAZON, "fulfilment.create") if x["reference"].endswith(number)
    ] == []


async def test_an_order_that_was_never_paid_ends(trading: Trade) -> None:
    """Cancelled while it was pending, it is over for the hub too: it waits for nothing, and nothing was sold."""
    item = "CBL-2"
    await until_shown(trading, trade.OPENING_STOCK, item)
    reference = await buy(trading, (item, 2), pending=True)
    await trading.twin(AMAZON, f"/orders/{reference.partition('/')[2]}/cancel", {}, "POST")
    await trading.until(reference, "cancelled")
    assert (await shown(trading, item))[0] in range(
        trade.OPENING_STOCK - KEPT_BACK_MAX, trade.OPENING_STOCK + 1
    )


async def test_what_we_cannot_serve_a_person_cancels_at_amazon(trading: Trade) -> None:
    """The case says where; once it is done there, a retry of the case finds it done, and nobody is asked any more."""
    ghost = {"sku": trade.UNKNOWN_ITEM, "quantity": 1, "price": "1.00"}
    [made] = await trading.twin(AMAZON, "/orders", {"orders": [{"lines": [ghost]}]}, "POST")
    reference = f"{AMAZON}/{made['id']}"
    await trading.until(reference, "rejected")

    async def cases() -> list[dict[str, Any]]:
        return list((await trading.api.get(f"/v1/threads/story/order/{reference}"))["cases"])

    found: Any = await eventually(cases, what="a person is asked to cancel it")
    [case] = found
    assert f"cancel order {made['id']} in Seller Central" in case["title"]
    await trading.twin(AMAZON, f"/orders/{made['id']}/cancel", {}, "POST")
    answer = await trading.api.post(f"/v1/cases/{case['number']}/retry", {"reason": "cancelled by hand"})
    assert answer.status == 202, answer.body

    async def settled() -> bool:
        return not await cases()

    await eventually(settled, what="nobody is asked any more")
