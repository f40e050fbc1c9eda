"""Comparing the twins' own books: what was lost, what was doubled, what does not tie. The hub is asked for nothing here."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from crossdock.demo.twins import Twins

Amounts = dict[str, Decimal]
"""Item → quantity."""
NOTHING = Decimal(0)
ONCE = (
    "sales_order.create", "sales_order.cancel", "delivery.create", "goods_issue.post", "freight.accrue", "invoice.release",
    "fulfilment.create", "order.cancel", "warehouse_order.release", "warehouse_order.cancel", "customer.notify",
    "shipment.departed",
)  # fmt: skip
"""Effects that may stand once in the books for one reference, whatever happened on the way."""
UNDONE_BY = {"label.create": "label.void", "load.tender": "load.cancel"}
"""Effects that may stand once more than they were taken back."""
SHOPS = ("shopify", "woocommerce", "amazon_marketplace")
MARKET = "amazon-eu"
"""It names packages by numbers of its own: they are counted."""
SECOND_COMPANY = ("woo-us", "wms-2")
"""Its shop's orders, and whatever leaves its warehouse as freight, are booked in the second ERP."""
BILLS_AT_GOODS_ISSUE = ("sap-2",)
"""Their company's policy does not wait for the delivery; what was lost is billed and credited."""
DROPS_WHAT_IS_SHORT = ("sap-2",)
"""Their company's policy takes off the order what the warehouse did not find."""


@dataclass
class Books:
    """Everything the twins wrote down, by system."""

    journals: dict[str, list[dict[str, Any]]]
    shop_orders: dict[str, dict[str, Any]]
    """By reference: `cancelled`, `lines` (`sku`, `quantity`), and `fulfilments` where the shop tells them."""
    parcels: list[dict[str, Any]]
    _counts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def keys(self, system: str, effect: str) -> Counter[str]:
        """How often each reference has this effect in the system's journal."""
        found = self._counts.get((system, effect))
        if found is None:
            found = Counter(_of_all_labels(row["reference"], effect) for row in self.rows(system, effect))
            self._counts[system, effect] = found
        return found

    def rows(self, system: str, effect: str) -> list[dict[str, Any]]:
        return [row for row in self.journals.get(system, ()) if row["effect"] == effect]

    def mail(self) -> list[str]:
        """The mail servers, where there are any."""
        return [name for name in self.journals if name.startswith("mail")]

    def erp(self, name: str) -> str:
        """Where an order (by its shop) or a shipment (by its warehouse) is booked."""
        return "sap-2" if name.partition("/")[0] in SECOND_COMPANY and "sap-2" in self.journals else "sap-1"


@dataclass
class Findings:
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


Left = dict[str, dict[str, Amounts]]
"""Order reference → shipment → what left with it."""


async def read_books(twins: Twins) -> Books:
    journals = {name: await twins.journal(name) for name in twins.processes}
    orders: dict[str, dict[str, Any]] = {}
    for name, process in twins.processes.items():
        if process.connector in SHOPS:
            for order in await twins.get(name, "/_twin/orders"):
                orders[f"{name}/{order['id']}"] = order
    return Books(journals, orders, await twins.get("ups-1", "/_twin/parcels"))


def compare(books: Books, held: set[str]) -> Findings:
    """Tie the books order by order; `held` are orders whose credit was refused for good."""
    found = Findings(doubled=_doubled(books))
    left = _left(books)
    placed = {reference for system in books.journals for reference in books.keys(system, "order.placed")}
    for reference in sorted(placed):
        order = books.shop_orders.get(reference, {})
        cancelled = bool(order.get("cancelled")) or order.get("status") == "cancelled"
        if reference in left:
            for shipment in sorted(left[reference]):
                _tie_shipped(books, found, reference, shipment, in_shop=not cancelled)
            if reference.startswith(MARKET):
                _tie_packages(books, found, reference, len(left[reference]))
            _tie_quantities(books, found, reference, left[reference], cancelled=cancelled)
        else:
            _tie_unshipped(books, found, reference, closed=cancelled, held=reference in held)
    _tie_order_of_effects(books, found)
    return found


def _of_all_labels(reference: str, effect: str) -> str:
    """A label made anew bears the shipment's number and one of its own."""
    return reference.partition("~")[0] if effect.startswith("label.") else reference


