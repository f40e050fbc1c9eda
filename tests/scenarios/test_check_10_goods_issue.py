"""DOMAIN check 10: the truck left and the ERP refuses or does not answer: never two goods issues, never an early invoice."""

from decimal import Decimal

from e2e.running import eventually
from scenarios.group import Group

ONE = {"WID-1": Decimal(1)}


async def test_a_closed_period_blocks_the_invoice_until_it_is_settled(group: Group) -> None:
    """Refused for a business reason: a case for finance, the invoice waits; after the retry one of each."""
    async with group.quirks("sap-1", period_closed=1.0):
        reference = await group.buy(("WID-1", 1))

        async def refused() -> dict[str, object] | None:
            found = await group.cases(f"order/{reference}")
            return next((x for x in found if x["owner"] == "finance"), None)

        case = await eventually(refused, what="finance has a case")
        assert await group.booked(reference, "goods_issue.post") == {}
        assert await group.booked(reference, "invoice.release") == {}
        sentence = (await group.story(f"order/{reference}"))["sentence"]
        assert "goods issue" in sentence

    await group.retry(case)
    await group.until(reference, "completed")
    assert await group.booked(reference, "goods_issue.post") == ONE
    assert await group.booked(reference, "invoice.release") == ONE


async def test_lost_answers_post_nothing_twice(group: Group) -> None:
    """Half of the ERP's answers never come: what it did is looked up, and its books hold one of each."""
    async with group.quirks("sap-1", answer_lost=0.5):
        references = [await group.buy(("WID-1", 1)) for _ in range(4)]
        for reference in references:
            await group.until(reference, "completed")

    for reference in references:
        assert await group.booked(reference, "goods_issue.post") == ONE
        assert await group.booked(reference, "invoice.release") == ONE
