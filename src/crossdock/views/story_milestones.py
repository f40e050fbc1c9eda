"""The milestone line: what happened, what is expected, and what nobody told us. Facts never look like guesses."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final

from crossdock.model.localtime import day_ends_at
from crossdock.model.movement import InboundExpected, TransferOrdered
from crossdock.model.operations import Overdue
from crossdock.model.registry import decode
from crossdock.model.shipment import Milestone as Scan
from crossdock.processes.blocked import FORGOABLE
from crossdock.processes.clocks import KEY
from crossdock.processes.inbound_state import State as Inbound
from crossdock.processes.order_state import State as Order
from crossdock.processes.returning_state import State as Return
from crossdock.processes.shipment import RANK
from crossdock.processes.shipment import State as Shipment
from crossdock.processes.transfer_state import State as Transfer
from crossdock.views.story_material import Material
from crossdock.views.story_shape import Classifier, Milestone

_BLOCKS: Final = {
    "order.check": "approved", "warehouse_order.release": "released", "label.create": "labelled",
    "label.attach": "departed", "goods_issue.post": "goods_issue", "invoice.release": "invoiced",
    "inbound.announce": "announced", "goods_receipt.post": "booked", "transfer.release": "released",
    "transfer_issue.post": "goods_issue", "consignment.withdraw": "goods_issue", "credit.post": "credited",
}  # fmt: skip
"""Which milestone an effect in trouble holds up."""

Known = tuple[str, str, bool, datetime | None, str]
"""(name, label, happened, when, note)"""


def milestones(m: Material) -> list[Milestone]:
    """Empty for kinds whose life has no stations."""
    match m.state:
        case Order() if m.state.number:
            known = _of_order(m, m.state)
            ended = m.state.phase if m.state.phase in ("cancelled", "rejected") else ""
        case Shipment() if m.state.shipment:
            known = _of_shipment(m, m.state)
            ended = ""
        case Inbound():
            known = _of_inbound(m, m.state)
            ended = "cancelled" if m.state.ended == "cancelled" else ""
        case Transfer() if m.state.order:
            known = _of_transfer(m, m.state)
            ended = "cancelled" if m.state.cancelled and not m.state.legs else ""
        case Return():
            known = _of_return(m, m.state)
            ended = "cancelled" if m.state.ended == "cancelled" else ""
        case _:
            return []
    if ended:
        known = [x for x in known if x[2]]
        known.append((ended, ended, True, m.row["updated_at"], ""))
    return _classified(m, known)


def _first(m: Material, type_: str, *, shipments: bool = False) -> datetime | None:
    """When it first happened; events are newest first."""
    rows = m.events if shipments else m.own_events
    return next((_happened(e) for e in reversed(rows) if e["type"] == type_), None)


def _last(m: Material, type_: str) -> datetime | None:
    return next((_happened(e) for e in m.own_events if e["type"] == type_), None)


def _happened(event: Any) -> datetime:
    """When it happened, by whoever said so; nothing happened after we had heard of it."""
    at = min(event["occurred_at"], event["recorded_at"])
    assert isinstance(at, datetime)
    return at


def _share(done: int, of: int) -> str:
    return f"{done} of {of}" if of > 1 and 0 < done < of else ""


def _of_order(m: Material, s: Order) -> list[Known]:
    parts = s.parts
    shipments = [state for row, state in m.linked.values() if row["kind"] == "shipment"]

    def of_parts(name: str, label: str, type_: str, has: Callable[[Any], Any]) -> Known:
        count = sum(1 for x in parts if has(x))
        happened = bool(parts) and count == len(parts)
        return name, label, happened, _last(m, type_) if count else None, _share(count, len(parts))

    labelled = sum(1 for x in shipments if x.label)
    approved = bool(s.sales_order or s.warehouse_order or parts) or s.phase in (
        "approved",
        "released",
        "cancelling",
    )
    packed = bool(parts) and not any(x.open + x.reserved + x.allocated for x in s.lines)
    left = [x for x in parts if x.shipped_at]
    return [
        ("placed", "placed", True, _first(m, "order.received.v1"), ""),
        ("approved", "approved", approved, _first(m, "claim.granted.v1"), s.hold and f"held: {s.hold}"),
        ("released", "released", bool(s.warehouse_order), _first(m, "order.released.v1"), ""),
        ("allocated", "allocated", s.allocated, _first(m, "order.allocated.v1"), ""),
        ("packed", "packed", packed, _last(m, "order.packed.v1"), "part of it" if parts and not packed else ""),
        (
            "labelled", "labelled", bool(shipments) and labelled == len(shipments),
            _first(m, "label.generated.v1", shipments=True), _share(labelled, len(shipments)),
        ),
        ("departed", "departed", packed and len(left) == len(parts), _last(m, "order.shipped.v1"), _share(len(left), len(parts))),
        of_parts("goods_issue", "goods issue", "goodsIssue.posted.v1", lambda x: x.goods_issue),
        of_parts("delivered", "delivered", "order.delivered.v1", lambda x: x.delivered_at),
        of_parts("invoiced", "invoiced", "invoice.released.v1", lambda x: x.invoice),
    ]  # fmt: skip


def _of_shipment(m: Material, s: Shipment) -> list[Known]:
    scans = _scans(m)
    reached = max((RANK[x.milestone] for x in s.tracks), default=0)

    def scan(name: Scan, label: str) -> Known:
        rank = RANK[name]
        count = sum(1 for x in s.tracks if RANK[x.milestone] >= rank)
        at = scans.get((name, "ACT"))
        return name, label, at is not None and reached >= rank, at, _share(count, len(s.tracks))

    delivered = s.delivered_at is not None
    return [
        ("packed", "packed", bool(s.packages), _first(m, "shipment.packed.v1"), ""),
        ("labelled", "labelled", bool(s.label), _first(m, "label.generated.v1"), ""),
        ("label_attached", "label at warehouse", s.label_attached, _first(m, "label.attached.v1"), ""),
        ("departed", "departed", s.departed_at is not None, s.departed_at, ""),
        scan("picked_up", "picked up"), scan("in_transit", "in transit"), scan("out_for_delivery", "out for delivery"),
        ("delivered", "delivered", delivered, s.delivered_at, "" if delivered else scan("delivered", "")[4]),
    ]  # fmt: skip


def _of_inbound(m: Material, s: Inbound) -> list[Known]:
    receipts = [x for x in s.receipts if x.asked]
    booked = sum(1 for x in receipts if x.document)
    all_came = bool(s.receipts) and not s.left
    return [
        ("expected", "expected", s.said is not None, _first(m, "inbound.expected.v1"), ""),
        ("announced", "announced", bool(s.announced), _first(m, "inbound.announced.v1"), ""),
        ("received", "received", all_came, _last(m, "inbound.received.v1"), "part of it" if s.receipts and not all_came else ""),
        (
            "booked", "goods receipt", all_came and booked == len(receipts), _last(m, "goodsReceipt.posted.v1"),
            _share(booked, len(receipts)),
        ),
    ]  # fmt: skip


def _of_transfer(m: Material, s: Transfer) -> list[Known]:
    issues, receipts = [x for x in s.issues if x.asked], [x for x in s.receipts if x.asked]
    issued, booked = sum(1 for x in issues if x.document), sum(1 for x in receipts if x.document)
    arrived = s.complete and not s.in_transit
    known = [
        ("ordered", "ordered", True, _first(m, "transfer.ordered.v1"), ""),
        ("set_aside", "set aside", s.granted, _first(m, "claim.granted.v1"), ""),
        ("released", "released", bool(s.released), _first(m, "transfer.released.v1"), ""),
        ("shipped", "left", s.complete, _last(m, "transfer.shipped.v1"), "part of it" if s.legs and not s.complete else ""),
        ("goods_issue", "goods issue", s.complete and issued == len(issues), _last(m, "goodsIssue.posted.v1"), _share(issued, len(issues))),
        ("received", "received", arrived, _last(m, "inbound.received.v1"), "part of it" if s.receipts and not arrived else ""),
        ("booked", "goods receipt", arrived and booked == len(receipts), _last(m, "goodsReceipt.posted.v1"), _share(booked, len(receipts))),
    ]  # fmt: skip
    if s.variances or any(x.settled for x in s.legs):
        settled = max(
            filter(None, (_last(m, "transfer.settled.v1"), _last(m, "inbound.accepted.v1"))), default=None
        )
        known.append(("settled", "differences settled", not s.variances, settled, ""))
    return known


def _of_return(m: Material, s: Return) -> list[Known]:
    came = any(x.came for x in s.lines)
    booked = sum(1 for x in s.inspections if x.receipt)
    asked = [x for x in s.inspections if x.credit_asked]
    credited = sum(1 for x in asked if x.credit)
    judged = came and not s.unjudged
    authorised = s.said is not None or s.accepted
    return [
        ("authorised", "authorised", authorised, _first(m, "return.authorised.v1") or _first(m, "inbound.accepted.v1"), ""),
        ("received", "received", came and not s.left, _last(m, "inbound.received.v1"), "part of it" if came and s.left else ""),
        ("inspected", "inspected", judged, _last(m, "return.dispositioned.v1"), ""),
        ("booked", "goods receipt", judged and booked > 0, _last(m, "goodsReceipt.posted.v1"), ""),
        ("credited", "credited", bool(asked) and credited == len(asked), _last(m, "credit.posted.v1"), _share(credited, len(asked))),
    ]  # fmt: skip


def _scans(m: Material) -> dict[tuple[str, str], datetime]:
    """(milestone, classifier) → the newest carrier scan's time."""
    found: dict[tuple[str, str], datetime] = {}
    for e in reversed(m.events):
        if e["type"] == "shipment.milestoneReached.v1":
            data: Any = decode(e["type"], e["data"])
            at = data.at or e["occurred_at"]
            found[data.milestone, data.classifier] = (
                min(at, e["recorded_at"]) if data.classifier == "ACT" else at
            )
    return found