def _doubled(books: Books) -> list[str]:
    """Whatever stands more often than it may."""
    found: list[str] = []
    for system, journal in books.journals.items():
        counts = Counter((row["effect"], _of_all_labels(row["reference"], row["effect"])) for row in journal)
        for (effect, reference), n in counts.items():
            undone = counts[UNDONE_BY[effect], reference] if effect in UNDONE_BY else 0
            if (effect in ONCE or effect in UNDONE_BY) and n - undone > 1:
                found.append(f"{system}: {effect} for {reference}, {n} times")
    return found


def _left(books: Books) -> Left:
    """What the warehouses say went out of the door."""
    left: Left = {}
    for system in books.journals:
        for row in books.rows(system, "shipment.departed"):
            for line in row["detail"]["lines"]:
                reference = line["reference"].partition("~")[0]
                amounts = left.setdefault(reference, {}).setdefault(f"{system}/{row['key']}", {})
                _add(amounts, ((line["item"], line["quantity"]),))
    return left


def from_two_sites(books: Books) -> int:
    """Items of an order that left from more than one warehouse."""
    sites: dict[tuple[str, str], set[str]] = {}
    for reference, shipments in _left(books).items():
        for shipment, amounts in shipments.items():
            for item in amounts:
                sites.setdefault((reference, item), set()).add(shipment.partition("/")[0])
    return sum(len(found) > 1 for found in sites.values())


def labelled_again(books: Books) -> int:
    """Shipments that got another label; one of the two was voided, or it is doubled."""
    return sum(count > 1 for count in books.keys("ups-1", "label.create").values())


def _tie_shipped(books: Books, found: Findings, reference: str, shipment: str, *, in_shop: bool) -> None:
    """A truck left with it: every book must say so, once. A shop that cancelled too late has nothing to fulfil."""
    both, erp = f"{shipment}|{reference}", books.erp(reference)
    end = _end(books, shipment)
    needed = [
        (erp, "sales_order.create", reference), (erp, "goods_issue.post", both),
        (books.erp(shipment), "freight.accrue", shipment),
        *((name, "customer.notify", f"shipped|{reference}|{shipment}") for name in ("crm", "portal", *books.mail())),
        *((name, "milestone.record", f"{both}|{end}") for name in ("crm", "portal", erp)),
    ]  # fmt: skip
    if end == "delivered":
        needed.append((erp, "invoice.release", both))
    shop = reference.partition("/")[0]
    if in_shop and shop.startswith("shopify") and not _shown_before(books.shop_orders[reference], shipment):
        needed.append((shop, "fulfilment.create", both))
    for system, effect, key in needed:
        if not books.keys(system, effect)[key]:
            found.lost.append(f"{reference} left as {shipment}, and {system} has no {effect}")
    if not books.keys("ups-1", "label.create")[shipment] and not books.keys("otm-1", "load.tender")[shipment]:
        found.lost.append(f"{reference} left as {shipment}, and ups-1 has no label.create")


def _shown_before(order: dict[str, Any], shipment: str) -> bool:
    """Other shipments fulfilled all that was sold: this one carries what was packed beyond it, which no shop takes."""
    shown = (x for f in order.get("fulfilments", ()) if f["shipment"] != shipment for x in f["lines"])
    sold = sum(Decimal(str(x.get("current", x["quantity"]))) for x in order["lines"])
    return sum(Decimal(str(x["quantity"])) for x in shown) >= sold


def _tie_packages(books: Books, found: Findings, reference: str, left: int) -> None:
    """Parcels of nothing but what was packed beyond the order are not confirmed: Amazon takes no more than it sold."""
    confirmed = sum(key.endswith(f"|{reference}") for key in books.keys(MARKET, "fulfilment.create"))
    whole = all(x.get("shipped", 0) >= x["quantity"] for x in books.shop_orders[reference]["lines"])
    if confirmed > left or (confirmed < left and not whole):
        found.lost.append(f"{reference} left in {left} shipments, {MARKET} has {confirmed} packages")


def _end(books: Books, shipment: str) -> str:
    """How its way ended, by the carriers' books."""
    ends = {
        parcel.get("status", "delivered")
        for parcel in books.parcels
        if parcel["reference"].partition("~")[0] == shipment and not parcel.get("voided")
    }
    return next((end for end in ("lost", "returned") if end in ends), "delivered")


