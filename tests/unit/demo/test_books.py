"""The judge of demo and proof: journals that tie are clean, and every doctored one is found out."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from crossdock.demo.books import ONCE, Books, compare

REFERENCE, SHIPMENT = "shopify-eu/1", "wms-1/S-1"
BOTH = f"{SHIPMENT}|{REFERENCE}"
_WRITTEN = (
    ("shopify-eu", "order.placed", REFERENCE), ("sap-1", "sales_order.create", REFERENCE),
    ("wms-1", "warehouse_order.release", REFERENCE), ("ups-1", "label.create", SHIPMENT),
    ("wms-1", "shipment.departed", "S-1"), ("sap-1", "goods_issue.post", BOTH), ("sap-1", "freight.accrue", SHIPMENT),
    ("shopify-eu", "fulfilment.create", BOTH), ("crm", "customer.notify", f"shipped|{REFERENCE}|{SHIPMENT}"),
    ("portal", "customer.notify", f"shipped|{REFERENCE}|{SHIPMENT}"), ("crm", "milestone.record", f"{BOTH}|delivered"),
    ("portal", "milestone.record", f"{BOTH}|delivered"), ("sap-1", "milestone.record", f"{BOTH}|delivered"),
    ("sap-1", "invoice.release", BOTH),
)  # fmt: skip
SHIPPED_EFFECTS = [
    row for row in _WRITTEN if row[1] not in ("order.placed", "warehouse_order.release", "shipment.departed")
]


def books() -> Books:
    """One order that went all the way, in six books that agree."""
    journals: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("shopify-eu", "sap-1", "wms-1", "ups-1", "crm", "portal")
    }
    for number, (system, effect, reference) in enumerate(_WRITTEN, 1):
        row = {"id": number, "effect": effect, "reference": reference, "key": str(number), "detail": {}}
        if effect == "shipment.departed":
            row |= {"key": "S-1", "detail": {"lines": _line("WID-1", 2) + _line("CBL-1", 1)}}
        if effect in ("goods_issue.post", "invoice.release"):
            row["detail"] = {"quantities": {"WID-1": "2.000", "CBL-1": "1.000"}}
        journals[system].append(row)
    sold = [{"sku": "WID-1", "quantity": 2}, {"sku": "CBL-1", "quantity": 1}]
    order = {
        "id": 1, "cancelled": False, "lines": sold, "fulfilments": [{"shipment": SHIPMENT, "lines": deepcopy(sold)}],
    }  # fmt: skip
    return Books(
        journals, {REFERENCE: order}, [{"tracking": "1Z1", "reference": SHIPMENT, "status": "delivered"}]
    )


def _line(item: str, quantity: int) -> list[dict[str, str]]:
    return [{"reference": REFERENCE, "line": item, "item": item, "quantity": str(quantity)}]


def without(found: Books, system: str, effect: str) -> Books:
    found.journals[system] = [row for row in found.journals[system] if row["effect"] != effect]
    return found


def test_books_that_tie_are_clean() -> None:
    """Nothing to report."""
    found = compare(books(), set())

    assert (found.lost, found.doubled, found.violations, found.differences) == ([], [], [], [])


@pytest.mark.parametrize(("system", "effect", "_reference"), SHIPPED_EFFECTS, ids=lambda value: value)
def test_whatever_is_missing_is_lost(system: str, effect: str, _reference: str) -> None:
    """A truck left, and one system never heard of it."""
    found = compare(without(books(), system, effect), set())

    assert any(effect in line and system in line for line in found.lost)


@pytest.mark.parametrize(("system", "effect", "reference"), [row for row in _WRITTEN if row[1] in ONCE], ids=lambda value: value)  # fmt: skip
def test_whatever_stands_twice_is_doubled(system: str, effect: str, reference: str) -> None:
    """The same effect for the same reference, under another number."""
    doctored = books()
    detail = {"quantities": {}, "lines": []}
    doctored.journals[system].append(
        {"id": 99, "effect": effect, "reference": reference, "key": "99", "detail": detail}
    )

    assert compare(doctored, set()).doubled == [f"{system}: {effect} for {reference}, 2 times"]


def not_departed(found: Books) -> Books:
    return without(found, "wms-1", "shipment.departed")


def cancelled(found: Books) -> Books:
    found.shop_orders[REFERENCE]["cancelled"] = True
    return found


def test_an_order_that_nobody_ended_is_lost() -> None:
    """Placed, not shipped, not cancelled, not held on purpose."""
    found = compare(not_departed(books()), set())

    assert any("did not leave" in line for line in found.lost)


def test_an_order_held_on_purpose_is_not_lost() -> None:
    """A permanent refusal that was injected is named beforehand."""
    held = not_departed(without(without(books(), "sap-1", "goods_issue.post"), "sap-1", "invoice.release"))

    assert compare(held, {REFERENCE}).lost == []


def test_a_posting_without_goods_is_a_difference() -> None:
    """Goods issue for what never left the yard."""
    found = compare(cancelled(not_departed(books())), set())

    assert any("goods issue was posted" in line for line in found.differences)


def test_a_sales_order_that_outlives_the_cancellation_is_a_difference() -> None:
    """Cancelled in the shop, standing in the ERP."""
    found = compare(cancelled(not_departed(books())), set())

    assert any("its sales order stands" in line for line in found.differences)


def swapped(first: str, second: str) -> Callable[[Books], Books]:
    def swap(found: Books) -> Books:
        rows = {row["effect"]: row for row in found.journals["sap-1"]}
        rows[first]["id"], rows[second]["id"] = rows[second]["id"], rows[first]["id"]
        return found

    return swap


@pytest.mark.parametrize(
    ("doctor", "said"),
    [
        (swapped("goods_issue.post", "invoice.release"), "invoice before goods issue"),
        (swapped("sales_order.create", "goods_issue.post"), "goods issue before its sales order"),
    ],
)
def test_a_wrong_order_is_a_violation(doctor: Callable[[Books], Books], said: str) -> None:
    """The ERP's own numbering tells what came first."""
    assert any(said in line for line in compare(doctor(books()), set()).violations)