def _classified(m: Material, known: Sequence[Known]) -> list[Milestone]:
    last = max((n for n, x in enumerate(known) if x[2]), default=-1)
    troubled = {_BLOCKS[f["kind"]] for f in m.effects if f["state"] in (5, 6) and f["kind"] in _BLOCKS}
    forgoable = {str(f["id"]) for f in m.effects if f["kind"] in FORGOABLE and f["kind"] not in _BLOCKS}
    cases = [c for c in m.cases if not c["key"].startswith(KEY) and c["key"] not in forgoable]
    out = _run_out(m)
    blocked = bool(cases) or bool(troubled) or m.row["parked"] is not None
    waiting = not m.row["done"]
    expected = _expected(m)
    found = []
    for place, (name, label, happened, at, note) in enumerate(known):
        if happened:
            found.append(Milestone(name, label, "actual", at, note=note))
            continue
        classifier, when = _guess(expected.get(name), m.now)
        standing = ""
        if name in troubled or (
            waiting and not any(x.standing for x in found) and not _passed(name, place, last)
        ):
            standing = "blocked" if name in troubled or (blocked and not troubled) else "waiting"
        if not standing and place < last:
            classifier = "unreported"
        if name in out:
            classifier, when = "missing", out[name].due_at
        since = m.row["waiting_since"] if standing and when is None else when
        told = f"clock: {out[name].clock}" if name in out else note
        found.append(Milestone(name, label, classifier, since, standing=standing, note=told))  # type: ignore[arg-type]
    return found


