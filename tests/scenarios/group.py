"""What a scenario does in the shops and warehouses, and what the systems' own books say of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp

from crossdock.demo import trade
from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually
from e2e.trading import Trade

PLENTY = 10_000
ITEMS = {
    **{sku: (PLENTY, PLENTY) for sku in trade.products()},
    "SPLIT-1": (60, 45), "SHORT-1": (PLENTY, 0), "BACK-1": (5, 0), "OVER-1": (PLENTY, 0), "SUB-1": (PLENTY, 0),
    "SUB-2": (PLENTY, 0), "LATE-1": (PLENTY, PLENTY), "LATE-2": (PLENTY, PLENTY), "US-1": (0, PLENTY),
}  # fmt: skip
"""SKU → opening stock at SITE1 and SITE2."""
UNKNOWN_TO_ERP = ("LATE-1", "LATE-2")
PRICE = "10.00"


@dataclass
class Group(Trade):
    """A hub of two companies and its twins."""

    @asynccontextmanager
    async def quirks(self, system: str, **rates: float) -> AsyncIterator[None]:
        """For as long as the block runs, this system misbehaves so."""
        await self.twin(system, "/quirks", rates, "PUT")
        try:
            yield
        finally:
            await self.twin(system, "/quirks", dict.fromkeys(rates, 0.0), "PUT")

    async def calm(self) -> None:
        for name in self.twins.processes:
            quirks = await self.twin(name, "/quirks")
            await self.twin(name, "/quirks", dict.fromkeys(quirks, 0.0), "PUT")

    async def buy(self, *lines: tuple[str, int], shop: str = "shopify-eu", **more: Any) -> str:
        """Place an order; the reference it goes by."""
        known = trade.products()
        items = [{"sku": s, "quantity": n, "price": PRICE, "title": s} | known.get(s, {}) for s, n in lines]
        if shop == "shopify-eu":
            return await self.order(*lines, **({"lines": items} | more))
        [made] = await self.twin(
            shop, "/orders", {"orders": [{"lines": items, "currency": "EUR"} | more]}, "POST"
        )
        return f"{shop}/{made['id']}"

    async def until(self, reference: str, *phases: str) -> str:
        """As in a trade; where it does not come to that, say what the story says."""
        try:
            return await super().until(reference, *phases)
        except AssertionError as error:
            story = await self.story(f"order/{reference}")
            said = story["sentence"]
            trouble = [f"{x['called']}: {x['trouble']}" for x in story["systems"] if x["trouble"]]
            raise AssertionError(f"{error}: {story['phase']}. {said} {trouble} {story['linked']}") from None

    async def cancel(self, reference: str) -> None:
        shop, _, number = reference.partition("/")
        await self.twin(shop, f"/orders/{number}/cancel", {}, "POST")

    async def edit(self, reference: str, **changes: Any) -> None:
        shop, _, number = reference.partition("/")
        await self.twin(shop, f"/orders/{number}/edit", changes, "POST")

    async def say(self, source: str, kind: str, type_: str, data: dict[str, Any], number: str) -> None:
        """A canonical event about a record of master data, as `source` says it."""
        event = {
            "specversion": "1.0", "id": f"{kind}-{number}", "source": source, "type": f"crossdock.logistics.{type_}",
            "subject": f"{kind}/{data[kind]}", "data": data,
        }  # fmt: skip
        answer = await self.api.post("/v1/events", event)
        assert answer.status == 202, answer.body

    async def story(self, thread: str) -> dict[str, Any]:
        """As soon as anybody has heard of it."""

        async def look() -> Any:
            answer = await self.api.call("GET", f"/v1/threads/story/{thread}")
            return answer.json() if answer.status == 200 else None

        found = await eventually(look, what=f"somebody has heard of {thread}")
        assert isinstance(found, dict)
        return found

    async def cases(self, thread: str) -> list[dict[str, Any]]:
        """Open cases of this thread."""
        return list((await self.story(thread))["cases"])

    async def until_case(self, thread: str, cause: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            return next((x for x in await self.cases(thread) if x["cause"] == cause), None)

        found = await eventually(look, what=f"{thread} has a case: {cause}")
        assert isinstance(found, dict)
        return found

    async def retry(self, case: dict[str, Any]) -> None:
        answer = await self.api.post(f"/v1/cases/{case['number']}/retry", {"reason": "settled"})
        assert answer.status == 202, answer.body

    async def line(self, reference: str, item: str) -> dict[str, Decimal]:
        """Quantities of all shares of an item, added up by part; zero parts are left out."""
        total: dict[str, Decimal] = {}
        for line in (await self.story(f"order/{reference}"))["lines"]:
            if line["item"] == item:
                parts = {
                    k: line[k]
                    for k in ("ordered", "open", "reserved", "allocated", "picked", "shipped", "delivered")
                }
                for name, value in (parts | line["extras"]).items():
                    total[name] = total.get(name, Decimal(0)) + Decimal(str(value))
        return {name: value for name, value in total.items() if value}

    async def shipments(self, reference: str) -> list[str]:
        """Threads of the shipments an order is linked to."""
        return [
            x["thread"] for x in (await self.story(f"order/{reference}"))["linked"] if x["kind"] == "shipment"
        ]

    async def until_shipments(self, reference: str, count: int, phase: str = "") -> list[str]:
        async def look() -> list[str]:
            found = (await self.story(f"order/{reference}"))["linked"]
            threads = [x["thread"] for x in found if x["kind"] == "shipment" and phase in ("", x["phase"])]
            return threads if len(threads) >= count else []

        found = await eventually(look, what=f"{reference} has {count} shipments {phase}")
        assert isinstance(found, list)
        return found

    async def until_left(self, reference: str) -> None:
        """Something of it left a warehouse, by that warehouse's own books, and the hub has heard of the goods."""
        await eventually(lambda: self.left(reference), what=f"{reference} leaves")
        await self.until_shipments(reference, 1)

    async def left(self, reference: str) -> dict[str, Decimal]:
        """Item → quantity that left the warehouses for this order, by their own books."""
        total: dict[str, Decimal] = {}
        for system in ("wms-1", "wms-2"):
            for row in await self.journal(system, "shipment.departed"):
                for line in row["detail"]["lines"]:
                    if line["reference"].partition("~")[0] == reference:
                        total[line["item"]] = total.get(line["item"], Decimal(0)) + Decimal(line["quantity"])
        return total

    async def booked(self, reference: str, effect: str, erp: str = "sap-1") -> dict[str, Decimal]:
        """Item → quantity of all goods issues or invoices of this order, by the ERP's own books."""
        total: dict[str, Decimal] = {}
        for row in await self.journal(erp, effect):
            if row["reference"].partition("|")[2] == reference:
                for item, quantity in row["detail"]["quantities"].items():
                    total[item] = total.get(item, Decimal(0)) + Decimal(str(quantity))
        return total

    async def stock(self, item: str) -> dict[str, dict[str, Decimal]]:
        """Location → buckets of the hub's ledger."""
        from e2e.running import rows

        found = await rows(self.api.hub, "select * from stock_balance where item = $1", item)
        return {
            row["location"]: {k: v for k, v in dict(row).items() if isinstance(v, Decimal)} for row in found
        }


