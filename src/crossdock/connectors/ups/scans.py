"""Track Alert messages → milestones. Pure. One bad scan never costs the good ones beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from hashlib import blake2b
from typing import Any

import msgspec

from crossdock.connect.contract import Account, Inbound, Translation
from crossdock.connect.reading import parse, read, unmapped
from crossdock.connectors.ups.scan_codes import UNKNOWN, meaning
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.shipment import MilestoneReached
from crossdock.model.thread import identifier_thread

CARRIER = "ups"
CHANNEL = "track-alert"
SCANS_MAX = 1000
RAW_CHARACTERS_MAX = 300
OFFSET_MAX = timedelta(hours=14)
_TRACKING = re.compile(r"[0-9A-Z]{7,34}")
_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"(\d{6})(?:\.\d{1,9})?")
"""Some of UPS's own sources add a fraction of a second, up to seven digits; nothing depends on it."""
_OFFSET = re.compile(r"([+-])(\d\d)[.:](\d\d)")
Maybe = str | None


class _Location(msgspec.Struct, rename="camel"):
    city: Maybe = None
    state_province: Maybe = None
    country: Maybe = None
    postal_code: Maybe = None


class _Status(msgspec.Struct):
    type: str
    code: Maybe = None
    description: Maybe = None


class _Scan(msgspec.Struct, rename="camel"):
    tracking_number: str
    activity_status: _Status
    activity_location: _Location | None = None
    local_activity_date: Maybe = None
    local_activity_time: Maybe = None
    gmt_activity_date: Maybe = None
    gmt_activity_time: Maybe = None
    gmt_offset: Maybe = None


