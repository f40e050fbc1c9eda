"""OTM's outbound messages → canonical events. Pure.

What carries our shipment reference goes to that shipment's thread; a status or bill without one goes to the home of
the carrier's PRO number.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from crossdock.connect.contract import Account, Inbound, Translation
from crossdock.connect.reading import parse, read, unmapped
from crossdock.connectors.oracle_otm import messages
from crossdock.connectors.oracle_otm.country_codes import ALPHA_2
from crossdock.connectors.oracle_otm.status_codes import meaning
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import (
    FreightCharge,
    FreightInvoiced,
    LoadAccepted,
    LoadDeclined,
    MilestoneReached,
)
from crossdock.model.thread import ThreadKey, identifier_thread

CHANNEL: Final = "events"
SHIPMENTS: Final = "/shipments"
TRACKING_EVENTS: Final = "/trackingEvents"
INVOICES: Final = "/invoices"
SECURE_RESOURCES: Final = "SECURE RESOURCES"
ACCEPTED: Final = "SECURE RESOURCES_ACCEPTED"
DECLINED: Final = "SECURE RESOURCES_DECLINED"
NO_RESOURCES: Final = "SECURE RESOURCES_NO RESOURCES"
BASE_CHARGE: Final = "FREIGHT"

_WEIGHT_UNITS = {"KG": "KGM", "LB": "LBR"}
_UTC_NAMES = ("UTC", "GMT", "Etc/UTC", "Etc/GMT")
_AMOUNT_DIGITS_MAX = 12
_BODY = "/transactions/items/0/body"
S = TypeVar("S", bound=msgspec.Struct)


def to_events(inbound: Inbound, account: Account) -> Translation:
    """One message → one event."""
    if inbound.channel != CHANNEL:
        raise Unsupported(inbound.channel)
    transmission = read(messages.Transmission, inbound.body)
    [transaction] = transmission.transactions.items
    body = bytes(transaction.body)
    shape: type[msgspec.Struct]
    if transaction.resource_url == SHIPMENTS:
        shape, event = messages.Shipment, _to_answer(_resource(messages.Shipment, body), account)
    elif transaction.resource_url == TRACKING_EVENTS:
        shape, event = messages.TrackingEvent, _to_milestone(_resource(messages.TrackingEvent, body), account)
    elif transaction.resource_url == INVOICES:
        shape, event = messages.Invoice, _to_bill(_resource(messages.Invoice, body), account)
    else:
        raise Unsupported(transaction.resource_url)
    left = (
        *unmapped(messages.Transmission, parse(inbound.body)),
        *unmapped(shape, parse(body), _BODY),
    )
    return Translation(source_id=str(transmission.transmission_no), events=(event,), unmapped=left)


def _resource(shape: type[S], body: bytes) -> S:
    try:
        return read(shape, body)
    except Rejected as problem:
        raise Rejected((_BODY + problem.path).rstrip("/"), problem.reason, problem.cause) from None


def _to_answer(shipment: messages.Shipment, account: Account) -> NewEvent:
    """A carrier's answer to a tender (X12 990). Other states of a shipment are OTM's own business."""
    refnums = _shipment_refnums(shipment.refnums)
    thread = _shipment_thread(refnums, account)
    if thread is None:
        qualifier = account.settings.get("refnum_qualifier") or "HUB_SHIPMENT"
        raise Rejected(f"{_BODY}/refnums", f"no reference number {qualifier}: whose load is it?", "missing")
    loads = {release.order_release_gid for release in shipment.order_releases.items}
    if len(loads) > 1:
        raise Rejected(f"{_BODY}/orderReleases", "a load of several order releases cannot be told apart")
    load, carrier = loads.pop(), _xid(shipment.servprov_gid).upper()
    moment = _when(shipment.update_date)[0]
    said = _xid(_status(shipment))
    data: LoadAccepted | LoadDeclined
    if said == ACCEPTED:
        data = LoadAccepted(
            load=load,
            carrier=carrier,
            pro=_pro(refnums, account, required_at=f"{_BODY}/refnums"),
            freight=_money(shipment.total_actual_cost, f"{_BODY}/totalActualCost"),
            pickup_at=_when(shipment.start_time)[0],
        )
    elif said in (DECLINED, NO_RESOURCES):
        why = _xid(shipment.decline_reason_code_gid or "")
        data = LoadDeclined(load=load, carrier=carrier, reason=why, exhausted=said == NO_RESOURCES)
    else:
        raise Unsupported(f"shipment status {said}")
    return NewEvent(thread=thread, data=data, occurred_at=moment)


def _status(shipment: messages.Shipment) -> str:
    for status in shipment.statuses.items:
        if _xid(status.status_type_gid) == SECURE_RESOURCES:
            return status.status_value_gid
    raise Unsupported(f"shipment without status {SECURE_RESOURCES}")


def _to_milestone(event: messages.TrackingEvent, account: Account) -> NewEvent:
    refnums = _shipment_refnums(event.shipment_refnums)
    carrier = _xid(event.servprov_gid).upper()
    thread = _shipment_thread(refnums, account)
    pro = _pro(refnums, account, required_at="" if thread else f"{_BODY}/shipmentRefnums")
    code = _xid(event.status_code_gid).upper()
    milestone, classifier, reason = meaning(code)
    at, local = _when(event.eventdate)
    said = _xid(event.status_reason_code_gid or "")
    country = _xid(event.country_code3_gid or "").strip().upper()
    place = (event.city, event.province_code, ALPHA_2.get(country, country))
    return NewEvent(
        thread=thread or identifier_thread("tracking", carrier, pro),
        occurred_at=at if classifier == "ACT" else None,
        data=MilestoneReached(
            milestone=milestone,
            classifier=classifier,
            tracking=pro,
            carrier=carrier,
            at=at,
            local_at=local,
            location=", ".join(part.strip() for part in place if part and part.strip()),
            raw=f"{code} {said}".strip(),
            reason=reason,
        ),
    )


def _to_bill(invoice: messages.Invoice, account: Account) -> NewEvent:
    """A freight bill (X12 210). What it bills is for the process to compare."""
    refnums = [(ref.invoice_refnum_qual_gid, ref.invoice_refnum_value) for ref in invoice.refnums.items]
    carrier = _xid(invoice.servprov_gid).upper()
    thread = _shipment_thread(refnums, account)
    if thread is None:
        pro = _pro(refnums, account, required_at=f"{_BODY}/refnums")
        thread = identifier_thread("tracking", carrier, pro)
    total = _money(invoice.net_amount_due, f"{_BODY}/netAmountDue")
    assert total is not None
    lines = invoice.line_items.items
    return NewEvent(
        thread=thread,
        occurred_at=_when(invoice.invoice_date)[0],
        data=FreightInvoiced(
            invoice=invoice.invoice_number,
            carrier=carrier,
            total=total,
            charges=tuple(_to_charge(line, f"{_BODY}/lineItems/items/{i}") for i, line in enumerate(lines)),
            reweighed=_reweighed(lines, account),
        ),
    )


def _to_charge(line: messages.InvoiceLine, path: str) -> FreightCharge:
    amount = _money(line.freight_charge, f"{path}/freightCharge")
    assert amount is not None
    code = _xid(line.accessorial_code_gid or "") or BASE_CHARGE
    return FreightCharge(code=code, amount=amount, description=line.description or "")


def _reweighed(lines: Iterable[messages.InvoiceLine], account: Account) -> Quantity | None:
    """The weight on the reweigh line; every other weight on a bill may as well be the declared one."""
    code = account.settings.get("reweigh_code") or "RWT"
    for index, line in enumerate(lines):
        if line.weight is not None and _xid(line.accessorial_code_gid or "") == code:
            path = f"{_BODY}/lineItems/items/{index}/weight"
            unit = _WEIGHT_UNITS.get(line.weight.unit.strip().upper())
            if unit is None:
                raise Rejected(f"{path}/unit", f"a weight in {line.weight.unit!r} (KG, LB)", "unit")
            return Quantity(_sane(line.weight.value, f"{path}/value"), unit)
    return None


def _shipment_refnums(refnums: messages.ShipmentRefnums) -> list[tuple[str, str]]:
    return [(ref.shipment_refnum_qual_gid, ref.shipment_refnum_value) for ref in refnums.items]


def _shipment_thread(refnums: list[tuple[str, str]], account: Account) -> ThreadKey | None:
    """The thread of our own reference, `<system>/<number>`; None where there is none."""
    values = _values(refnums, account.settings.get("refnum_qualifier") or "HUB_SHIPMENT")
    if len(values) > 1:
        raise Rejected(f"{_BODY}/refnums", "it names several of our shipments")
    system, _, number = next(iter(values), "").partition("/")
    return ThreadKey(f"shipment/{system}/{number}") if system and number else None


def _pro(refnums: list[tuple[str, str]], account: Account, *, required_at: str) -> str:
    qualifier = account.settings.get("pro_qualifier") or "PRO"
    values = _values(refnums, qualifier)
    if not values and required_at:
        raise Rejected(required_at, f"no reference number {qualifier}", "missing")
    return min(values, default="")


def _values(refnums: list[tuple[str, str]], qualifier: str) -> set[str]:
    return {value.strip() for name, value in refnums if _xid(name) == qualifier and value.strip()}


def _xid(gid: str) -> str:
    """The part behind the domain; public objects have no domain in front."""
    _, dot, xid = gid.strip().partition(".")
    return xid if dot else gid.strip()


def _when(moment: messages.Moment | None) -> tuple[datetime | None, str]:
    """The instant where the offset is known, and what the carrier's clock showed. Nonsense is kept as text."""
    written = (moment.value or "").strip()[:40] if moment else ""
    try:
        read_at = datetime.fromisoformat(written)
    except ValueError:
        return None, written
    if read_at.tzinfo is not None:
        return read_at, read_at.replace(tzinfo=None).isoformat()
    if moment and moment.timezone in _UTC_NAMES:
        return datetime.fromisoformat(written + "+00:00"), written
    return None, written


def _money(amount: messages.Amount | None, path: str) -> Money | None:
    if amount is None:
        return None
    return Money(_sane(amount.value, f"{path}/value"), amount.currency)


def _sane(value: Decimal, path: str) -> Decimal:
    if not value.is_finite() or value.adjusted() >= _AMOUNT_DIGITS_MAX:
        raise Rejected(path, "not a number that stands on a freight bill")
    return value
