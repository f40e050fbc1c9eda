"""The simulated UPS network: parcels travel from scan to scan once their numbers are subscribed.

What is due stands in the books as `due` documents (the key sorts by time): a killed twin simply goes on.
"""

import calendar
import json
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from crossdock.connect.twin import Twin
from crossdock.connectors.ups.scans import read_scans, utc_offset

STEPS_PER_TICK_MAX = 200
HAND_OVER_PACES = 3
LATE_TRUCK_PACES = 60
LATE_SECONDS_MAX = 3.0
WAY = (
    ("manifest", "M", "MP", "Shipper created a label", ""),
    ("picked_up", "I", "PU", "Picked up", "Bonn"),
    ("departed", "I", "DP", "Departed from facility", "Bonn"),
    ("arrived", "I", "AR", "Arrived at facility", "Cologne"),
    ("out_for_delivery", "I", "OT", "Out for delivery", "Cologne"),
    ("delivered", "D", "FS", "Delivered, signed for", "Cologne"),
)
NOT_DELIVERED = ("", "D", "50", "Incorrect address", "Cologne")
_UNTIL_DEPOT, _ALL_BUT_DELIVERED = WAY[:4], WAY[:5]
ENDS = {
    "attempt_failed": (
        *_ALL_BUT_DELIVERED,
        ("attempted", "X", "48", "The receiver was not available", "Cologne"),
        ("out_for_delivery", "I", "OT", "Out for delivery", "Cologne"),
        WAY[-1],
    ),
    "held": (
        *_ALL_BUT_DELIVERED,
        ("held", "X", "ZP", "At an access point", "Cologne"),
        ("delivered", "D", "2W", "Collected at the access point", "Cologne"),
    ),
    "returned": (
        *_ALL_BUT_DELIVERED,
        ("attempted", "X", "AM", "The receiver refused the parcel", "Cologne"),
        ("returning", "X", "3N", "Returning to the shipper", "Cologne"),
        ("returned", "RS", "RS", "Returned to the shipper", "Bonn"),
    ),
    "lost": (*_UNTIL_DEPOT, ("lost", "X", "F8", "The parcel was lost", "Cologne")),
}
"""Ways that end otherwise; which one a parcel goes is rolled once, when it starts."""
SHIPPED = (
    "picked_up", "departed", "arrived", "out_for_delivery", "delivered", "attempted", "held", "returning", "returned", "lost",
)  # fmt: skip


