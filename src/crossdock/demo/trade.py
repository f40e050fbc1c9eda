"""A seeded day of trade: what customers order, what they regret, and what goes wrong meanwhile."""

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

UNKNOWN_ITEM = "GHOST-9"
CURRENCY = "EUR"
OPENING_STOCK = 100_000
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


def materials() -> dict[str, dict[str, str]]:
    """For the ERP twin."""
    return {
        sku: {"price": price, "currency": CURRENCY, "unit": "EA", "available": str(OPENING_STOCK)}
        for sku, (_, price) in _CATALOGUE.items()
    }


def products() -> dict[str, dict[str, str]]:
    """For the shop twin."""
    return {sku: {"title": title, "price": price} for sku, (title, price) in _CATALOGUE.items()}


def stock() -> dict[str, dict[str, str]]:
    """For the warehouse twin."""
    return {sku: {"quantity": str(OPENING_STOCK), "lot": ""} for sku in _CATALOGUE}


def wishes(count: int, seed: int) -> list[Wish]:
    """`count` orders; the first is an ordinary one, so that there is something to look at soon."""
    rng = random.Random(seed)
    return [_wish(rng, ordinary=number == 0) for number in range(count)]


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
