"""The founding scenario with live twins: from a signed order in the shop to an invoice, whatever comes between."""

import asyncio
import json
import random
import sqlite3
from typing import Any

import pytest

from crossdock.demo.trade import UNKNOWN_ITEM
from e2e.running import eventually
from e2e.trading import Trade, until_books_tie

ENDED = ("completed", "cancelled", "rejected")


async def shipments_of(trading: Trade, reference: str) -> list[str]:
    """What other systems know its shipments by: the warehouse's number behind its name."""
    return [f"wms-1/{o['shipment']}" for o in await trading.twin("wms-1", "/orders") if o["reference"] == reference and o["shipment"]]  # fmt: skip


async def retry_cases(trading: Trade, cause: str) -> None:
    """What a person does when the cause is gone."""
    for case in (await trading.api.get("/v1/cases"))["cases"]:
        if case["cause"] == cause and case["blocked"]:
            await trading.api.post(f"/v1/cases/{case['id']}/retry", {"reason": "the cause is gone"})


async def open_cases(trading: Trade, reference: str) -> list[dict[str, Any]]:
    story = await trading.api.get(f"/v1/threads/story/order/{reference}")
    return [case for case in story.get("cases", []) if not case.get("closed_at")]


async def test_an_order_reaches_an_invoice(trading: Trade) -> None:
    """One goods issue and one invoice with their numbers in the ERP, and the story says so."""
    reference = await trading.order(("WID-1", 2), ("CBL-1", 1))

    await trading.until(reference, "completed")

    [shipment] = await shipments_of(trading, reference)
    both = f"{shipment}|{reference}"
    for effect, key in (
        ("sales_order.create", reference),
        ("goods_issue.post", both),
        ("invoice.release", both),
    ):
        rows = [row for row in await trading.journal("sap-1", effect) if row["reference"] == key]
        assert len(rows) == 1, effect
    story = await trading.api.get(f"/v1/threads/story/order/{reference}")
    assert story["done"] is True
    assert story["tone"] == "done"
    documents = {row["document"] for row in story["systems"]}
    invoice = next(r for r in await trading.journal("sap-1", "invoice.release") if r["reference"] == both)
    assert invoice["key"] in documents or invoice["key"] in json.dumps(story)
    await until_books_tie(trading)


async def test_the_shop_shows_what_is_left(trading: Trade) -> None:
    """Stock that was sold is no longer offered: availability is published after the claim."""
    before = (await trading.twin("wms-1", "/stock"))["PEN-1"]["quantity"]
    reference = await trading.order(("PEN-1", 5))
    await trading.until(reference, "completed")

    async def published() -> bool:
        left = (await trading.twin("wms-1", "/stock"))["PEN-1"]["quantity"]
        shown = (await trading.twin("shopify-eu", "/inventory"))["PEN-1"]
        return float(left) == float(before) - 5 and float(shown) == float(left)

    await eventually(published, what="the shop shows what the warehouse has")


async def test_any_number_leads_to_the_order(trading: Trade) -> None:
    """The shop's number, the shipment, the tracking number and the ERP's document all find it."""
    reference = await trading.order(("MUG-1", 1))
    await trading.until(reference, "completed")
    [shipment] = await shipments_of(trading, reference)
    [order] = [o for o in await trading.twin("shopify-eu", "/orders") if reference.endswith(f"/{o['id']}")]
    tracking = [p["tracking"] for p in await trading.twin("ups-1", "/parcels") if p["reference"] == shipment]
    sales_order = [
        r["key"] for r in await trading.journal("sap-1", "sales_order.create") if r["reference"] == reference
    ]

    for number in (order["name"], str(order["id"]), shipment.rpartition("/")[2], *tracking, *sales_order):
        hits = (await trading.api.get("/v1/find", q=number))["hits"]
        near = {h["found"]["thread"] for h in hits} | {x["thread"] for h in hits for x in h["linked"]}
        assert f"order/{reference}" in near, number


async def test_a_cancellation_before_release_stops_everything(trading: Trade) -> None:
    """Nothing is sent to the warehouse, nothing is posted, and the shop hears it."""
    reference = await trading.order(("GAD-1", 1), hold_seconds=0.6)
    await trading.twin("sap-1", "/credit", {"blocked_references": [reference]}, "PUT")
    await trading.until(reference, "held")

    await trading.twin("shopify-eu", f"/orders/{reference.partition('/')[2]}/cancel", {}, "POST")
    await trading.until(reference, "cancelled")

    assert [o for o in await trading.twin("wms-1", "/orders") if o["reference"] == reference] == []
    for effect in ("sales_order.create", "goods_issue.post", "invoice.release"):
        assert [r for r in await trading.journal("sap-1", effect) if reference in r["reference"]] == []
    assert await open_cases(trading, reference) == []


async def test_a_cancellation_at_any_moment_ends_well(trading: Trade) -> None:
    """Cancelled in time or too late: the books say the same either way."""
    references = [await trading.order(("GAD-2", 1)) for _ in range(5)]

    for place, reference in enumerate(references):
        await trading.twin("shopify-eu", f"/orders/{reference.partition('/')[2]}/cancel", {}, "POST")
        await asyncio.sleep(0.05 * place)

    for reference in references:
        await trading.until(reference, *ENDED)
    await until_books_tie(trading)