class Parcels:
    """All methods but `work` are called inside a change of the books."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.books = twin.books
        self._random = random.Random(twin.setup.seed)  # reproducible mischief, not a secret

    async def work(self) -> None:
        """Do every scan that is due, each in its own change."""
        if self.twin.quirks.hits("silent"):
            return
        due = self.books.rows(
            "select key, body from document where kind = 'due' and key <= ? order by key limit ?",
            _moment(time.time()),
            STEPS_PER_TICK_MAX,
        )
        for key, body in due:
            with self.books.change():
                self.books.remove("due", key)
                parcel = self.books.get("parcel", json.loads(body))
                if not parcel["voided"]:
                    self._travel(parcel)

    def label(self, number: str, reference: str, packages: list[dict[str, str]]) -> None:
        for package in packages:
            parcel = {
                "tracking": package["tracking"],
                "reference": reference,
                "shipment": number,
                "status": "label",
                "voided": False,
                "subscribed": False,
                "next": 0,
                "scanned_at": 0.0,
                "failed_once": False,
                "last": package is packages[-1] and len(packages) > 1,
            }
            self.books.put("parcel", package["tracking"], parcel)

    def void(self, trackings: list[str]) -> None:
        for tracking in trackings:
            parcel = self.books.get("parcel", tracking)
            self.books.put("parcel", tracking, {**parcel, "voided": True, "status": "voided"})

    def subscribe(self, trackings: list[str]) -> list[str]:
        """Follow these numbers; returns the shipments none of whose parcels was followed before."""
        parcels = [self.books.get("parcel", tracking) for tracking in trackings]
        fresh = [parcel for parcel in parcels if not parcel["subscribed"]]
        followed = {
            parcel["shipment"] for parcel in fresh if self.books.get("followed", parcel["shipment"]) is None
        }
        for parcel in fresh:
            self.books.put("parcel", parcel["tracking"], {**parcel, "subscribed": True})
            self.books.put("followed", parcel["shipment"], True)
            at_once = self.twin.setup.settings.get("start_scans") == "on_subscription"
            late = self.twin.quirks.hits("late_truck", of=parcel["reference"].partition("~")[0])
            early = at_once or (not late and self.twin.quirks.hits("early_scan"))
            waits = LATE_TRUCK_PACES if late else 0 if early else HAND_OVER_PACES
            self._later(parcel["tracking"], waits * self.twin.setup.pace_seconds)
        return sorted(followed)

    def _travel(self, parcel: dict[str, Any]) -> None:
        if "end" not in parcel:
            parcel = {**parcel, "end": self._end(parcel)}
        way = ENDS.get(parcel["end"], WAY)
        status, *scan = way[parcel["next"]]
        # UPS stamps whole seconds; two scans of one parcel never share one.
        at = max(time.time(), parcel["scanned_at"] + 1)
        parcel = {**parcel, "scanned_at": at}
        if (
            status == "delivered"
            and not parcel["failed_once"]
            and self.twin.quirks.hits("d_without_delivery")
        ):
            _, *scan = NOT_DELIVERED
            parcel["failed_once"] = True
        else:
            parcel |= {"status": status, "next": parcel["next"] + 1}
        self.books.put("parcel", parcel["tracking"], parcel)
        if parcel["next"] < len(way):
            self._later(parcel["tracking"], self.twin.setup.pace_seconds)
        self.books.journal("scan", parcel["tracking"], scan[1])
        self._tell(parcel["tracking"], self._scan(parcel["tracking"], scan, at))

    def _end(self, parcel: dict[str, Any]) -> str:
        """How this parcel's way ends; empty for the usual one."""
        hits = self.twin.quirks.hits
        if parcel.get("last") and hits("last_lost"):
            return "lost"
        return next((end for end in ENDS if hits(end)), "")

    def _scan(self, tracking: str, scan: list[str], at: float) -> dict[str, Any]:
        kind, code, description, city = scan
        written = self.twin.setup.settings.get("utc_offset", "+01.00")
        gmt = datetime.fromtimestamp(at, UTC)
        local = gmt + (utc_offset(written) or timedelta())
        location = {"city": city, "stateProvince": "", "postalCode": "", "country": "DE"}
        if self.twin.quirks.hits("future_stamp"):
            gmt, local = gmt + timedelta(days=1), local + timedelta(days=1)
        zone = {} if self.twin.quirks.hits("local_time_only") else {
            "gmtActivityDate": f"{gmt:%Y%m%d}", "gmtActivityTime": f"{gmt:%H%M%S}", "gmtOffset": written,
        }  # fmt: skip
        return {
            "trackingNumber": tracking,
            "localActivityDate": f"{local:%Y%m%d}",
            "localActivityTime": f"{local:%H%M%S}",
            "activityLocation": location,
            "activityStatus": {"type": kind, "code": code, "description": description},
            "scheduledDeliveryDate": f"{local + timedelta(days=1):%Y%m%d}",
            **zone,
        }

    def _tell(self, tracking: str, scan: dict[str, Any]) -> None:
        """Queue one webhook in the change that made the scan."""
        setup, quirks = self.twin.setup, self.twin.quirks
        document = scan
        if quirks.hits("reused_number"):
            document = {"events": [*_earlier_life(scan), scan]}
        elif quirks.hits("garbage_scan"):
            garbage = {
                **scan,
                "localActivityTime": scan["localActivityTime"] + ".1234567",
                "activityStatus": {**scan["activityStatus"], "description": None},
            }
            document = {"events": [garbage, scan]}
        body = json.dumps(document).encode()
        self.books.call_back(
            topic="scan",
            reference=tracking,
            source_id=read_scans(body).source_id,
            url=f"{setup.hub_url}/v1/in/{setup.system}/track-alert",
            headers={
                "content-type": "application/json",
                "user-agent": "UPSPubSubTrackingService",
                "credential": setup.secrets.get("webhook_credential", ""),
            },
            body=body,
            delay_seconds=self._random.uniform(0, LATE_SECONDS_MAX) if quirks.hits("late_scan") else 0,
            copies=self._random.randint(2, 3) if quirks.hits("duplicate_scan") else 1,
        )

    def _later(self, tracking: str, seconds: float) -> None:
        self.books.put("due", f"{_moment(time.time() + seconds)}:{tracking}", tracking)


def _earlier_life(scan: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the parcel that had this number two years ago: its last scans, by local clocks that skip an hour and repeat one.

    Summer time begins and ends on the last Sundays of March and October (Directive 2000/84/EC), at 01:00 UTC.
    """
    year = int(scan["localActivityDate"][:4]) - 2
    nowhere = {name: value for name, value in scan.items() if not name.startswith("gmt")}
    on_its_way = {"type": "I", "code": "DP", "description": "Departed from facility"}
    delivered = {"type": "D", "code": "FS", "description": "Delivered, signed for"}
    return [
        nowhere
        | {
            "localActivityDate": _last_sunday(year, month),
            "localActivityTime": "023000",
            "activityStatus": status,
        }
        for month, status in ((3, on_its_way), (10, delivered))
    ]


def _last_sunday(year: int, month: int) -> str:
    day = max(week[calendar.SUNDAY] for week in calendar.monthcalendar(year, month))
    return f"{year}{month:02}{day:02}"


def tracking_number(account: str, service: str, serial: int) -> str:
    """1Z, six characters of the account, two of the service, seven of the serial number, check digit."""
    body = f"{account.upper()[:6]:0>6}{service:0>2}{serial:07}"
    return f"1Z{body}{check_digit(body)}"


def check_digit(body: str) -> str:
    """Modulo 10: letters count from A = 2 upwards modulo ten, every second place doubles."""
    total = 0
    for place, character in enumerate(body):
        value = int(character) if character.isdigit() else (ord(character) - ord("?")) % 10
        total += value * 2 if place % 2 else value
    return str(-total % 10)


def _moment(at: float) -> str:
    return f"{at:017.6f}"