_OVERDUE: Final = {
    "warehouse acknowledgement": "released", "label": "labelled", "carrier acceptance": "labelled", "first scan": "picked_up",
    "goods issue": "goods_issue", "proof of delivery": "delivered",
}  # fmt: skip
"""Which milestone stays away when a clock has run out."""


def _run_out(m: Material) -> dict[str, Overdue]:
    """Milestone → what did not come in time; its instant as the reader's clock shows it, however fast the business clock ran."""
    found = {}
    for x in m.state.overdue if isinstance(m.state, Order | Shipment) else ():
        due = x.since + (x.due_at - x.since) / m.row["clock_rate"]
        found[_OVERDUE.get(x.clock, "")] = Overdue(x.clock, x.thing, x.since, due)
    return found


def _passed(name: str, place: int, last: int) -> bool:
    """Carrier scans and hand-overs may stay away for ever; postings never may."""
    return place < last and name in (
        "label_attached",
        "picked_up",
        "in_transit",
        "out_for_delivery",
        "allocated",
        "released",
    )


def _expected(m: Material) -> dict[str, tuple[Classifier, datetime]]:
    """Who said when: a carrier's estimate beats the promise given with the order."""
    found: dict[str, tuple[Classifier, datetime]] = {}
    due = _due_on(m.state)
    if due is not None:
        found[due[0]] = ("planned", due[1])
    for (name, classifier), at in _scans(m).items():
        if classifier in ("EST", "PLN"):
            found[name] = ("estimated" if classifier == "EST" else "planned", at)
    return found


def _due_on(state: Any) -> tuple[str, datetime] | None:
    """(milestone, the end of the day it is promised or ordered for, where it shall come)"""
    match state:
        case Order(promised_on=date() as day):
            return "delivered", day_ends_at(day, state.destination.country)
        case (
            Inbound(said=InboundExpected(due_on=date() as day))
            | Transfer(order=TransferOrdered(due_on=date() as day))
        ):
            return "received", day_ends_at(day, "")
        case _:
            return None


def _guess(said: tuple[Classifier, datetime] | None, now: datetime) -> tuple[Classifier, datetime | None]:
    if said is None:
        return "open", None
    return ("missing", said[1]) if said[1] < now else said
