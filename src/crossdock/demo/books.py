"""Comparing the twins' own books: what was lost, what was doubled, what does not tie. The hub is asked for nothing here."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from crossdock.demo.twins import Twins

Amounts = dict[str, Decimal]
"""Item → quantity."""
NOTHING = Decimal(0)
ONCE = (
    "sales_order.create", "sales_order.cancel", "delivery.create", "goods_issue.post", "freight.accrue", "invoice.release",
    "label.create", "fulfilment.create", "order.cancel", "warehouse_order.release", "warehouse_order.cancel",
    "customer.notify", "shipment.departed",
)  # fmt: skip
"""Effects that may stand once in the books for one reference, whatever happened on the way."""


@dataclass
class Books:
    """Everything the twins wrote down, by system."""

    journals: dict[str, list[dict[str, Any]]]
    shop_orders: list[dict[str, Any]]
    warehouse_orders: list[dict[str, Any]]
    parcels: list[dict[str, Any]]
    _counts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def keys(self, system: str, effect: str) -> Counter[str]:
        """How often each reference has this effect in the system's journal."""
        found = self._counts.get((system, effect))
        if found is None:
            found = Counter(row["reference"] for row in self.journals[system] if row["effect"] == effect)
            self._counts[system, effect] = found
        return found


@dataclass
class Findings:
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


async def read_books(twins: Twins) -> Books:
    journals = {name: await twins.journal(name) for name in twins.processes}
    return Books(
        journals, await twins.get("shopify-eu", "/_twin/orders"), await twins.get("wms-1", "/_twin/orders"),
        await twins.get("ups-1", "/_twin/parcels"),
    )  # fmt: skip


def compare(books: Books, held: set[str]) -> Findings:
    """Tie the books order by order; `held` are orders whose credit was refused for good."""
    found = Findings()
    for system, journal in books.journals.items():
        counts = Counter((row["effect"], row["reference"]) for row in journal if row["effect"] in ONCE)
        found.doubled += [
            f"{system}: {effect} for {ref}, {n} times" for (effect, ref), n in counts.items() if n > 1
        ]
    placed = set(books.keys("shopify-eu", "order.placed"))
    cancelled = {f"shopify-eu/{order['id']}" for order in books.shop_orders if order["cancelled"]}
    departed = books.keys("wms-1", "shipment.departed")
    shipments: dict[str, set[str]] = {}
    for order in books.warehouse_orders:
        if order["shipment"] and order["shipment"] in departed:
            shipments.setdefault(order["reference"], set()).add(order["shipment"])
    for reference in sorted(placed):
        if reference in shipments:
            for shipment in sorted(shipments[reference]):
                _tie_shipped(books, found, reference, shipment, in_shop=reference not in cancelled)
        else:
            _tie_unshipped(books, found, reference, closed=reference in cancelled, held=reference in held)
    _tie_quantities(
        books, found, {reference: shipments[reference] for reference in shipments.keys() & placed}
    )
    _tie_order_of_effects(books, found)
    return found


def _tie_shipped(books: Books, found: Findings, reference: str, shipment: str, *, in_shop: bool) -> None:
    """A truck left with it: every book must say so, once. A shop that cancelled too late has nothing to fulfil."""
    both = f"{shipment}|{reference}"
    needed = (
        ("sap-1", "sales_order.create", reference), ("sap-1", "goods_issue.post", both), ("sap-1", "invoice.release", both),
        ("sap-1", "freight.accrue", shipment), ("ups-1", "label.create", shipment), ("shopify-eu", "fulfilment.create", both),
        ("crm", "customer.notify", f"shipped|{reference}|{shipment}"), ("portal", "customer.notify", f"shipped|{reference}|{shipment}"),
        ("crm", "milestone.record", f"{both}|delivered"), ("portal", "milestone.record", f"{both}|delivered"),
        ("sap-1", "milestone.record", f"{both}|delivered"),
    )  # fmt: skip
    for system, effect, key in needed:
        if effect == "fulfilment.create" and not in_shop:
            continue
        if not books.keys(system, effect)[key]:
            found.lost.append(f"{reference} left as {shipment}, and {system} has no {effect}")


def _tie_quantities(books: Books, found: Findings, shipped: dict[str, set[str]]) -> None:
    """What the customer ordered is what left, what the ERP posted and billed, and what the shop shows as shipped."""
    said: dict[str, dict[str, Amounts]] = {reference: {} for reference in shipped}
    sold: dict[str, Amounts] = {}
    for order in books.shop_orders:
        reference = f"shopify-eu/{order['id']}"
        _add(sold.setdefault(reference, {}), ((x["sku"], x["quantity"]) for x in order["lines"]))
        for fulfilment in order["fulfilments"]:
            amounts = said.get(reference, {}).setdefault("shopify-eu shows as shipped", {})
            _add(amounts, ((x["sku"], x["quantity"]) for x in fulfilment["lines"]))
    for row in books.warehouse_orders:
        if row["shipment"] in shipped.get(row["reference"], ()):
            amounts = said[row["reference"]].setdefault("wms-1 shipped", {})
            _add(amounts, ((x["item"], x["quantity"]) for x in row["lines"]))
    for row in books.journals["sap-1"]:
        who, reference = _ERP_SAYS.get(row["effect"], ""), row["reference"].partition("|")[2]
        if who and reference in said:
            _add(said[reference].setdefault(who, {}), row["detail"]["quantities"].items())
    for reference, voices in sorted(said.items()):
        for who, amounts in voices.items():
            wanted = sold[reference]
            found.differences += [
                f"{reference}: {who} {amounts.get(item, NOTHING)} of {item}, {wanted.get(item, NOTHING)} were sold"
                for item in sorted(wanted.keys() | amounts.keys())
                if wanted.get(item, NOTHING) != amounts.get(item, NOTHING)
            ]


_ERP_SAYS = {"goods_issue.post": "sap-1 posted", "invoice.release": "sap-1 billed"}


def _add(amounts: Amounts, pairs: Iterable[tuple[str, Any]]) -> None:
    for item, quantity in pairs:
        amounts[item] = amounts.get(item, NOTHING) + Decimal(str(quantity))


def _tie_unshipped(books: Books, found: Findings, reference: str, *, closed: bool, held: bool) -> None:
    """It never left: nothing may be posted for it, and somebody must have said why."""
    posted = [key for key in books.keys("sap-1", "goods_issue.post") if key.endswith(f"|{reference}")]
    if posted:
        found.differences.append(f"{reference} never left, but goods issue was posted: {posted[0]}")
    if closed and books.keys("sap-1", "sales_order.create")[reference] and not books.keys("sap-1", "sales_order.cancel")[reference]:  # fmt: skip
        found.differences.append(f"{reference} is cancelled in the shop, its sales order stands")
    if not closed and not held:
        found.lost.append(f"{reference} was placed, did not leave, and nobody cancelled or held it")


def _tie_order_of_effects(books: Books, found: Findings) -> None:
    """Goods issue before invoice, sales order before goods issue, per order."""
    first: dict[tuple[str, str], int] = {}
    for row in books.journals["sap-1"]:
        first.setdefault((row["effect"], row["reference"]), row["id"])
    for (effect, key), place in first.items():
        if effect == "invoice.release" and first.get(("goods_issue.post", key), place + 1) > place:
            found.violations.append(f"{key}: invoice before goods issue")
        if (
            effect == "goods_issue.post"
            and first.get(("sales_order.create", key.partition("|")[2]), place + 1) > place
        ):
            found.violations.append(f"{key}: goods issue before its sales order")
