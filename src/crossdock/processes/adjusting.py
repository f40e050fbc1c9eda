"""What the ERP is told of stock that changes without an order: found, missing, put aside, free again, destroyed. Pure.

The ledger's own moves say it, so that the two books change by the same. Receipts, issues and openings are told otherwise
or known there already; a process puts only such moves here as nobody else posts.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket, Change, Condition, StockPlace
from crossdock.processes.intents import Do, Intent, Move
from crossdock.processes.policy import Policy

KIND: Final = "stock_adjustment.post"
_CONDITIONS: Final[dict[Bucket, Condition]] = {
    "available": "good", "soft_claim": "good", "firm_claim": "good", "allocated": "good", "picked": "good",
    "quarantine": "quarantine", "damaged": "damaged", "returned": "damaged",
}  # fmt: skip
"""How the ERP keeps what stands in a bucket; the others are not in its stock."""
_Said = tuple[StockPlace, Change, Condition, str]
"""(place, change, condition, unit)"""


class Fact(msgspec.Struct, frozen=True, gc=False):
    """Who told it, as what, when and why. `document` is unique: the sender's name and its own."""

    document: str
    thread: str
    at: datetime
    source: str
    reason: str = ""
    serials: tuple[str, ...] = ()


def fact_of(event: Recorded, reason: str = "", serials: tuple[str, ...] = ()) -> Fact:
    """A sender numbers its messages, and the same number is the same fact, however often and in whatever version it is read."""
    return Fact(f"{event.source}/{event.id}", event.thread, event.occurred_at, event.source, reason, serials)


def said_by(move: Move) -> tuple[Change, Condition] | None:
    """What a move means to the ERP; None where its stock stays as it is."""
    out, into = _CONDITIONS.get(move.source), _CONDITIONS.get(move.target)
    if move.source == "outside" and into:
        return "gain", into
    if move.target == "outside" and out:
        return "loss", out
    if out == "good" and into in ("quarantine", "damaged"):
        return "hold", into
    if out in ("quarantine", "damaged") and into == "good":
        return "release", out
    return None


def posted(moves: Iterable[Intent], fact: Fact, policy: Policy) -> list[Intent]:
    """Tell the ERP of record, of each place and way once; what it books by itself, or told us, it is not told."""
    told: dict[_Said, Decimal] = {}
    for x in moves:
        said = said_by(x) if isinstance(x, Move) else None
        if isinstance(x, Move) and said is not None:
            key = (x.place, *said, x.unit)
            told[key] = told.get(key, Decimal(0)) + x.quantity
    return [do for key, quantity in told.items() for do in _told(key, quantity, fact, policy)]


def scrapped(
    place: StockPlace, quantity: Quantity, fact: Fact, policy: Policy, *, erp: str, lane: str
) -> list[Intent]:
    """Damaged goods that the ERP was told of were destroyed; in the lane of whatever told it."""
    if "scrap" not in policy.adjustments_at(place.location):
        return []
    return [_do((place, "scrap", "damaged", quantity.unit), quantity.value, fact, policy, erp=erp, lane=lane)]


def _told(key: _Said, quantity: Decimal, fact: Fact, policy: Policy) -> list[Do]:
    place, change, condition, unit = key
    erp = policy.books_stock(place.location, place.owner)
    if not erp or erp in (fact.source, policy.warehouse_of(place.location)):
        return []
    if change == "loss" and fact.reason.casefold() in map(str.casefold, policy.scrap_reasons):
        change = "scrap"
    if change not in policy.adjustments_at(place.location):
        return []
    lane = f"{place.location}/{place.item}"
    return [_do((place, change, condition, unit), quantity, fact, policy, erp=erp, lane=lane)]


def _do(key: _Said, quantity: Decimal, fact: Fact, policy: Policy, *, erp: str, lane: str) -> Do:
    place, change, condition, unit = key
    named = f"{name_of(fact.document, place.item, place.lot)}/{change}-{condition}"
    payload = requests.PostStockAdjustment(
        named, fact.thread, fact.document, place.location, place.item, Quantity(quantity, unit), change, condition, fact.at,
        policy.day_at(place.location, fact.at), fact.reason, place.lot, fact.serials,
    )  # fmt: skip
    return Do(KIND, erp, named, payload, lane, priority=4)


def name_of(document: str, item: str, lot: str) -> str:
    """What all adjustments of an item and lot by one document have in their names, before the last `/`."""
    return f"{document}/{item}/{lot}"
