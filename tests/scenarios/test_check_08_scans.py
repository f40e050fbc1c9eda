"""DOMAIN check 8: carriers' scans as they really come, and parcels that do not arrive."""

from decimal import Decimal

import pytest

from e2e.running import eventually
from scenarios.group import Group


async def buy_and_see(group: Group, phases: tuple[str, ...] = ("completed",), **quirks: float) -> str:
    async with group.quirks("ups-1", **quirks):
        reference = await group.buy(("WID-1", 1))
        await group.until(reference, *phases)
    return reference


@pytest.mark.parametrize(
    "quirk",
    [
        "local_time_only",
        "future_stamp",
        "reused_number",
        "garbage_scan",
        "d_without_delivery",
        "attempt_failed",
        "held",
    ],
)
async def test_a_delivery_is_a_delivery_whatever_comes_with_it(group: Group, quirk: str) -> None:
    """No zone, a clock a day ahead, the number's earlier life, seven-digit fractions, a failed attempt: delivered once."""
    reference = await buy_and_see(group, **{quirk: 1.0})

    [thread] = await group.shipments(reference)
    shipment = await group.story(thread)
    assert [x["milestone"] for x in shipment["packages"]] == ["delivered"]
    assert await group.booked(reference, "invoice.release") == {"WID-1": Decimal(1)}


async def test_a_failed_attempt_is_told_to_the_customer(group: Group) -> None:
    """Once, with the parcel's number; the delivery that follows is recorded in the CRM."""
    reference = await buy_and_see(group, attempt_failed=1.0)

    async def told() -> list[str]:
        rows = await group.journal("crm", "customer.notify")
        return [x["reference"] for x in rows if x["reference"].startswith(f"attempt_failed|{reference}")]

    assert len(await eventually(told, what="the CRM told the customer of the failed attempt")) == 1


@pytest.mark.parametrize(("quirk", "outcome"), [("returned", "returned"), ("lost", "lost")])
async def test_what_does_not_arrive_is_not_billed(group: Group, quirk: str, outcome: str) -> None:
    """Customer service has a case; once it is settled the order is closed without an invoice."""
    async with group.quirks("ups-1", **{quirk: 1.0}):
        reference = await group.buy(("WID-1", 1))
        case = await group.until_case(f"order/{reference}", outcome)

    assert case["owner"] == "customer service"
    assert await group.booked(reference, "invoice.release") == {}
    await group.retry(case)
    await group.until(reference, "completed")
    assert await group.booked(reference, "invoice.release") == {}


async def test_of_two_packages_one_is_lost(group: Group) -> None:
    """Partial delivery is real: one arrived, one did not, and both are shown."""
    async with group.quirks("wms-1", split_packages=1.0), group.quirks("ups-1", last_lost=1.0):
        reference = await group.buy(("WID-1", 2), ("MUG-1", 2))
        await group.until_case(f"order/{reference}", "lost")

    [thread] = await group.shipments(reference)
    assert sorted(x["milestone"] for x in (await group.story(thread))["packages"]) == ["delivered", "lost"]
    lines = [await group.line(reference, item) for item in ("WID-1", "MUG-1")]
    assert sum(x.get("delivered", Decimal(0)) for x in lines) == 2
    assert sum(x["shipped"] for x in lines) == 4
