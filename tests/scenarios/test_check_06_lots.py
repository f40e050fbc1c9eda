"""DOMAIN check 6: the lot that expires first leaves first; what is held or expired never does."""

from datetime import UTC, datetime, timedelta

from e2e.running import eventually
from scenarios.goods import broken_law, lots, make_known, tell, until_shown
from scenarios.group import Group


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


async def test_first_expired_first_out_excludes_hold(group: Group) -> None:
    """The shop shows the lots that may be sold; an order takes the one that expires first, and no held or expired one."""
    item = "LOT-1"
    await make_known(group, item)
    await tell(group, "stock.received.v1", item, 50, lot="OLD", expires_on=day(-1))
    await tell(group, "stock.received.v1", item, 30, lot="RECALLED", expires_on=day(2))
    await tell(group, "stock.held.v1", item, 30, lot="RECALLED", reason="recall")
    await tell(group, "stock.received.v1", item, 40, lot="LATE", expires_on=day(300))
    await tell(group, "stock.received.v1", item, 4, lot="SOON", expires_on=day(5))
    await until_shown(group, item, 44)

    reference = await group.buy((item, 6))

    async def claimed() -> bool:
        return sum((await lots(group, item, "firm_claim")).values()) == 6

    await eventually(claimed, what="the order has its stock")
    assert await lots(group, item, "firm_claim") == {"SOON": 4, "LATE": 2}
    assert await lots(group, item) == {"OLD": 50, "LATE": 38}
    assert await lots(group, item, "quarantine") == {"RECALLED": 30}

    async def shared() -> bool:
        lines = (await group.story(f"order/{reference}"))["lines"]
        return {x["lot"]: float(x["ordered"]) for x in lines if x["item"] == item} == {"SOON": 4, "LATE": 2}

    await eventually(shared, what="the order's lines say which lots are theirs")
    await until_shown(group, item, 38)
    await group.until(reference, "approved", "released")
    await group.cancel(reference)
    await group.until(reference, "cancelled")
    await until_shown(group, item, 44)
    assert await lots(group, item) == {"OLD": 50, "LATE": 40, "SOON": 4}


async def test_the_lot_that_the_warehouse_takes_is_the_one_that_left(group: Group) -> None:
    """The hub set another lot aside; ledger and warehouse agree lot by lot once the goods are gone."""
    item = "LOT-2"
    await make_known(group, item)
    await group.twin("wms-1", "/stock", {item: {"quantity": "20", "lot": "L-20"}}, "PUT")
    await until_shown(group, item, 20)
    await tell(group, "stock.received.v1", item, 5, lot="SOON", expires_on=day(5))
    await until_shown(group, item, 25)

    reference = await group.buy((item, 3))
    await group.until(reference, "completed")

    assert await lots(group, item) == {"L-20": 17, "SOON": 5}
    for bucket in ("firm_claim", "allocated", "picked"):
        assert await lots(group, item, bucket) == {}
    assert await broken_law(group) == []
    assert (await group.twin("wms-1", "/stock"))[item]["quantity"] == "17"
    assert await group.booked(reference, "goods_issue.post") == {item: 3}