async def open_books(hub: RunningHub, twins: Twins) -> None:
    """Master data and opening stock in every twin."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        group = Group(Api(hub, session), twins)

        async def up(system: str) -> bool:
            try:
                await group.twin(system, "/health")
            except aiohttp.ClientError:
                return False
            return True

        for system in twins.processes:
            await eventually(lambda system=system: up(system), what=f"the twin of {system} is up")  # type: ignore[misc]
        materials = {
            sku: {"price": PRICE, "currency": "EUR", "unit": "EA", "available": "100000"} for sku in ITEMS if sku not in UNKNOWN_TO_ERP
        } | trade.materials()  # fmt: skip
        for erp in ("sap-1", "sap-2"):
            await group.twin(erp, "/materials", materials, "PUT")
        products = {sku: {"price": PRICE, "title": sku} for sku in ITEMS} | trade.products()
        await group.twin("shopify-eu", "/products", products, "PUT")
        await group.twin("woo-us", "/products", {sku: {} for sku in ITEMS}, "PUT")
        if trade.MARKET in twins.processes:
            await group.twin(trade.MARKET, "/plans", trade.MARKET_PLANS, "PUT")
            await group.twin(trade.MARKET, "/listings", {sku: {"quantity": None} for sku in ITEMS}, "PUT")
        for place, wms in enumerate(("wms-1", "wms-2")):
            opening = {sku: {"quantity": str(n[place]), "lot": ""} for sku, n in ITEMS.items()}
            await group.twin(wms, "/stock", opening, "PUT")

        async def stocked() -> bool:
            found = await group.api.get("/v1/threads", kind="stock", limit="500")
            return len(found["threads"]) >= sum(1 for n in ITEMS.values() for quantity in n if quantity)

        await eventually(stocked, what="the opening stock is in the ledger")
