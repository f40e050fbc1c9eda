"""The simulated OTM's outbound messages: one REST resource in one transmission, queued where it became true."""

import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from crossdock.connect.basic import basic
from crossdock.connect.twin import Twin
from crossdock.connectors.oracle_otm import notices
from crossdock.connectors.oracle_otm.talk import MEDIA_TYPE
from crossdock.connectors.oracle_otm.twin_billing import Charge

REORDER_SECONDS_MAX = 2.0
LATE_SECONDS_MAX = 3.0
GARBAGE_CODE = "ZZ9"
GARBAGE_TIME = "31.02. 24:61"
Load = dict[str, Any]


class Post:
    """All methods that send are called inside a change of the books."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.books = twin.books
        self.domain = twin.setup.settings.get("domain", "")
        self._random = random.Random(twin.setup.seed)  # reproducible mischief, not a secret

    def local(self, at: float, *, with_offset: bool = True) -> str:
        """What a clock at the carrier's place shows."""
        written = self.twin.setup.settings.get("utc_offset") or "+01:00"
        hours, _, minutes = written[1:].partition(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes or "0"))
        zone = timezone(-offset if written.startswith("-") else offset)
        moment = datetime.fromtimestamp(at, zone).replace(microsecond=0)
        return moment.isoformat() if with_offset else moment.replace(tzinfo=None).isoformat()

    def shipment(self, load: Load, status: str, more: dict[str, Any]) -> None:
        """A carrier answered the tender."""
        body = {
            "shipmentGid": load["shipment"],
            "shipmentXid": load["shipment"].partition(".")[2],
            "servprovGid": self._gid(load["carrier"]),
            "statuses": {
                "items": [
                    {
                        "statusTypeGid": self._gid(notices.SECURE_RESOURCES),
                        "statusValueGid": self._gid(status),
                    }
                ]
            },
            "orderReleases": {"items": [{"orderReleaseGid": load["gid"]}]},
            "refnums": {"items": self._refnums("shipment", load)},
            "updateDate": {"value": datetime.now(UTC).isoformat(), "timezone": "UTC"},
        }
        self._send(load, notices.SHIPMENTS, body | more)

    def status(self, load: Load, code: str, at: str, city: str) -> None:
        """A carrier's status, late or beside garbage where the quirks say so."""
        if self.twin.quirks.hits("garbage_status"):
            self._status(load, GARBAGE_CODE, GARBAGE_TIME, city)
        late = self._random.uniform(0, LATE_SECONDS_MAX) if self.twin.quirks.hits("late_status") else 0.0
        self._status(load, code, at, city, late)

    def _status(self, load: Load, code: str, at: str, city: str, delay_seconds: float = 0.0) -> None:
        place = {"city": city, "countryCode3Gid": "DEU"} if city else {}
        body = {
            "iTransactionNo": self.books.next_number("tracking_event"),
            "servprovGid": self._gid(load["carrier"]),
            "statusCodeGid": code,
            "statusReasonCodeGid": "NS",
            "eventdate": {"value": at, "timezone": "Europe/Berlin"},
            "shipmentRefnums": {"items": self._refnums("shipment", load)},
        }
        self._send(load, notices.TRACKING_EVENTS, body | place, delay_seconds)

    def invoice(self, load: Load, number: str, lines: Sequence[Charge], currency: str) -> None:
        items = []
        for line in lines:
            item: dict[str, Any] = {
                "freightCharge": {"value": float(line.amount), "currency": currency},
                "description": line.description,
            }
            if line.code:
                item["accessorialCodeGid"] = self._gid(line.code)
            if line.weight is not None:
                item["weight"] = {"value": float(line.weight), "unit": "KG"}
            items.append(item)
        body = {
            "invoiceGid": self._gid(number),
            "invoiceNumber": number,
            "servprovGid": self._gid(load["carrier"]),
            "netAmountDue": {"value": float(sum(line.amount for line in lines)), "currency": currency},
            "lineItems": {"items": items},
            "refnums": {"items": self._refnums("invoice", load)},
            "invoiceDate": {"value": datetime.fromtimestamp(time.time(), UTC).isoformat()},
        }
        self._send(load, notices.INVOICES, body)

    def _refnums(self, kind: str, load: Load) -> list[dict[str, str]]:
        settings = self.twin.setup.settings
        named = {
            settings.get("refnum_qualifier") or "HUB_SHIPMENT": load["reference"],
            settings.get("pro_qualifier") or "PRO": load["pro"],
        }
        return [
            {f"{kind}RefnumQualGid": self._gid(name), f"{kind}RefnumValue": value}
            for name, value in named.items()
            if value
        ]

    def _gid(self, xid: str) -> str:
        return f"{self.domain}.{xid}"

    def _send(self, load: Load, resource: str, body: dict[str, Any], delay_seconds: float = 0.0) -> None:
        setup, quirks = self.twin.setup, self.twin.quirks
        number = self.books.next_number("transmission")
        transaction = {
            "httpMethod": "POST", "contentType": MEDIA_TYPE, "resourceUrl": resource, "body": body,
        }  # fmt: skip
        message = {
            "transmissionNo": number, "domainName": self.domain, "transactions": {"items": [transaction]},
        }  # fmt: skip
        user, password = setup.secrets.get("event_user", ""), setup.secrets.get("event_password", "")
        if quirks.hits("reordered_event"):
            delay_seconds += self._random.uniform(0, REORDER_SECONDS_MAX)
        self.books.call_back(
            topic=resource.strip("/"),
            reference=load["reference"],
            source_id=str(number),
            url=f"{setup.hub_url}/v1/in/{setup.system}/{notices.CHANNEL}",
            headers={"content-type": "application/json", "authorization": basic(user, password)},
            body=json.dumps(message).encode(),
            delay_seconds=delay_seconds,
            copies=self._random.randint(2, 3) if quirks.hits("duplicate_event") else 1,
        )
