"""DOMAIN checks 15 and 18: what customers send back is not for sale until it was judged, and is credited as it was sold."""

import asyncio
from decimal import Decimal
from typing import Any

from crossdock.demo import trade
from e2e.running import eventually
from scenarios.group import Group

SOLD_FOR = Decimal(trade.products()["WID-1"]["price"])


async def sold(group: Group, quantity: int = 3) -> str:
    """An order that was delivered and billed."""
    reference = await group.buy(("WID-1", quantity))
    await group.until(reference, "completed")
    return reference


async def sent_back(group: Group, reference: str, quantity: int) -> tuple[str, str]:
    """(return, receipt): approved in the shop, announced to the warehouse, and received there."""
    shop, _, number = reference.partition("/")
    made = await group.twin(shop, f"/orders/{number}/return", {"quantities": {"WID-1": quantity}}, "POST")
    thread = f"return/{shop}/{made['id']}"

    async def announced() -> Any:
        return next((x for x in await group.twin("wms-1", "/asns") if x["reference"] == thread), None)

    asn = await eventually(announced, what=f"the warehouse knows of {thread}")
    assert [(x["item"], x["quantity"]) for x in asn["lines"]] == [("WID-1", str(quantity))]
    return thread, (await group.twin("wms-1", "/receive", {"reference": thread}, "POST"))["receipt"]


async def judge(group: Group, receipt: str, *told: tuple[int, str], line: str) -> None:
    lines = [
        {"line": line, "item": "WID-1", "quantity": quantity, "disposition": what} for quantity, what in told
    ]
    await group.twin("wms-1", "/inspect", {"receipt": receipt, "lines": lines}, "POST")


async def phase(group: Group, thread: str, wanted: str) -> dict[str, Any]:
    async def look() -> Any:
        story = await group.story(thread)
        return story if story["phase"] == wanted else None

    try:
        found = await eventually(look, what=f"{thread} is {wanted}", seconds=30)
    except AssertionError as error:
        story = await group.story(thread)
        trouble = [f"{x['called']}: {x['trouble']}" for x in story["systems"] if x["trouble"]]
        raise AssertionError(f"{error}: {story['phase']}. {story['sentence']} {trouble}") from None
    assert isinstance(found, dict)
    return found


async def bucket(group: Group, name: str) -> Decimal:
    return Decimal(str((await group.stock("WID-1"))["SITE1"].get(name, 0)))


async def credited(group: Group, thread: str) -> list[dict[str, Any]]:
    """What the ERP's own books say it credited."""
    rows = await group.journal("sap-1", "credit.post")
    return [row["detail"] for row in rows if row["reference"].startswith(thread.partition("/")[2] + "|")]


async def test_a_return_is_judged_then_sold_again_and_credited_as_it_was_sold(group: Group) -> None:
    """On hand and not for sale until the inspection; then one piece is, and the ERP credits both at the price of the sale."""
    reference = await sold(group)
    before = await bucket(group, "available")
    thread, receipt = await sent_back(group, reference, 2)

    story = await phase(group, thread, "received")
    assert await bucket(group, "returned") == 2
    assert await bucket(group, "available") == before
    [line] = [x["line"] for x in (await group.twin("wms-1", "/asns"))[-1]["lines"]]
    await judge(group, receipt, (1, "RESTOCK"), (1, "SCRAP"), line=line)
    story = await phase(group, thread, "credited")

    assert await bucket(group, "returned") == 0
    assert await bucket(group, "available") == before + 1
    [credit] = await credited(group, thread)
    assert Decimal(credit["amount"]) == 2 * SOLD_FOR
    assert credit["currency"] == "EUR"
    invoices = [
        x["key"]
        for x in await group.journal("sap-1", "invoice.release")
        if x["reference"].endswith(f"|{reference}")
    ]
    assert credit["invoices"] == invoices
    [taken] = [
        x["detail"]
        for x in await group.journal("sap-1", "goods_receipt.post")
        if x["detail"]["quantities"] == {"WID-1": "2"} and x["detail"]["movement"] in ("653", "657")
    ]
    assert taken["types"] == ["blocked", "unrestricted"]
    issues = [
        x["key"]
        for x in await group.journal("sap-1", "goods_issue.post")
        if x["reference"].endswith(f"|{reference}")
    ]
    entries = (await group.api.get("/v1/stock/entries/WID-1", limit="100"))["entries"]
    judged = {x["cost_layer"] for x in entries if x["thread"] == thread and x["from_bucket"] == "returned"}
    assert judged == set(issues), "they come back at the cost of their original issue"
    assert [x["thread"] for x in story["linked"]] == [f"order/{reference}"]
    order = await group.story(f"order/{reference}")
    assert thread in [x["thread"] for x in order["linked"]]