def _tie_quantities(
    books: Books, found: Findings, reference: str, left: dict[str, Amounts], *, cancelled: bool
) -> None:
    """What left is what the ERP posted and, by its company's policy, billed; the customer got what was ordered, or one
    piece more of it.
    """
    out: Amounts = {}
    arrived: Amounts = {}
    for shipment, amounts in left.items():
        _add(out, amounts.items())
        _add(arrived, amounts.items() if _end(books, shipment) == "delivered" else ())
    erp = books.erp(reference)
    owed = out if erp in BILLS_AT_GOODS_ISSUE else arrived
    for effect, said, wanted in (("goods_issue.post", "posted", out), ("invoice.release", "billed", owed)):
        booked: Amounts = {}
        for row in books.rows(erp, effect):
            if row["reference"].partition("|")[2] == reference:
                _add(booked, row["detail"]["quantities"].items())
        found.differences += [
            f"{reference}: {erp} {said} {booked.get(item, NOTHING)} of {item}, {wanted.get(item, NOTHING)} left"
            for item in sorted(wanted.keys() | booked.keys())
            if wanted.get(item, NOTHING) != booked.get(item, NOTHING)
        ]
    order = books.shop_orders[reference]
    sold, least = _pieces(max, order), _pieces(min, order)
    if erp in DROPS_WHAT_IS_SHORT:
        least -= _not_found(books, reference)
    gone = sum(out.values(), NOTHING)
    if not cancelled and not least <= gone <= sold + len(order["lines"]):
        found.differences.append(f"{reference}: {sold} pieces were sold, {gone} left")
    for fulfilment in order.get("fulfilments", ()):
        shown = sum((Decimal(str(x["quantity"])) for x in fulfilment["lines"]), NOTHING)
        carried = sum(left.get(fulfilment["shipment"], {}).values(), NOTHING)
        if not carried - len(order["lines"]) - _taken_off(order) <= shown <= carried:
            found.differences.append(
                f"{reference}: the shop shows {shown} pieces in {fulfilment['shipment']}, {carried} left"
            )


def _pieces(among: Callable[..., Any], order: dict[str, Any]) -> Decimal:
    """What was sold, by the shop. An order that was edited may be served as it was: then somebody has a case."""
    said = (
        (x["quantity"], x.get("first", x["quantity"]), x.get("current", x["quantity"]))
        for x in order["lines"]
    )
    return sum((Decimal(str(among(quantities))) for quantities in said), NOTHING)


def _taken_off(order: dict[str, Any]) -> Decimal:
    """What the customer took off again: a shop has no use for it, if it left all the same."""
    return sum(
        (Decimal(str(x["quantity"] - x.get("current", x["quantity"]))) for x in order["lines"]), NOTHING
    )


def _not_found(books: Books, reference: str) -> Decimal:
    """Pieces of an order that its warehouses looked for in vain."""
    rows = (row for system in books.journals for row in books.rows(system, "order.shortPicked"))
    lines = (
        x for row in rows if row["reference"].partition("~")[0] == reference for x in row["detail"]["lines"]
    )
    return sum((Decimal(str(x["quantity"])) for x in lines), NOTHING)


def _add(amounts: Amounts, pairs: Iterable[tuple[str, Any]]) -> None:
    for item, quantity in pairs:
        amounts[item] = amounts.get(item, NOTHING) + Decimal(str(quantity))


def _tie_unshipped(books: Books, found: Findings, reference: str, *, closed: bool, held: bool) -> None:
    """It never left: nothing may be posted for it, and somebody must have said why."""
    erp = books.erp(reference)
    posted = [key for key in books.keys(erp, "goods_issue.post") if key.endswith(f"|{reference}")]
    if posted:
        found.differences.append(f"{reference} never left, but goods issue was posted: {posted[0]}")
    if closed and books.keys(erp, "sales_order.create")[reference] and not books.keys(erp, "sales_order.cancel")[reference]:  # fmt: skip
        found.differences.append(f"{reference} is cancelled in the shop, its sales order stands")
    if not closed and not held:
        found.lost.append(f"{reference} was placed, did not leave, and nobody cancelled or held it")


def _tie_order_of_effects(books: Books, found: Findings) -> None:
    """Goods issue before invoice, sales order before goods issue, per order and ERP."""
    for erp in (name for name in books.journals if name.startswith("sap")):
        first: dict[tuple[str, str], int] = {}
        for row in books.journals[erp]:
            first.setdefault((row["effect"], row["reference"]), row["id"])
        for (effect, key), place in first.items():
            if effect == "invoice.release" and first.get(("goods_issue.post", key), place + 1) > place:
                found.violations.append(f"{key}: invoice before goods issue")
            order = key.partition("|")[2]
            if effect == "goods_issue.post" and first.get(("sales_order.create", order), place + 1) > place:
                found.violations.append(f"{key}: goods issue before its sales order")
