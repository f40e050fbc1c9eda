"""DOMAIN check 1: partial, split and merged shipments; what the shop, ERP and warehouse count ties out."""

from decimal import Decimal

from e2e.running import eventually
from scenarios.goods_between import erp_stock
from scenarios.group import Group


async def test_one_line_over_three_packages_two_carriers_and_two_nodes(group: Group) -> None:
    """Sixty from the first site in two packages through the TMS, forty from the second by parcel; all books say hundred, and the
    ERP's stock of each plant what left its site.
    """
    plants = {"1010": {"SPLIT-1": {"unrestricted": "60"}}, "1020": {"SPLIT-1": {"unrestricted": "45"}}}
    await group.twin("sap-1", "/material_stock", plants, "PUT")
    async with group.quirks("wms-1", split_packages=1.0):
        reference = await group.buy(("SPLIT-1", 100))
        await group.until(reference, "completed")

    threads = await group.shipments(reference)
    stories = [await group.story(thread) for thread in threads]
    packages = [package for story in stories for package in story["packages"]]
    assert len(threads) == 2
    assert len(packages) == 3
    assert sorted(x["answer"] for story in stories for x in story["decisions"]) == [
        "as a parcel with UPS",
        "tendered through Oracle",
    ]
    assert await group.left(reference) == {"SPLIT-1": Decimal(100)}
    assert await group.booked(reference, "goods_issue.post") == {"SPLIT-1": Decimal(100)}
    assert await group.booked(reference, "invoice.release") == {"SPLIT-1": Decimal(100)}
    stock = [await erp_stock(group, "sap-1", "SPLIT-1", plant) for plant in plants]
    assert [Decimal(x["unrestricted"]) for x in stock] == [0, 5]
    [shown] = [x for x in await group.twin("shopify-eu", "/orders") if f"shopify-eu/{x['id']}" == reference]
    assert sum(line["quantity"] for f in shown["fulfilments"] for line in f["lines"]) == 100
    assert await group.line(reference, "SPLIT-1") == {
        "ordered": Decimal(100), "shipped": Decimal(100), "delivered": Decimal(100),
    }  # fmt: skip


async def test_one_package_with_three_orders(group: Group) -> None:
    """Three orders of one customer leave in one shipment: linked, each with its own goods issue, freight shared exactly."""
    customer = {
        "id": 77001, "first_name": "Ada", "last_name": "Merge", "email": "ada@example.org", "phone": "+4930555", "address1": "Kade 12",
        "city": "Utrecht", "zip": "3511 AB", "country_code": "NL",
    }  # fmt: skip
    async with group.quirks("wms-1", merge_orders=1.0):
        references = [await group.buy((sku, 2), customer=customer) for sku in ("WID-1", "MUG-1", "PEN-1")]
        for reference in references:
            await group.until(reference, "completed")

    threads = {thread for reference in references for thread in await group.shipments(reference)}
    assert len(threads) == 1
    [thread] = threads
    story = await group.story(thread)
    assert sorted(x["thread"] for x in story["linked"]) == sorted(f"order/{x}" for x in references)

    async def accrued() -> list[dict[str, object]]:
        shipment = thread.partition("/")[2]
        return [x for x in await group.journal("sap-1", "freight.accrue") if x["reference"] == shipment]

    [accrual] = await eventually(accrued, what="the freight is accrued once")
    for reference, sku in zip(references, ("WID-1", "MUG-1", "PEN-1"), strict=True):
        assert await group.booked(reference, "goods_issue.post") == {sku: Decimal(2)}
        assert await group.booked(reference, "invoice.release") == {sku: Decimal(2)}
    borne = {order: Decimal(amount) for order, amount in accrual["detail"]["shares"].items()}
    assert set(borne) == set(references)
    assert sum(borne.values()) == Decimal(accrual["detail"]["amount"])