class _Batch(msgspec.Struct):
    events: tuple[_Scan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _When:
    """`at` only where the message itself says how far the local clock is from UTC."""

    local: str
    at: datetime | None


def to_milestones(inbound: Inbound, _: Account) -> Translation:
    """Translate what came in; nothing of the account matters."""
    if inbound.channel != CHANNEL:
        raise Unsupported(inbound.channel)
    return read_scans(inbound.body)


def read_scans(body: bytes) -> Translation:
    """One scan or `{"events": […]}` → one milestone each. Raises `Rejected` where none can be read.

    Of a scan that cannot be read and names its parcel, the parcel hears as `unknown`.
    """
    document = parse(body)
    events: dict[str, NewEvent] = {}
    lost: list[str] = []
    unread: list[Rejected] = []
    for path, item in _scans(document):
        try:
            event = _to_milestone(item)
        except Rejected as problem:
            unread.append(Rejected((path + problem.path).rstrip("/"), problem.reason))
            if (known := _of_parcel(item)) is not None:
                events.setdefault(known.id, known)
            else:
                lost.append(path)
        else:
            events.setdefault(event.id, event)
    if unread and not events:
        raise unread[0]
    shape = _Batch if isinstance(document, dict) and "events" in document else _Scan
    left = tuple(dict.fromkeys((*lost, *unmapped(shape, document))))
    return Translation(
        source_id=_source_id(tuple(events)),
        events=tuple(events.values()),
        unmapped=left,
        unread=tuple(unread),
    )


def _scans(document: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(document, dict):
        raise Rejected("/", "expected a scan or a list of them under `events`")
    if "events" not in document:
        yield "", document
        return
    items = document["events"]
    if not isinstance(items, list) or not items:
        raise Rejected("/events", "expected at least one scan")
    if len(items) > SCANS_MAX:
        raise Rejected("/events", f"more than {SCANS_MAX} scans in one message")
    for index, item in enumerate(items):
        yield f"/events/{index}", item


def _to_milestone(item: Any) -> NewEvent:
    tracking = _tracking(item)
    scan = read(_Scan, msgspec.json.encode(item))
    when = _when(scan)
    status = scan.activity_status
    kind, code = status.type.strip().upper(), (status.code or "").strip().upper()
    milestone, reason = meaning(kind, code)
    stamp = f"{scan.local_activity_date or ''}T{_whole(scan.local_activity_time)}"
    if stamp == "T":
        stamp = f"{scan.gmt_activity_date or ''}T{_whole(scan.gmt_activity_time)}Z"
    raw = f"{kind}/{code} {status.description or ''}".strip()
    return NewEvent(
        thread=identifier_thread("tracking", CARRIER, tracking),
        id=f"{tracking}:{stamp}:{kind}:{code}",
        occurred_at=when.at,
        data=MilestoneReached(
            milestone=milestone,
            classifier="ACT",
            tracking=tracking,
            carrier=CARRIER,
            at=when.at,
            local_at=when.local,
            location=_location(scan.activity_location),
            raw=raw[:RAW_CHARACTERS_MAX],
            reason=reason,
        ),
    )


def _tracking(item: Any) -> str:
    value = item.get("trackingNumber") if isinstance(item, dict) else None
    tracking = re.sub(r"\s", "", value).upper() if isinstance(value, str) else ""
    if not _TRACKING.fullmatch(tracking):
        raise Rejected("/trackingNumber", "no tracking number can be read")
    return tracking


def _of_parcel(item: Any) -> NewEvent | None:
    """Only the parcel is sure, or not even that: the carrier's words are kept, and nothing moves."""
    try:
        tracking = _tracking(item)
    except Rejected:
        return None
    status = item.get("activityStatus")
    words = status if isinstance(status, dict) else {}
    stamp = f"{item.get('localActivityDate') or ''}T{item.get('localActivityTime') or ''}"
    kept = {name: words[name] for name in ("type", "code", "description") if words.get(name)}
    digest = blake2b(msgspec.json.encode(item, order="deterministic"), digest_size=8).hexdigest()
    return NewEvent(
        thread=identifier_thread("tracking", CARRIER, tracking),
        id=f"{tracking}:unreadable:{digest}",
        data=MilestoneReached(
            milestone=UNKNOWN[0],
            classifier="ACT",
            tracking=tracking,
            carrier=CARRIER,
            local_at=stamp.strip("T")[:40],
            raw=msgspec.json.encode(kept).decode()[:RAW_CHARACTERS_MAX],
            reason="unreadable scan",
        ),
    )


def _whole(time: Maybe) -> str:
    """HHMMSS without a fraction of a second."""
    return (time or "").partition(".")[0]


def _when(scan: _Scan) -> _When:
    """Raises `Rejected` for a time no clock shows. A missing one is fine, UPS may leave it out."""
    local = _moment(scan.local_activity_date, scan.local_activity_time, "/localActivity")
    gmt = _moment(scan.gmt_activity_date, scan.gmt_activity_time, "/gmtActivity")
    if local is None:
        at = gmt.replace(tzinfo=UTC) if gmt else None
        day = scan.local_activity_date
        return _When(local=f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else "", at=at)
    offset = utc_offset(scan.gmt_offset) if gmt is None else local - gmt
    if offset is None:
        at = None
    elif gmt is not None and (abs(offset) > OFFSET_MAX or offset.seconds % 900):
        at = gmt.replace(tzinfo=UTC)  # The two clocks contradict each other: the one with a zone counts.
    else:
        at = local.replace(tzinfo=timezone(offset))
    return _When(local=local.isoformat(), at=at)


def _moment(date: Maybe, time: Maybe, path: str) -> datetime | None:
    """None where either half is missing: a date alone is no instant."""
    if date and not _DATE.fullmatch(date):
        raise Rejected(f"{path}Date", "not a date YYYYMMDD")
    if time and not _TIME.fullmatch(time):
        raise Rejected(f"{path}Time", "not a time HHMMSS")
    try:
        written = f"{date or '19700101'}{_whole(time) or '000000'}"
        moment = datetime.strptime(written, "%Y%m%d%H%M%S")  # noqa: DTZ007 — local on purpose
    except ValueError:
        raise Rejected(f"{path}Date", "no such date or time") from None
    return moment if date and time else None


def utc_offset(written: Maybe) -> timedelta | None:
    found = _OFFSET.fullmatch(written or "")
    if found is None:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    if offset > OFFSET_MAX:
        return None
    return -offset if found[1] == "-" else offset


def _location(location: _Location | None) -> str:
    if location is None:
        return ""
    parts = (location.city, location.state_province, location.country)
    return ", ".join(part.strip() for part in parts if part and part.strip())


def _source_id(ids: tuple[str, ...]) -> str:
    """A redelivered message has the same scans, and so the same id."""
    if len(ids) == 1:
        return ids[0]
    return "scans:" + blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()
