"""DOMAIN checks 13 to 15: the warehouse counts otherwise while it works; causes are named, and both agree afterwards."""

import asyncio
import json
from decimal import Decimal
from typing import Any

from crossdock.demo import trade
from e2e.running import eventually
from scenarios.group import Group

SITE1 = "wms-1"
COUNTED = {
    "RC-1": ("100", "98", "0"),
    "RC-2": ("100", "60", "0"),
    "RC-3": ("100", "100", "4"),
    "RC-4": ("7", "7", "0"),
}
"""Item → what was told, what the books say afterwards, and how much of it is held."""


async def compared(group: Group, *more: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The run, and its differences by item, as a person would ask for them."""
    asked = ("reconcile", "run", "--system", SITE1, "--json", *more)
    said = await asyncio.to_thread(group.api.hub.crossdock, *asked, seconds=120)
    assert said.returncode == 0, said.stderr + said.stdout
    found = json.loads(said.stdout)
    return found["run"], {d["item"]: d for d in found["differences"]}


async def on_hand(group: Group, item: str) -> tuple[Decimal, Decimal]:
    """(everything there, what may be sold) by the hub."""
    answer = await group.api.call("GET", f"/v1/stock/{item}")
    if answer.status != 200:
        return Decimal(-1), Decimal(-1)
    [total] = answer.json()["totals"]
    assert total["unit"] == "EA"
    return Decimal(total["on_hand"]), Decimal(total["sellable"])


async def test_a_recount_is_classified_settled_or_approved(group: Group) -> None:
    """Small differences and holds settle by themselves, a large one waits for a person; then ledger and warehouse agree."""
    stock = {item: {"quantity": told, "lot": ""} for item, (told, _, _) in COUNTED.items()}
    await group.twin(SITE1, "/stock", stock, "PUT")
    for item, (told, _, _) in COUNTED.items():

        async def heard(item: str = item, told: str = told) -> bool:
            return (await on_hand(group, item))[0] == Decimal(told)

        await eventually(heard, what=f"the hub has heard of {item}")
    busy = next(iter(trade.products()))
    orders = [await group.buy((busy, 2)) for _ in range(6)]
    books = {item: {"quantity": now, "held": held} for item, (_, now, held) in COUNTED.items()}
    await group.twin(SITE1, "/recount", books, "PUT")

    run, found = await compared(group)

    assert run["state"] == "done"
    assert run["watermark"] > 0
    assert busy not in found
    assert "RC-4" not in found
    said = {
        item: (d["good"], d["held"], d["cause"], d["state"]) for item, d in found.items() if item in COUNTED
    }
    assert said == {
        "RC-1": ("-2", "0", "counted", "settled"), "RC-2": ("-40", "0", "counted", "open"), "RC-3": ("-4", "4", "hold", "settled"),
    }  # fmt: skip
    number = str(found["RC-2"]["id"])
    approved = await asyncio.to_thread(
        group.api.hub.crossdock, "reconcile", "approve", number, "--reason", "two people counted"
    )
    assert approved.stdout == f"difference {number}: settled\n"
    again = await asyncio.to_thread(
        group.api.hub.crossdock, "reconcile", "approve", number, "--reason", "once more"
    )
    assert again.returncode == 1

    for item, (_, now, held) in COUNTED.items():
        wanted = (Decimal(now), Decimal(now) - Decimal(held))

        async def agrees(item: str = item, wanted: tuple[Decimal, Decimal] = wanted) -> bool:
            return await on_hand(group, item) == wanted

        await eventually(agrees, what=f"the ledger follows the warehouse on {item}")
    for reference in orders:
        await group.until(reference, "completed")
    _, later = await compared(group)
    assert [item for item in later if item in COUNTED or item == busy] == []


async def test_every_number_has_its_entries(group: Group) -> None:
    """`stock show` leads from the number to the settling and its reason; the entries add up to it."""
    await group.twin(SITE1, "/stock", {"RC-9": {"quantity": "30", "lot": ""}}, "PUT")

    async def heard() -> bool:
        return (await on_hand(group, "RC-9"))[0] == 30

    await eventually(heard, what="the hub has heard of RC-9")
    await group.twin(SITE1, "/recount", {"RC-9": {"quantity": "33"}}, "PUT")
    await compared(group)

    async def followed() -> bool:
        return (await on_hand(group, "RC-9"))[0] == 33

    await eventually(followed, what="the ledger follows")
    shown = await asyncio.to_thread(group.api.hub.crossdock, "stock", "show", "RC-9", "--json")
    found = json.loads(shown.stdout)
    [place] = found["places"]
    assert [e["type"] for e in place["entries"]] == ["stock.reconciled.v1", "stock.received.v1"]
    assert sum(Decimal(e["quantity"]) for e in place["entries"]) == 33
    text = await asyncio.to_thread(group.api.hub.crossdock, "stock", "show", "RC-9")
    assert "on hand 33 EA" in text.stdout
    assert "stock.reconciled.v1 reconciled/" in text.stdout
    past = await asyncio.to_thread(
        group.api.hub.crossdock,
        "stock",
        "as-of",
        "RC-9",
        "--at",
        place["entries"][1]["occurred_at"],
        "--json",
    )
    assert json.loads(past.stdout)["totals"][0]["on_hand"] == "30"


async def test_what_cannot_be_compared_is_said(group: Group) -> None:
    """A system without a stock reading, one that does not exist, an item that nobody holds, a difference that is none."""
    hub = group.api.hub
    cases = {
        ("reconcile", "run", "--system", "ups-1"): "reads no stock",
        ("reconcile", "run", "--system", "nobody"): "no system named nobody",
        ("reconcile", "approve", "999999", "--reason", "x"): "no difference 999999",
        ("stock", "show", "NOBODY-HAS-IT"): "no place ever held",
        ("stock", "as-of", "RC-9", "--at", "yesterday"): "instant",
    }
    for arguments, sentence in cases.items():
        said = await asyncio.to_thread(hub.crossdock, *arguments)
        assert said.returncode == 1
        assert sentence in said.stderr


async def test_what_the_erp_was_not_told_is_named(group: Group) -> None:
    """After a goods issue the two agree; one that the ERP refuses is what they differ by, until it is posted."""
    item = {"price": "10.00", "currency": "EUR", "unit": "EA", "available": "1000"}
    await group.twin("sap-1", "/materials", {"RC-ERP": item}, "PUT")
    await group.twin("sap-1", "/material_stock", {"1010": {"RC-ERP": {"unrestricted": "100"}}}, "PUT")
    await group.twin(SITE1, "/stock", {"RC-ERP": {"quantity": "100", "lot": ""}}, "PUT")

    async def heard() -> bool:
        return (await on_hand(group, "RC-ERP"))[0] == 100

    await eventually(heard, what="the hub has heard of RC-ERP")
    await group.until(await group.buy(("RC-ERP", 2)), "completed")
    assert "RC-ERP" not in (await differing(group, "sap-1"))

    async with group.quirks("sap-1", period_closed=1.0):
        reference = await group.buy(("RC-ERP", 3))
        await group.until_left(reference)
        case = await group.until_case(f"order/{reference}", "period closed")
        found = await differing(group, "sap-1")
    one = found["RC-ERP"]
    assert (Decimal(one["good"]), one["cause"], one["state"]) == (3, "not_told", "open")
    assert "was refused there" in one["evidence"][0]
    await group.retry(case)
    await group.until(reference, "completed")
    assert "RC-ERP" not in (await differing(group, "sap-1"))


async def differing(group: Group, system: str) -> dict[str, dict[str, Any]]:
    said = await asyncio.to_thread(
        group.api.hub.crossdock, "reconcile", "run", "--system", system, "--json", seconds=120
    )
    assert said.returncode == 0, said.stderr + said.stdout
    return {d["item"]: d for d in json.loads(said.stdout)["differences"]}


async def test_who_may_compare_and_settle(group: Group) -> None:
    """A token of the scope `reconcile` may, one that may only read sees what was found and changes nothing."""
    hub = group.api.hub
    tokens = {}
    for scope in ("read", "reconcile"):
        made = await asyncio.to_thread(hub.crossdock, "token", "create", f"count-{scope}", "--scope", scope)
        tokens[scope] = {"Authorization": f"Bearer {made.stdout.strip()}"}
    approve = "/v1/reconciliations/differences/999999/approve"
    reason = json.dumps({"reason": "x"}).encode()

    async def status(method: str, path: str, scope: str, body: bytes | None = None) -> int:
        return (await group.api.call(method, path, body, headers=tokens[scope])).status

    async def known() -> bool:
        return (
            await status("GET", "/v1/reconciliations", "read") == 200
            and await status("POST", approve, "reconcile", reason) != 401
        )

    await eventually(known, what="the hub knows the tokens")
    assert await status("POST", "/v1/reconciliations", "read", json.dumps({"system": SITE1}).encode()) == 403
    assert await status("POST", approve, "read", reason) == 403
    assert await status("POST", approve, "reconcile", reason) == 404
    assert await status("POST", approve, "reconcile", b"{}") == 400
    assert await status("GET", "/v1/reconciliations/999999", "read") == 404
