"""A seeded day of trade: what customers order, what they regret, and what goes wrong meanwhile."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

UNKNOWN_ITEM = "GHOST-9"
NEW_ITEM, NEW_TITLE = "NEW-1", "Night light"
"""Shops sell it and it lies on the shelf before the ERP knows it."""
NEW_PRODUCT: dict[str, Any] = {
    "price": "24.00",
    "currency": "EUR",
    "unit": "EA",
    "available": "100000",
    "descriptions": {"EN": NEW_TITLE},
}
COUNTED_ITEM, COUNTED_TITLE, COUNTED_STOCK = "CNT-1", "Counted glass", 500
"""It lies at the sites and nobody orders it: what changes its stock are counts."""
SPLIT_ITEM, SPLIT_TITLE, SPLIT_PRICE = "STL-1", "Stool", "7.50"
EACH_SITE_HAS, SPLIT_QUANTITY = 60, 70
"""Neither of a company's two sites has so many."""
SECOND_SHOP = "woo-us"
MARKET = "amazon-eu"
MARKET_PLANS = {"getOrders": [20, 20], "getOrderItems": [50, 50]}
"""Of a seller who was granted more: a day of trade here is a minute."""
CURRENCY = "EUR"
OPENING_STOCK = 100_000
SPECIAL_FROM = 5
CANCEL_LATE = 2.5
"""An order takes so much longer with two companies that cancellations come this much later."""
_CATALOGUE = {
    "WID-1": ("Widget", "12.50"), "WID-2": ("Widget, large", "19.90"), "GAD-1": ("Gadget", "49.00"),
    "GAD-2": ("Gadget, pocket", "34.95"), "CBL-1": ("Cable, 1 m", "4.20"), "CBL-2": ("Cable, 2 m", "5.80"),
    "LMP-1": ("Desk lamp", "39.00"), "LMP-2": ("Floor lamp", "129.00"), "MUG-1": ("Mug", "8.75"),
    "BAG-1": ("Tote bag", "15.00"), "PEN-1": ("Pen set", "11.40"), "BKS-1": ("Book stand", "27.30"),
}  # fmt: skip
_PEOPLE = ("Ada", "Grace", "Edsger", "Barbara", "Tony", "Radia", "Niklaus", "Frances")
_NAMES = ("Jansen", "Meyer", "Rossi", "Dubois", "Novak", "Silva", "Larsen", "Kowalski")
_PLACES = (
    ("Kade 12", "Utrecht", "3511 AB", "NL"), ("Hafenweg 3", "Hamburg", "20457", "DE"),
    ("Rue du Canal 8", "Lille", "59000", "FR"), ("Via Roma 21", "Torino", "10121", "IT"),
    ("Calle Mayor 5", "Bilbao", "48001", "ES"), ("Nygade 7", "Aarhus", "8000", "DK"),
)  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """One order to come, and what shall happen to it."""

    spec: dict[str, Any]
    unknown_item: bool = False
    credit: str = ""
    """"" fine; "blocked" for good; "released" after a while."""
    cancel_after: float | None = None
    """Seconds after placing until the customer cancels."""
    shop: str = "shopify-eu"
    change_after: float | None = None
    """Seconds after placing until the customer changes it."""
    change: Mapping[str, Any] = field(default_factory=dict)
    """To what: other quantities by item, more lines, another address, as the shop's twin takes it."""
    suspected_for: float | None = None
    """Seconds for which the fraud desk keeps it from the warehouse."""
    label_torn: bool = False
    """Its parcel waits for a late truck, and its label is made anew meanwhile."""


def materials() -> dict[str, dict[str, str]]:
    """For the ERP twin."""
    prices = {sku: price for sku, (_, price) in _CATALOGUE.items()} | {
        SPLIT_ITEM: SPLIT_PRICE,
        COUNTED_ITEM: SPLIT_PRICE,
    }
    return {
        sku: {"price": price, "currency": CURRENCY, "unit": "EA", "available": str(OPENING_STOCK)}
        for sku, price in prices.items()
    }


def plant_stock() -> dict[str, dict[str, dict[str, str]]]:
    """For the ERP twin: what lies at every plant of both companies."""
    shelf = {sku: {"unrestricted": str(OPENING_STOCK)} for sku in _CATALOGUE}
    shelf[SPLIT_ITEM] = {"unrestricted": str(EACH_SITE_HAS)}
    shelf[COUNTED_ITEM] = {"unrestricted": str(COUNTED_STOCK)}
    return dict.fromkeys(("1010", "1020", "2010"), shelf)


