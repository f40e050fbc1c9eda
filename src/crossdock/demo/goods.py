"""The other goods of the day: a purchase that comes in by two trucks, a transfer between the two companies, and a return.

Stock also changes without an order: a count, a hold and its release, damage and scrap.
Afterwards the night: the stock of each warehouse, and of the first site's ERP, is compared with the hub's ledger.
"""

import asyncio
from typing import Any

from crossdock.demo import trade
from crossdock.demo.stage import LOOK_SECONDS, Stage, phases_of, say, until

WAIT_SECONDS = 120.0
LISTED_AFTER_SECONDS = 15.0
NUMBER = 4_500_000_000
BOUGHT, DAMAGED, ITEM = 240, 6, "MUG-1"
COUNTED = trade.COUNTED_ITEM
ADJUSTED: tuple[tuple[str, int, dict[str, str]], ...] = (
    ("adjusted", -5, {"reason": "count"}), ("adjusted", 2, {"reason": "count"}), ("held", 6, {"reason": "check"}),
    ("releasedFromHold", 6, {"reason": "passed"}), ("held", 4, {"reason": "fell", "condition": "damaged"}),
    ("adjusted", -1, {"reason": "destroyed", "condition": "damaged"}),
)  # fmt: skip
"""What happens to it: (event, pieces, more of it). In the end four are missing, and three of the rest damaged."""
SENT, LOST, MOVED = 40, 2, "BAG-1"
SITE = "SITE1"
COMPARED = ("wms-1", "wms-2", "sap-1")
"""Not the second ERP: its site serves both companies, and what the first one sells from there is not in its books."""


async def move(stage: Stage, seed: int, wait_seconds: float = WAIT_SECONDS) -> None:
    """All at once; each waits for what the systems do with the step before, also for those that are away."""
    async with asyncio.timeout(wait_seconds):
        await asyncio.gather(
            _buy(stage, NUMBER + seed), _transfer(stage, NUMBER + 10_000_000 + seed), _take_back(stage),
            _list_new_item(stage), _adjust(stage, seed),
        )  # fmt: skip


async def _asn(stage: Stage, wms: str, thread: str) -> dict[str, Any]:
    """What the warehouse was told of goods to come, once it was."""

    async def look() -> Any:
        return next((x for x in await stage.twins.get(wms, "/_twin/asns") if x["reference"] == thread), None)

    found = await until(look)
    assert isinstance(found, dict)
    return found


async def _dock(stage: Stage, wms: str, what: str, **body: Any) -> dict[str, Any]:
    found = await stage.twins.send_surely("POST", wms, f"/_twin/{what}", body)
    assert isinstance(found, dict)
    return found


async def _order(stage: Stage, erp: str, number: str, line: dict[str, str], supplying: str = "") -> None:
    """In the ERP's books; without a supplying plant it is a purchase, and the ERP tells the hub of it by itself."""
    order = {"supplying_plant": supplying, "supplier": "" if supplying else "SUP-1", "items": {"10": line}}
    await stage.twins.send_surely("PUT", erp, "/_twin/purchase_orders", {number: order})


def _item(material: str, plant: str, quantity: int) -> dict[str, str]:
    return {"material": material, "plant": plant, "quantity": str(quantity)}


