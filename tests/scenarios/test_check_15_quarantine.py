"""DOMAIN check 15: what is in quality control or damaged is on hand, and nobody can buy it."""

from scenarios.goods import make_known, tell, totals, until_shown
from scenarios.group import Group


async def test_what_is_put_aside_is_on_hand_and_not_for_sale(group: Group) -> None:
    """The shop shows less as soon as goods are held, an order for more waits, and goes on once they are released."""
    await make_known(group, "QC-1")
    await group.twin("wms-1", "/stock", {"QC-1": {"quantity": "12", "lot": ""}}, "PUT")
    await until_shown(group, "QC-1", 12)

    await tell(group, "stock.held.v1", "QC-1", 5, reason="quality check")
    await tell(group, "stock.held.v1", "QC-1", 3, reason="damaged")
    await until_shown(group, "QC-1", 4)
    assert await totals(group, "QC-1") == (12, 4)

    reference = await group.buy(("QC-1", 4))
    await until_shown(group, "QC-1", 0)
    await group.until(reference, "completed")
    assert await totals(group, "QC-1") == (8, 0)

    await tell(group, "stock.releasedFromHold.v1", "QC-1", 5, reason="passed")
    await until_shown(group, "QC-1", 5)
    assert await totals(group, "QC-1") == (8, 5)


async def test_an_order_does_not_get_what_is_held(group: Group) -> None:
    """Although the goods lie there: what is not for sale waits for stock, and comes when the hold is lifted."""
    await make_known(group, "QC-2")
    await group.twin("wms-1", "/stock", {"QC-2": {"quantity": "6", "lot": ""}}, "PUT")
    await until_shown(group, "QC-2", 6)
    await tell(group, "stock.held.v1", "QC-2", 6, reason="recall")
    await until_shown(group, "QC-2", 0)

    reference = await group.buy(("QC-2", 2))
    await group.until(reference, "held")
    assert await totals(group, "QC-2") == (6, 0)

    await tell(group, "stock.releasedFromHold.v1", "QC-2", 6, reason="other lot recalled")
    await group.until(reference, "completed")
    assert await group.left(reference) == {"QC-2": 2}
    await until_shown(group, "QC-2", 4)
