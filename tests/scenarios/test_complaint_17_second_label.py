"""open-mercato#3294, InvenTree#11650: a retry buys a second label and posts the journal twice. Here the effect was journaled before."""

from decimal import Decimal

from scenarios.group import Group


async def test_lost_answers_and_retries_buy_one_label_and_post_once(group: Group) -> None:
    """The carrier and the ERP lose every other answer: one label, one goods issue, one accrual, one invoice."""
    async with group.quirks("ups-1", answer_lost=0.5), group.quirks("sap-1", answer_lost=0.5):
        references = [await group.buy(("PEN-1", 1)) for _ in range(4)]
        for reference in references:
            await group.until(reference, "completed")

    for reference in references:
        [thread] = await group.shipments(reference)
        shipment = thread.partition("/")[2]
        for system, effect in (("ups-1", "label.create"), ("sap-1", "freight.accrue")):
            assert len([x for x in await group.journal(system, effect) if x["reference"] == shipment]) == 1, (
                effect
            )
        for effect in ("goods_issue.post", "invoice.release"):
            assert await group.booked(reference, effect) == {"PEN-1": Decimal(1)}