def test_a_late_cancellation_has_nothing_to_fulfil() -> None:
    """The truck had left: everything is posted, only the shop has no fulfilment to show."""
    found = compare(without(cancelled(books()), "shopify-eu", "fulfilment.create"), set())

    assert found.lost == []


def test_a_shop_is_not_asked_to_show_more_than_it_sold() -> None:
    """A second parcel of nothing but what was packed beyond the order needs no fulfilment; one of ordered pieces does."""
    found = without(books(), "shopify-eu", "fulfilment.create")
    said = f"{REFERENCE} left as {SHIPMENT}, and shopify-eu has no fulfilment.create"
    shown = found.shop_orders[REFERENCE]["fulfilments"][0]

    shown["shipment"] = "wms-1/S-2"
    assert said not in compare(found, set()).lost
    shown["lines"][0]["quantity"] = 1
    assert said in compare(found, set()).lost


@pytest.mark.parametrize(("shipped", "lost"), [(2, False), (1, True)])
def test_a_marketplace_is_not_told_of_more_than_it_sold(shipped: int, lost: bool) -> None:
    """One package for two parcels is enough where it confirmed all that was sold, and only there."""
    found, order = books(), "amazon-eu/306-1"
    sold = [{"sku": "WID-1", "quantity": 2, "shipped": shipped}]
    found.shop_orders[order] = {"id": "306-1", "status": "Shipped", "lines": sold, "packages": {}}
    confirmed = {"effect": "fulfilment.create", "reference": f"wms-1/S-7|{order}", "key": "1", "detail": {}}
    found.journals["amazon-eu"] = [{"id": 1, **confirmed}]
    for number, key in enumerate(("S-7", "S-8"), 90):
        left = {"lines": [{"reference": order, "line": "1", "item": "WID-1", "quantity": "2"}]}
        found.journals["wms-1"].append(
            {
                "id": number,
                "effect": "shipment.departed",
                "reference": f"wms-1/{key}",
                "key": key,
                "detail": left,
            }
        )
    found.journals["amazon-eu"].append(
        {"id": 2, "effect": "order.placed", "reference": order, "key": "2", "detail": {}}
    )

    said = f"{order} left in 2 shipments, amazon-eu has 1 packages"
    assert (said in compare(found, set()).lost) is lost


def erp(effect: str) -> Callable[[Books], Any]:
    def change(found: Books) -> None:
        row = next(row for row in found.journals["sap-1"] if row["effect"] == effect)
        row["detail"]["quantities"]["WID-1"] = "3.000"

    return change


def warehouse(found: Books) -> None:
    found.journals["wms-1"][-1]["detail"]["lines"].pop()


def shop(found: Books) -> None:
    found.shop_orders[REFERENCE]["fulfilments"][0]["lines"][0]["quantity"] = 4


@pytest.mark.parametrize(
    ("doctor", "said"),
    [
        (erp("goods_issue.post"), f"{REFERENCE}: sap-1 posted 3.000 of WID-1, 2 left"),
        (erp("invoice.release"), f"{REFERENCE}: sap-1 billed 3.000 of WID-1, 2 left"),
        (warehouse, f"{REFERENCE}: 3 pieces were sold, 2 left"),
        (shop, f"{REFERENCE}: the shop shows 5 pieces in {SHIPMENT}, 3 left"),
    ],
    ids=["posted", "billed", "shipped", "shown"],
)
def test_a_quantity_that_differs_is_a_difference(doctor: Callable[[Books], Any], said: str) -> None:
    """Each book is held against what the customer ordered, and the difference is told in numbers."""
    doctored = books()
    doctor(doctored)

    assert said in compare(doctored, set()).differences
