"""Complaint 5: absolute numbers overwrite what the shop sold meanwhile, and its own orders are subtracted twice."""

from scenarios.goods import make_known, tell, told, until_shown
from scenarios.group import Group


async def test_the_shops_own_orders_are_never_subtracted_twice(group: Group) -> None:
    """By the shop's books: it is told what nobody has, with its own orders off once, before they leave and after."""
    await make_known(group, "PUSH-1")
    await group.twin("wms-1", "/stock", {"PUSH-1": {"quantity": "50", "lot": ""}}, "PUT")
    await until_shown(group, "PUSH-1", 50)

    orders = [await group.buy(("PUSH-1", pieces)) for pieces in (3, 4)]
    await until_shown(group, "PUSH-1", 43)
    for reference in orders:
        await group.until(reference, "completed")
    await until_shown(group, "PUSH-1", 43)

    assert set(await told(group, "PUSH-1")) <= {50, 47, 46, 43}
    assert (await told(group, "PUSH-1"))[-1] == 43


async def test_a_cancelled_order_comes_back_once(group: Group) -> None:
    """The shop puts its pieces back itself; the number that the hub tells it then is the same."""
    await make_known(group, "PUSH-2")
    await group.twin("wms-1", "/stock", {"PUSH-2": {"quantity": "20", "lot": ""}}, "PUT")
    await until_shown(group, "PUSH-2", 20)

    async with group.quirks("wms-1", slow=1.0):
        reference = await group.buy(("PUSH-2", 5))
        await group.cancel(reference)
    await group.until(reference, "cancelled", "rejected", "completed")
    left = 20 if await group.api.phase(f"order/{reference}") == "cancelled" else 15
    await until_shown(group, "PUSH-2", left)

    assert max(await told(group, "PUSH-2")) <= 20


async def test_what_was_sold_unheard_is_put_right_once_it_is_heard(group: Group) -> None:
    """Goods come in while an order's webhook is held back: the number forgets the order for that time, and not longer."""
    await make_known(group, "PUSH-3")
    await group.twin("wms-1", "/stock", {"PUSH-3": {"quantity": "30", "lot": ""}}, "PUT")
    await until_shown(group, "PUSH-3", 30)

    reference = await group.buy(("PUSH-3", 6), hold_seconds=3.0)
    await until_shown(group, "PUSH-3", 24)
    await tell(group, "stock.received.v1", "PUSH-3", 1)
    await group.until(reference, "approved", "released", "shipping", "shipped", "delivered", "completed")
    await until_shown(group, "PUSH-3", 25)
