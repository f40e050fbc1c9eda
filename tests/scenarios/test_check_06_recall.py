"""DOMAIN check 6: a recall stops all that has not left, and finds every parcel that has; an unknown lot is never a "no"."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from crossdock.model.registry import TYPE_PREFIX
from e2e.running import eventually
from scenarios.callers import act, ask
from scenarios.callers import line as claimed
from scenarios.goods import broken_law, lots, make_known, tell, until_shown
from scenarios.group import Group
from scenarios.test_complaint_01_shared_component import define


async def stock(group: Group, item: str, quantity: int, lot: str) -> None:
    """So many lie in the first warehouse; its books know one lot of an item."""
    await group.twin("wms-1", "/stock", {item: {"quantity": str(quantity), "lot": lot}}, "PUT")


async def recall(group: Group, item: str, lot: str, *doing: str) -> dict[str, Any]:
    """What the command says, as a program reads it."""
    arguments = ("stock", "recall", item, "--lot", lot, *doing, "--json")
    said = await asyncio.to_thread(group.api.hub.crossdock, *arguments)
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert isinstance(found, dict)
    return found


async def until(group: Group, item: str, lot: str, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async def look() -> Any:
        found = await group.api.get(f"/v1/stock/lots/{item}", lot=lot)
        return found if true(found) else None

    found = await eventually(look, what=f"the trace of {item} {lot} says so")
    assert isinstance(found, dict)
    return found


async def stands(group: Group, thread: str, phase: str) -> bool:
    return str((await group.story(thread))["phase"]) == phase


async def shipped_by_amazon(group: Group, number: str, item: str, quantity: int) -> None:
    """From its own warehouse: what its connector makes of such a notification."""
    line = {"line": "1", "item": item, "quantity": {"value": str(quantity), "unit": "EA"}}
    event = {
        "specversion": "1.0", "id": number, "source": "amazon-1", "type": f"{TYPE_PREFIX}order.shippedElsewhere.v1",
        "subject": f"elsewhere/amazon-1/{number}", "data": {"lines": [line]},
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body


async def in_boxes(group: Group, reference: str) -> set[tuple[str, str]]:
    """(SSCC, shipment) of all that left for an order."""
    return {
        (package["sscc"], thread)
        for thread in await group.shipments(reference)
        for package in (await group.story(thread))["packages"]
    }


def boxes(rows: list[dict[str, Any]], reference: str = "") -> set[tuple[str, str]]:
    return {(x["sscc"], x["shipment"]) for x in rows if reference in ("", x["order"])}


def amount(rows: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(x["quantity"]["value"]) for x in rows), Decimal(0))


async def test_a_recall_finds_every_parcel_and_keeps_apart_what_has_no_lot(group: Group) -> None:
    """In two parcels, in a kit, taken back; another lot is left out, and what left without one may be of it."""
    item, kit = "REC-1", "REC-KIT"
    await make_known(group, item, kit)
    await define(group, kit, REC_1=2)
    await stock(group, item, 20, "L-1")
    await until_shown(group, item, 20)
    async with group.quirks("wms-1", split_packages=1.0):
        split = await group.buy((item, 4))
        await group.until(split, "completed")
    in_kit = await group.buy((kit, 1))
    await group.until(in_kit, "completed")
    sent_back = await group.buy((item, 1))
    await group.until(sent_back, "completed")
    line = (await group.story(f"order/{sent_back}"))["lines"][0]["line"]
    told = {"line": "1", "item": item, "quantity": 1, "order_line": line, "lot": "L-1"}
    receipt = (await group.twin("wms-1", "/return", {"order": sent_back, "lines": [told]}, "POST"))["receipt"]
    await stock(group, item, 13, "L-2")
    other = await group.buy((item, 1))
    await group.until(other, "completed")
    await stock(group, item, 12, "")
    unknown = await group.buy((item, 2))
    await group.until(unknown, "completed")

    await shipped_by_amazon(group, "306-1-1", item, 2)

    found = await until(group, item, "L-1", lambda x: x["returned"] != [] and len(x["may_be"]) == 2)
    by_order = {x: [p for p in found["parcels"] if p["order"] == x] for x in (split, in_kit, sent_back)}
    assert {x["order"] for x in found["parcels"]} == {split, in_kit, sent_back}
    assert {x: amount(rows) for x, rows in by_order.items()} == {split: 4, in_kit: 2, sent_back: 1}
    for reference in (split, in_kit, sent_back):
        assert boxes(found["parcels"], reference) == await in_boxes(group, reference)
    assert len(boxes(by_order[split])) == 2
    assert {x["sold_as"] for x in by_order[in_kit]} == {kit}
    [back] = by_order[sent_back]
    assert back["returns"] == [f"return/wms-1/{receipt}"]
    [returned] = found["returned"]
    assert (returned["thread"], returned["order"], returned["lot"]) == (
        f"return/wms-1/{receipt}",
        sent_back,
        "L-1",
    )
    assert all(x["stands"] == "left" and x["tracking"] and x["customer"] for x in found["parcels"])
    assert {x["order"] for x in found["may_be"]} == {unknown, "amazon-1/306-1-1"}
    assert boxes(found["may_be"], unknown) == await in_boxes(group, unknown)
    assert "@" not in json.dumps(found)

    command = await recall(group, item, "L-1")
    assert {name: command[name] for name in ("parcels", "may_be", "returned", "places")} == {
        name: found[name] for name in ("parcels", "may_be", "returned", "places")
    }
    text = await asyncio.to_thread(group.api.hub.crossdock, "stock", "recall", item, "--lot", "L-1")
    assert all(sscc in text.stdout for sscc, _ in boxes(found["parcels"]) | boxes(found["may_be"], unknown))
    assert "order amazon-1/306-1-1, shipped" in text.stdout
    assert "lot unknown" in text.stdout


async def test_nothing_of_a_recalled_lot_is_sold_or_leaves(group: Group) -> None:
    """On hand, set aside, in work: all of it is held; the order is packed again from another lot, later receipts are held too."""
    item = "REC-2"
    await make_known(group, item)
    await stock(group, item, 10, "BAD")
    await until_shown(group, item, 10)
    assert (await ask(group, "REC-2-claim", claimed(item, "3"))).status == 201
    async with group.quirks("ups-1", unavailable=1.0):  # without a label it stays in the house
        reference = await group.buy((item, 2))
        await group.until(reference, "shipping")
        [packed] = await group.shipments(reference)
        found = await recall(group, item, "BAD", "--hold", "listeria")
        await eventually(lambda: stands(group, packed, "cancelled"), what="the box is taken apart")
    assert {x["thread"] for x in found["holders"]} == {"claim/REC-2-claim", f"order/{reference}"}
    await tell(group, "stock.received.v1", item, 5, lot="BAD")
    await until_shown(group, item, 0)
    await stock(group, item, 10, "GOOD")
    await tell(group, "stock.received.v1", item, 6, lot="GOOD")
    await group.until(reference, "completed")

    found = await until(group, item, "BAD", lambda x: len(x["holders"]) == 1)
    assert found["parcels"] == []
    assert found["recalled"]["reason"] == "listeria"
    assert [x["thread"] for x in found["holders"]] == ["claim/REC-2-claim"]
    [place] = found["places"]
    assert {k: Decimal(v) for k, v in place["buckets"].items()} == {"firm_claim": 3, "quarantine": 12}
    good = await until(group, item, "GOOD", lambda x: x["parcels"] != [])
    assert {x["order"] for x in good["parcels"]} == {reference}
    assert amount(good["parcels"]) == 2
    assert await lots(group, item) == {"GOOD": 4}
    assert [x["cause"] for x in await group.cases("claim/REC-2-claim")] == ["recall"]
    assert [x["cause"] for x in await group.cases(f"stock/SITE1/{item}")] == ["recall"]
    assert await group.cases(f"order/{reference}") == []

    assert (await act(group, "REC-2-claim", "release")).status == 200
    assert await lots(group, item, "quarantine") == {"BAD": 15}
    await recall(group, item, "BAD", "--lift", "the sample was wrong")
    await until(group, item, "BAD", lambda x: x["recalled"] is None)
    await tell(group, "stock.releasedFromHold.v1", item, 15, lot="BAD", reason="tested")
    await until_shown(group, item, 19)
    assert await group.cases(f"stock/SITE1/{item}") == []
    assert await broken_law(group) == []


async def test_what_cannot_be_recalled_is_said(group: Group) -> None:
    """No reason, no lot, an item nobody ever held, a lot that is not recalled: each answer says which it is."""
    await make_known(group, "REC-3")
    await stock(group, "REC-3", 1, "L-1")
    await until_shown(group, "REC-3", 1)
    path = "/v1/stock/lots/REC-3"
    answers = [
        await group.api.post(f"{path}/recall", {"lot": "L-1", "reason": " "}),
        await group.api.post(f"{path}/recall", {"lot": "", "reason": "x"}),
        await group.api.post(f"{path}/lift", {"lot": "L-1", "reason": "x"}),
        await group.api.call("GET", path),
        await group.api.call("GET", f"{path}?lot=L-1&after=zz"),
        await group.api.call("GET", "/v1/stock/lots/NOBODY-HAS-IT?lot=L-1"),
        await group.api.call("GET", "/v1/stock/serials/REC-3"),
    ]  # fmt: skip
    said = [(x.status, x.json()["type"].rpartition("/")[2].rpartition(":")[2]) for x in answers]

    assert said == [
        (400, "reason-missing"), (400, "bad-query"), (404, "no-such-recall"), (400, "bad-query"), (400, "bad-query"),
        (404, "no-such-stock"), (400, "bad-query"),
    ]  # fmt: skip
    assert await lots(group, "REC-3") == {"L-1": 1}