async def test_refused_credit_holds_the_order_until_it_is_released(trading: Trade) -> None:
    """A case for finance, nothing at the warehouse; once released and retried, the order goes on to its invoice."""
    reference = await trading.order(("LMP-1", 1), hold_seconds=0.6)
    await trading.twin("sap-1", "/credit", {"blocked_references": [reference]}, "PUT")
    await trading.until(reference, "held")

    cases = [c for c in (await trading.api.get("/v1/cases"))["cases"] if c["cause"] == "credit"]
    assert cases
    assert cases[0]["owner"] == "finance"
    assert [o for o in await trading.twin("wms-1", "/orders") if o["reference"] == reference] == []

    await trading.twin("sap-1", "/credit/release", {"reference": reference}, "POST")
    await retry_cases(trading, "credit")
    await trading.until(reference, "completed")
    assert await open_cases(trading, reference) == []


async def test_an_unknown_item_rejects_the_order(trading: Trade) -> None:
    """The ERP does not know it: the order is rejected and cancelled in the shop, with nothing posted."""
    reference = await trading.order(("WID-1", 1), (UNKNOWN_ITEM, 1))

    await trading.until(reference, "rejected")

    async def cancelled() -> bool:
        orders = await trading.twin("shopify-eu", "/orders")
        return any(o["cancelled"] for o in orders if reference.endswith(f"/{o['id']}"))

    await eventually(cancelled, what="the shop shows the order as cancelled")
    assert [
        r for r in await trading.journal("sap-1", "sales_order.create") if r["reference"] == reference
    ] == []


async def test_a_price_that_differs_is_put_before_finance(trading: Trade) -> None:
    """Sold below the ERP's price: held, with both prices named; cancelled by the shop, it is over."""
    [made] = await trading.twin(
        "shopify-eu", "/orders",
        {"orders": [{"lines": [{"sku": "BKS-1", "quantity": 1, "price": "1.00", "title": "Book stand"}], "currency": "EUR"}]}, "POST",
    )  # fmt: skip
    reference = f"shopify-eu/{made['id']}"

    await trading.until(reference, "held")

    case = next(c for c in (await trading.api.get("/v1/cases"))["cases"] if c["cause"] == "price")
    assert "1.00" in case["title"]
    assert "27.30" in case["title"]
    await trading.twin("shopify-eu", f"/orders/{made['id']}/cancel", {}, "POST")
    await trading.until(reference, "cancelled")


MISCHIEF = {
    "shopify-eu": {"duplicate_webhook": 1.0, "reordered_webhook": 1.0, "update_storm": 1.0},
    "wms-1": {"duplicate_event": 1.0, "reordered_event": 1.0},
    "ups-1": {"duplicate_scan": 1.0, "late_scan": 1.0, "early_scan": 1.0, "garbage_scan": 0.5},
}


async def test_doubled_and_reordered_webhooks_change_nothing(trading: Trade) -> None:
    """Every webhook twice and in another order: each order still has one goods issue and one invoice."""
    for system, quirks in MISCHIEF.items():
        await trading.twin(system, "/quirks", quirks, "PUT")

    references = [await trading.order(("WID-2", 1), ("BAG-1", 2)) for _ in range(4)]
    for reference in references:
        await trading.until(reference, "completed")

    await until_books_tie(trading)


LOST_ANSWERS = {
    "sap-1": {"answer_lost": 0.3, "csrf_stale": 0.2, "etag_conflict": 0.2},
    "wms-1": {"answer_lost": 0.3, "token_expired": 0.2},
    "ups-1": {"answer_lost": 0.3},
    "shopify-eu": {"answer_lost": 0.3, "throttled": 0.2},
    "crm": {"answer_lost": 0.2},
}


async def test_answers_lost_after_the_commit_double_nothing(trading: Trade) -> None:
    """Many of the targets' answers never arrive: what was done is found by looking up, not done again."""
    for system, quirks in LOST_ANSWERS.items():
        await trading.twin(system, "/quirks", quirks, "PUT")

    references = [await trading.order(("CBL-2", 1)) for _ in range(2)]
    for reference in references:
        await trading.until(reference, "completed")

    await until_books_tie(trading)


def callbacks(trading: Trade, words: set[str]) -> list[tuple[str, dict[str, str], bytes]]:
    """Every callback that a twin ever sent about these orders and shipments, as it was sent."""
    found = []
    for process in trading.twins.processes.values():
        with sqlite3.connect(f"file:{process.setup['books']}?mode=ro", uri=True) as books:
            for reference, url, headers, body in books.execute(
                "select reference, url, headers, body from outbox"
            ):
                if any(word in reference or word.encode() in bytes(body) for word in words):
                    found.append((url, json.loads(headers), bytes(body)))
        books.close()
    return found


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any-seed"])
async def test_everything_said_again_in_any_order_changes_nothing(trading: Trade, seed: int) -> None:
    """A finished order's whole correspondence, twice and shuffled: all is acknowledged, no effect is added."""
    reference = await trading.order(("GAD-1", 2))
    await trading.until(reference, "completed")
    await until_books_tie(trading)
    shipments = await shipments_of(trading, reference)
    words = {reference.partition("/")[2], *shipments, *(x.rpartition("/")[2] for x in shipments)}
    words |= {p["tracking"] for p in await trading.twin("ups-1", "/parcels") if p["reference"] in words}
    sent = callbacks(trading, words) * 2
    random.Random(seed).shuffle(sent)
    assert len(sent) > 10
    before = {name: len(await trading.twin(name, "/journal")) for name in trading.twins.processes}

    for url, headers, body in sent:
        async with trading.api.session.post(url, data=body, headers=headers) as answer:
            assert answer.status in (200, 202), f"seed {seed}"

    await asyncio.sleep(1.0)
    assert await trading.api.phase(f"order/{reference}") == "completed", f"seed {seed}"
    after = {name: len(await trading.twin(name, "/journal")) for name in trading.twins.processes}
    assert after == before, f"seed {seed}"
