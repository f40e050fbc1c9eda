"""karrio GH#1116, #1125 (2026), shippo-php-client#29: one timestamp of seven digits or one text that is null, and the whole track is lost; an ETA is a day off for years.

A naive hub reads a carrier's batch whole or not at all, and takes a date without a time for midnight UTC.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from e2e.running import eventually
from scenarios.group import Group
from scenarios.test_check_07_time import labelled

PLACE = {"city": "Stade", "stateProvince": "", "postalCode": "", "country": "DE"}
CLOCK = ZoneInfo("Europe/Berlin")
FRACTION = ".1234567"


def scan(tracking: str | None, at: datetime, status: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As the carrier's local clock shows it."""
    local = at.astimezone(CLOCK)
    return {
        "trackingNumber": tracking, "localActivityDate": f"{local:%Y%m%d}", "localActivityTime": f"{local:%H%M%S}{FRACTION}",
        "activityLocation": PLACE, "activityStatus": status,
    } | more  # fmt: skip


async def unread(group: Group, message: str) -> dict[str, Any]:
    """The case of a message, once it is there."""

    async def look() -> Any:
        cases = (await group.story(f"message/{message}"))["cases"]
        return cases[0] if cases else None

    found = await eventually(look, what="a case names what cannot be read")
    assert isinstance(found, dict)
    return found


async def test_a_bad_scan_costs_no_other_and_is_put_before_a_person(group: Group) -> None:
    """Of four scans two are spoilt: the two good ones count, the bad ones are kept, named and corrected, and nothing is billed twice."""
    async with group.quirks("ups-1", silent=1.0):
        reference = await group.buy(("WID-1", 1))
        thread, tracking = await labelled(group, reference)
        await group.until_left(reference)
        now = datetime.now(UTC).replace(microsecond=0)
        batch = [
            scan(None, now, {"type": "I", "code": "DP", "description": "Departed"}),
            scan(tracking, now, {"type": "X", "code": "48", "description": None}, localActivityTime="noon"),
            scan(tracking, now, {"type": "I", "code": "OT", "description": None}),
            scan(tracking, now + timedelta(seconds=1), {"type": "D", "code": "FS", "description": None}),
        ]

        answer = await group.api.deliver("ups-1", "track-alert", json.dumps({"events": batch}).encode())

        assert answer.status == 202, answer.body
        message = answer.json()["message"]
        assert f"message/{message}" in answer.json()["threads"]
        await group.until(reference, "completed")
        shipment = await group.story(thread)
        assert [x["milestone"] for x in shipment["packages"]] == ["delivered"]
        delivered = next(x for x in shipment["milestones"] if x["name"] == "delivered")
        assert datetime.fromisoformat(delivered["at"]) == now + timedelta(seconds=1)

        case = await unread(group, message)
        assert (case["owner"], case["cause"]) == ("integration", "message content")
        assert "/events/0/trackingNumber" in case["title"]
        wish = {
            "message": message, "reason": "read off the label",
            "set": {"/events/0/trackingNumber": tracking, "/events/1/localActivityTime": f"{now.astimezone(CLOCK):%H%M%S}"},
        }  # fmt: skip
        still = await group.api.post(
            "/v1/corrections", wish | {"set": {"/events/0/trackingNumber": tracking}}
        )
        assert still.status == 422, "what is still wrong is named"
        assert "/events/1/localActivityTime" in still.body.decode()
        corrected = await group.api.post("/v1/corrections", wish)
        assert corrected.status == 201, corrected.body

        async def settled() -> bool:
            return (await group.story(f"message/{message}"))["phase"] == "corrected"

        await eventually(settled, what="the message is settled")
    assert (await group.story(f"message/{message}"))["cases"] == []
    assert [x["milestone"] for x in (await group.story(thread))["packages"]] == ["delivered"]
    assert await group.booked(reference, "invoice.release") == {"WID-1": Decimal(1)}


async def test_a_day_without_a_time_is_not_midnight(group: Group) -> None:
    """The carrier says on which day it was delivered and not when: no instant of that day is made up, least of all its first."""
    async with group.quirks("ups-1", silent=1.0):
        reference = await group.buy(("WID-1", 1))
        thread, tracking = await labelled(group, reference)
        await group.until_left(reference)
        told_at = datetime.now(UTC)
        said = scan(tracking, told_at, {"type": "D", "code": "FS", "description": "Delivered"})
        del said["localActivityTime"]
        answer = await group.api.deliver("ups-1", "track-alert", json.dumps(said).encode())
        assert answer.status == 202, answer.body
        await group.until(reference, "completed")

    shipment = await group.story(thread)
    delivered = next(x for x in shipment["milestones"] if x["name"] == "delivered")
    assert datetime.fromisoformat(delivered["at"]) >= told_at
    assert any(f"{told_at.astimezone(CLOCK):%Y-%m-%d} by a clock" in x["text"] for x in shipment["timeline"])
