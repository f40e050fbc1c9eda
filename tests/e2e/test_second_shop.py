"""A second shop, of another kind: nothing but its folder and a landscape file is needed for it to trade."""

from collections.abc import AsyncIterator, Callable

import pytest

from crossdock.demo import trade
from e2e.running import RunningHub, eventually, stop
from e2e.second_shop import NAME, add_second_shop
from e2e.trading import Trade, trading_twins


@pytest.fixture
async def shops(start_hub: Callable[..., RunningHub]) -> AsyncIterator[Trade]:
    """A hub that trades with seven twins: the usual six and the second shop."""
    hub = start_hub("second-shop", settings={"business_clock_rate": 20.0}, edit=add_second_shop)
    try:
        async with trading_twins(hub) as trading:
            yield trading
    finally:
        stop(hub)


async def place(shops: Trade, *lines: tuple[str, int]) -> str:
    known = trade.products()
    items = [{"sku": s, "quantity": n, "price": known.get(s, {}).get("price", "1.00")} for s, n in lines]
    [made] = await shops.twin(
        NAME, "/orders", {"orders": [{"lines": items, "currency": trade.CURRENCY}]}, "POST"
    )
    return f"{NAME}/{made['id']}"


async def test_orders_of_the_second_shop_go_the_whole_way(shops: Trade) -> None:
    """Shipped and invoiced, and completed in the shop with one shipment, although answers are lost; an unknown item is cancelled there."""
    await shops.twin(NAME, "/products", {sku: {} for sku in trade.products()}, "PUT")
    await shops.twin(NAME, "/quirks", {"answer_lost": 0.5, "chatty_plugin": 0.2}, "PUT")
    skus = list(trade.products())[:2]
    good, unknown = await place(shops, (skus[0], 2), (skus[1], 1)), await place(shops, ("NO-SUCH-ITEM", 1))
    await shops.until(good, "completed")
    await shops.until(unknown, "rejected")
    await shops.twin(NAME, "/quirks", {"answer_lost": 0.0, "chatty_plugin": 0.0}, "PUT")

    async def told() -> bool:
        shown = {f"{NAME}/{order['id']}": order["status"] for order in await shops.twin(NAME, "/orders")}
        return (shown[good], shown[unknown]) == ("completed", "cancelled")

    await eventually(told, what="the shop shows one order as completed and one as cancelled")
    shipments = [row["reference"].partition("|")[2] for row in await shops.journal(NAME, "fulfilment.create")]
    assert shipments == [good]
    assert [row["reference"] for row in await shops.journal(NAME, "order.cancel")] == [unknown]