async def _buy(stage: Stage, number: int) -> None:
    """The ERP tells of a purchase order; half of it comes, then the rest, of which some is damaged."""
    thread = f"inbound/sap-1/{number}"
    await _order(stage, "sap-1", str(number), _item(ITEM, "1010", BOUGHT))
    await _asn(stage, "wms-1", thread)
    half = {"line": "10", "quantity": str(BOUGHT // 2)}
    first = await _dock(stage, "wms-1", "receive", reference=thread, lines=[half], on_dock=True)
    rest = {"line": "10", "quantity": str(BOUGHT - BOUGHT // 2 - DAMAGED)}
    damaged = {"line": "10", "quantity": str(DAMAGED), "condition": "DAMAGED"}
    await _dock(stage, "wms-1", "receive", reference=thread, lines=[rest, damaged])
    await _dock(stage, "wms-1", "put_away", receipt=first["receipt"])


async def _transfer(stage: Stage, number: int) -> None:
    """From the first company's site to the second's: each books its own side, and a few pieces never arrive."""
    thread, theirs = f"transfer/sap-1/{number}", f"9{number}"
    await _order(stage, "sap-1", str(number), _item(MOVED, "1020", SENT), supplying="1010")
    await _order(stage, "sap-2", theirs, _item(MOVED, "2010", SENT))
    line = {
        "line": "10", "item": MOVED, "quantity": {"value": str(SENT), "unit": "EA"},
        "price": {"amount": "9.50", "currency": "EUR"},
    }  # fmt: skip
    order = {
        "number": str(number), "incoterm": "DAP",
        "sender": {"location": "SITE1", "company": "Acme EU", "order": str(number)},
        "receiver": {"location": "SITE2", "company": "Acme US", "order": theirs}, "lines": [line],
    }  # fmt: skip
    await say(stage, "sap-1", thread, "transfer.ordered.v1", order, f"{number}-1")

    async def released() -> bool:
        return any(x["reference"] == thread for x in await stage.twins.get("wms-1", "/_twin/transfers"))

    await until(released)
    await _dock(stage, "wms-1", "send", reference=thread, carrier="RDWY")
    await _asn(stage, "wms-2", thread)
    came = {"line": "10", "quantity": str(SENT - LOST)}
    await _dock(
        stage,
        "wms-2",
        "receive",
        reference=thread,
        lines=[came],
        close=True,
        reason="the rest is not on the truck",
    )


async def _take_back(stage: Stage) -> None:
    """The first customer of the first shop who has got what he ordered sends one piece back; it can be sold again."""

    async def delivered() -> Any:
        phases = await phases_of(stage)
        there = {
            x["reference"]
            for x in await stage.twins.get("ups-1", "/_twin/parcels")
            if x["status"] == "delivered"
        }
        for row in await stage.twins.journal("wms-1"):
            if row["effect"] != "shipment.departed" or f"wms-1/{row['key']}" not in there:
                continue
            for line in row["detail"]["lines"]:
                reference = line["reference"].partition("~")[0]
                if phases.get(reference) == "completed" and _returnable(stage, reference, line["item"]):
                    return reference, line["item"]
        return None

    reference, item = await until(delivered)
    shop, _, number = reference.partition("/")
    made = await stage.twins.send_surely(
        "POST", shop, f"/_twin/orders/{number}/return", {"quantities": {item: 1}}
    )
    thread = f"return/{shop}/{made['id']}"
    asn = await _asn(stage, "wms-1", thread)
    receipt = (await _dock(stage, "wms-1", "receive", reference=thread))["receipt"]
    line = {"line": asn["lines"][0]["line"], "item": item, "quantity": "1", "disposition": "RESTOCK"}
    await _dock(stage, "wms-1", "inspect", receipt=receipt, lines=[line])


async def _adjust(stage: Stage, seed: int) -> None:
    """Of what nobody orders: the count finds some missing and some more, a hold is lifted, of what is damaged some is destroyed.

    The warehouse's books know it first, and then it tells.
    """

    async def count(missing: int, held: int = 0) -> None:
        books = {COUNTED: {"quantity": trade.COUNTED_STOCK - missing, "held": held}}
        await stage.twins.send_surely("PUT", "wms-1", "/_twin/recount", books)

    await count(4, held=3)
    for number, (type_, amount, more) in enumerate(ADJUSTED):
        name = "change" if type_ == "adjusted" else "quantity"
        data = {
            "place": {"item": COUNTED, "location": SITE},
            name: {"value": str(amount), "unit": "EA"},
        } | more
        await say(
            stage, "wms-1", f"stock/{SITE}/{COUNTED}", f"stock.{type_}.v1", data, f"{seed}-adjusted-{number}"
        )


async def _list_new_item(stage: Stage) -> None:
    """The ERP learns what the shops sell already; whatever waits for it goes on by itself."""
    await asyncio.sleep(LISTED_AFTER_SECONDS)
    new = {trade.NEW_ITEM: trade.NEW_PRODUCT}
    there = {"1010": {trade.NEW_ITEM: {"unrestricted": str(trade.OPENING_STOCK)}}}
    await stage.twins.send_surely("PUT", "sap-1", "/_twin/material_stock", there)
    await stage.twins.send_surely("PUT", "sap-1", "/_twin/products", new)


def _returnable(stage: Stage, reference: str, item: str) -> bool:
    """Of an ordinary order, and what was ordered: nobody sends back what was packed in its place."""
    wish = stage.placed.get(reference)
    if wish is None or wish.credit or wish.change_after or wish.cancel_after:
        return False
    return reference.startswith("shopify-eu/") and item in {x["sku"] for x in wish.spec["lines"]}


async def night(stage: Stage) -> list[str]:
    """What the ledger, the warehouses and the ERP do not agree on once the day is done."""
    found = []
    for system in COMPARED:

        async def asked(system: str = system) -> Any:
            """Not while the one of its own hour of the night is under way."""
            return await stage.client.post("/v1/reconciliations", {"system": system}, accept=(201, 202, 409))

        while "run" not in (answer := await asked()):
            await asyncio.sleep(LOOK_SECONDS)
        run = answer["run"]

        async def ended(run: int = run) -> Any:
            told = await stage.client.get(f"/v1/reconciliations/{run}")
            return told if told["run"]["ended_at"] else None

        told = await until(ended)
        if told["run"]["failed_because"]:
            found.append(f"{system}: the reconciliation failed: {told['run']['failed_because']}")
        for one in told["differences"]:
            found.append(
                f"{system}: {one['item']} at {one['location']} differs by {one['good']} good, {one['held']} held {one['unit']}: {one['cause']}"
            )
    return found