def products() -> dict[str, dict[str, str]]:
    """For the shop twin."""
    known = {sku: {"title": title, "price": price} for sku, (title, price) in _CATALOGUE.items()}
    return known | {
        NEW_ITEM: {"title": NEW_TITLE, "price": NEW_PRODUCT["price"]},
        SPLIT_ITEM: {"title": SPLIT_TITLE, "price": SPLIT_PRICE},
        COUNTED_ITEM: {"title": COUNTED_TITLE, "price": SPLIT_PRICE},
    }


def stock() -> dict[str, dict[str, str]]:
    """For the warehouse twin of either site."""
    shelf = dict.fromkeys((*_CATALOGUE, NEW_ITEM), OPENING_STOCK) | {
        SPLIT_ITEM: EACH_SITE_HAS, COUNTED_ITEM: COUNTED_STOCK,
    }  # fmt: skip
    return {sku: {"quantity": str(quantity), "lot": ""} for sku, quantity in shelf.items()}


def wishes(count: int, seed: int) -> list[Wish]:
    """`count` orders; the first is an ordinary one, so that there is something to look at soon."""
    rng = random.Random(seed)
    return [_wish(rng, ordinary=number == 0) for number in range(count)]


def group_wishes(count: int, seed: int) -> list[Wish]:
    """As `wishes`, over two shops and a marketplace, and with more that customers do and shops leave out.

    One order's only line is served from two sites, and one order's label is torn.
    """
    rng = random.Random(seed + 7)
    made = [_of_group(rng, wish, ordinary=number == 0) for number, wish in enumerate(wishes(count, seed))]
    if count >= SPECIAL_FROM:
        line = {"sku": SPLIT_ITEM, "quantity": SPLIT_QUANTITY, "price": SPLIT_PRICE, "title": SPLIT_TITLE}
        made[count // 5] = Wish(_wish(rng, ordinary=True).spec | {"lines": [line]})
        made[count // 3] = replace(_wish(rng, ordinary=True), label_torn=True)
    return made


def _of_group(rng: random.Random, wish: Wish, *, ordinary: bool) -> Wish:
    roll, soon = rng.random(), rng.uniform(0.0, 2.0)
    plain = {"lines": wish.spec["lines"], "currency": CURRENCY}
    first, *rest = wish.spec["lines"]
    if wish.unknown_item:  # the second company rejects what it does not know
        return replace(wish, spec=plain, shop=SECOND_SHOP)
    if wish.cancel_after is not None:  # at any stage: before release, picked, packed, on the road
        return replace(wish, cancel_after=wish.cancel_after * CANCEL_LATE)
    if ordinary or wish.credit:
        return wish
    if roll < 0.12:
        return replace(wish, spec=plain, shop=SECOND_SHOP)
    if roll < 0.20:
        pallet = {**first, "quantity": rng.randrange(80, 200)}
        return replace(wish, spec=wish.spec | {"lines": [pallet, *rest]})
    if roll < 0.34:
        return replace(wish, change_after=soon, change=_change(rng, first, rest))
    if roll < 0.37:  # no country to ship to, until the customer says which
        customer = wish.spec["customer"]
        change = {"customer": {"country_code": customer["country_code"]}}
        unaddressed = wish.spec | {"customer": customer | {"country_code": ""}}
        return replace(wish, spec=unaddressed, change_after=2.0 + soon, change=change)
    if roll < 0.40:
        return replace(wish, suspected_for=2.0 + soon)
    if roll < 0.45:
        new = {"sku": NEW_ITEM, "quantity": 1, "price": NEW_PRODUCT["price"], "title": NEW_TITLE}
        return replace(wish, spec=wish.spec | {"lines": [*wish.spec["lines"], new]})
    if roll < 0.58:
        return replace(wish, spec={"lines": wish.spec["lines"]}, shop=MARKET)
    return wish


def _change(rng: random.Random, first: Mapping[str, Any], rest: list[dict[str, Any]]) -> dict[str, Any]:
    """One piece more, another line, a line less, or another address."""
    roll = rng.random()
    if roll < 0.25 and rest:
        return {"quantities": {rest[0]["sku"]: 0}}
    if roll < 0.5:
        street, city, code, country = rng.choice(_PLACES)
        return {"customer": {"address1": street, "city": city, "zip": code, "country_code": country}}
    if roll < 0.75 and first["sku"] != "PEN-1" and all(x["sku"] != "PEN-1" for x in rest):
        title, price = _CATALOGUE["PEN-1"]
        return {"lines": [{"sku": "PEN-1", "quantity": 2, "price": price, "title": title}]}
    return {"quantities": {first["sku"]: first["quantity"] + 1}}


def _wish(rng: random.Random, *, ordinary: bool) -> Wish:
    skus = rng.sample(sorted(_CATALOGUE), rng.choice((1, 1, 1, 2, 2, 3)))
    lines = [
        {
            "sku": sku,
            "quantity": rng.choice((1, 1, 1, 2, 2, 3, 5)),
            "price": _CATALOGUE[sku][1],
            "title": _CATALOGUE[sku][0],
        }
        for sku in skus
    ]
    first, last, place = rng.choice(_PEOPLE), rng.choice(_NAMES), rng.choice(_PLACES)
    number = rng.randrange(10**9, 10**10)
    customer = {
        "id": number, "first_name": first, "last_name": last, "email": f"{first}.{last}.{number}@example.org".lower(),
        "phone": f"+4930{rng.randrange(10**6, 10**7)}", "address1": place[0], "city": place[1], "zip": place[2],
        "country_code": place[3],
    }  # fmt: skip
    roll, delay = rng.random(), rng.uniform(0.0, 2.5)
    unknown = not ordinary and roll < 0.03
    credit = "" if ordinary or not 0.03 <= roll < 0.07 else "blocked" if roll < 0.05 else "released"
    cancel = delay if not ordinary and 0.07 <= roll < 0.15 else None
    if unknown:
        lines.append({"sku": UNKNOWN_ITEM, "quantity": 1, "price": "1.00", "title": "Ghost"})
    spec = {
        "lines": lines,
        "currency": CURRENCY,
        "customer": customer,
        "express": rng.random() < 0.15,
        "tags": "",
    }
    return Wish(spec, unknown, credit, cancel)


def total_of(spec: dict[str, Any]) -> Decimal:
    return sum((Decimal(x["price"]) * x["quantity"] for x in spec["lines"]), Decimal(0))


FAULTS: dict[str, dict[str, float]] = {
    "shopify": {
        "duplicate_webhook": 0.15, "reordered_webhook": 0.10, "update_storm": 0.05, "stale_signature": 0.05,
        "answer_lost": 0.05, "unavailable": 0.05, "throttled": 0.03, "throttle_429": 0.02,
    },
    "sap_s4": {
        "answer_lost": 0.04, "unavailable": 0.04, "csrf_stale": 0.05, "etag_conflict": 0.05, "locked": 0.04,
        "throttle_429": 0.02, "gateway_html_502": 0.02,
    },
    "manhattan_wms": {
        "answer_lost": 0.05, "unavailable": 0.05, "throttle_429": 0.03, "token_expired": 0.03, "duplicate_event": 0.15,
        "reordered_event": 0.10,
    },
    "ups": {
        "answer_lost": 0.05, "unavailable": 0.05, "throttle_429": 0.03, "token_expired": 0.03, "duplicate_scan": 0.15,
        "late_scan": 0.15, "garbage_scan": 0.05, "d_without_delivery": 0.05, "early_scan": 0.05,
    },
    "signed_webhook": {"answer_lost": 0.05, "unavailable": 0.05, "throttle_429": 0.03},
}  # fmt: skip
"""The demo's weather: shares of cases in which each twin misbehaves as its partner is known to."""
GROUP_FAULTS: dict[str, dict[str, float]] = FAULTS | {
    "woocommerce": {"answer_lost": 0.05, "unavailable": 0.05},
    "manhattan_wms": FAULTS["manhattan_wms"] | {
        "short_pick": 0.04, "over_pick": 0.03, "substitute": 0.04, "split_packages": 0.10, "split_shipments": 0.06, "merge_orders": 0.05,
        "cancel_refused": 0.20,
    },
    "ups": FAULTS["ups"] | {
        "attempt_failed": 0.05, "held": 0.04, "returned": 0.02, "lost": 0.02, "last_lost": 0.02, "local_time_only": 0.10,
        "reused_number": 0.03, "future_stamp": 0.05,
    },
    "oracle_otm": {
        "answer_lost": 0.05, "unavailable": 0.05, "throttle_429": 0.03, "token_expired": 0.03, "duplicate_event": 0.15,
        "reordered_event": 0.10, "late_status": 0.10, "garbage_status": 0.05, "carrier_declines": 0.20, "reweighed": 0.20,
        "duplicate_freight_bill": 0.15, "double_billed": 0.05,
    },
    "amazon_marketplace": {
        "answer_lost": 0.05, "unavailable": 0.05, "throttle_429": 0.03, "token_expired": 0.05, "duplicate_notification": 0.15,
        "reordered_notification": 0.10, "lost_notification": 0.10, "late_listing": 0.20,
    },
    "email": {"unavailable": 0.05},  # greylists and 421 take their minute, which a drained day does not have
}  # fmt: skip
"""The weather of two companies: less, more and other goods than ordered, parcels that do not arrive, disputed freight."""
SUBSTITUTES = {"WID-1": "WID-2", "CBL-1": "CBL-2", "GAD-2": "GAD-1"}