async def test_what_nobody_authorised_is_credited_once_somebody_accepts_it(group: Group) -> None:
    """The slip names the order; stock is right at once, the credit waits for a person."""
    reference = await sold(group)
    line = (await group.story(f"order/{reference}"))["lines"][0]["line"]
    told = {"line": "1", "item": "WID-1", "quantity": 1, "order_line": line}
    receipt = (await group.twin("wms-1", "/return", {"order": reference, "lines": [told]}, "POST"))["receipt"]
    thread = f"return/wms-1/{receipt}"

    case = await group.until_case(thread, "return nobody authorised")
    await judge(group, receipt, (1, "RESTOCK"), line="1")
    await phase(group, thread, "inspected")
    assert await credited(group, thread) == []
    await group.retry(case)
    await phase(group, thread, "credited")

    [credit] = await credited(group, thread)
    assert Decimal(credit["amount"]) == SOLD_FOR


async def test_no_more_comes_back_than_left(group: Group) -> None:
    """A second return of the same piece becomes a case, and is not credited."""
    reference = await sold(group, 1)
    first, receipt = await sent_back(group, reference, 1)
    [line] = [x["lines"][0]["line"] for x in await group.twin("wms-1", "/asns") if x["reference"] == first]
    await judge(group, receipt, (1, "RESTOCK"), line=line)
    await phase(group, first, "credited")

    shop, _, number = reference.partition("/")
    made = await group.twin(shop, f"/orders/{number}/return", {"quantities": {"WID-1": 1}}, "POST")
    second = f"return/{shop}/{made['id']}"
    case = await group.until_case(second, "return beyond its order")

    assert "left and did not come back" in case["title"]
    assert await credited(group, second) == []


async def test_a_receipt_keeps_the_layer_and_the_currency_of_its_cost(group: Group) -> None:
    """As the source gave them, on the entry that they belong to; nothing is valued here, and other entries name none."""
    for number, cost in (("1", {"layer": "FIFO-7", "currency": "USD"}), ("2", None)):
        data = {"place": {"item": "COST-18", "location": "SITE1"}, "quantity": {"value": "5", "unit": "EA"}}
        event = {
            "specversion": "1.0", "id": f"cost-18-{number}", "source": "wms-1", "type": "crossdock.logistics.stock.received.v1",
            "subject": "stock/SITE1/COST-18", "data": data | ({"cost": cost} if cost else {}),
        }  # fmt: skip
        answer = await group.api.post("/v1/events", event)
        assert answer.status == 202, answer.body

    async def there() -> list[tuple[str, str]]:
        found = await group.api.call("GET", "/v1/stock/entries/COST-18", limit="10")
        entries = found.json()["entries"] if found.status == 200 else []
        return [(x["cost_layer"], x["cost_currency"]) for x in entries] if len(entries) == 2 else []

    assert sorted(await eventually(there, what="both receipts are in the ledger")) == [
        ("", ""),
        ("FIFO-7", "USD"),
    ]
    shown = await asyncio.to_thread(group.api.hub.crossdock, "stock", "show", "COST-18")
    assert "cost layer FIFO-7 USD" in shown.stdout
