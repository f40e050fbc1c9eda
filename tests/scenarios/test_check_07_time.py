"""DOMAIN check 7: carriers' clocks without a zone, in the hour that comes twice, in the future; and cut-offs of a node."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from e2e.running import eventually
from scenarios.group import Group

TOWN = "Buxtehude"
"""Where none of the carrier's own scans happen."""


async def scan(group: Group, tracking: str, at: str, status: tuple[str, str]) -> None:
    """The carrier tells of a scan by its own clock (YYYYMMDDTHHMMSS), without a zone."""
    day, _, hour = at.partition("T")
    kind, code = status
    document = {
        "trackingNumber": tracking, "localActivityDate": day, "localActivityTime": hour,
        "activityLocation": {"city": TOWN, "stateProvince": "", "postalCode": "", "country": "DE"},
        "activityStatus": {"type": kind, "code": code, "description": "scan"},
    }  # fmt: skip
    answer = await group.api.deliver("ups-1", "track-alert", json.dumps(document).encode())
    assert answer.status == 202, answer.body


async def labelled(group: Group, reference: str) -> tuple[str, str]:
    """(shipment, tracking number) as soon as there is a label."""

    async def look() -> tuple[str, str] | None:
        for thread in await group.shipments(reference):
            for package in (await group.story(thread))["packages"]:
                if package["tracking"]:
                    return thread, str(package["tracking"])
        return None

    found = await eventually(look, what=f"{reference} has a label")
    assert isinstance(found, tuple)
    return found


async def test_a_clock_without_a_zone_is_read_where_the_parcel_was(group: Group) -> None:
    """A carrier's wall clock in Germany is German time, whatever the hub's own zone."""
    reference = await group.buy(("WID-1", 1))
    thread, tracking = await labelled(group, reference)
    now = datetime.now(UTC).replace(microsecond=0)
    await scan(group, tracking, f"{now.astimezone(ZoneInfo('Europe/Berlin')):%Y%m%dT%H%M%S}", ("D", "KB"))
    await group.until(reference, "completed")

    shipment = await group.story(thread)
    delivered = next(x for x in shipment["milestones"] if x["name"] == "delivered")
    assert delivered["classifier"] == "actual"
    assert datetime.fromisoformat(delivered["at"]) == now
    assert "(" not in await told(group, thread)


@pytest.mark.parametrize(
    ("clock", "doubt"),
    [
        ("20261025T023000", "2026-10-25T02:30:00 comes twice in Europe/Berlin"),
        ("20260329T023000", "2026-03-29T02:30:00 does not exist in Europe/Berlin"),
    ],
)
async def test_an_hour_that_comes_twice_or_never_is_said_to(group: Group, clock: str, doubt: str) -> None:
    """The story names the doubt; a scan from before the label belongs to the number's earlier life and delivers nothing."""
    reference = await group.buy(("WID-1", 1))
    thread, tracking = await labelled(group, reference)
    await scan(group, tracking, clock, ("D", "KB"))

    assert doubt in await told(group, thread)
    await group.until(reference, "completed")
    milestones = (await group.story(thread))["milestones"]
    when = {x["name"]: x["at"] for x in milestones}
    assert when["delivered"] >= when["labelled"]


async def told(group: Group, thread: str) -> str:
    """What the story says of the scan."""

    async def look() -> str | None:
        timeline = (await group.story(thread))["timeline"]
        return next((x["text"] for x in timeline if f"delivered the parcel in {TOWN}" in x["text"]), None)

    return str(await eventually(look, what=f"{thread} tells of the scan"))


async def test_a_clock_a_day_ahead_is_not_believed(group: Group) -> None:
    """No milestone of the story lies in the future."""
    async with group.quirks("ups-1", future_stamp=1.0):
        reference = await group.buy(("WID-1", 1))
        await group.until(reference, "completed")

    story = await group.story(f"order/{reference}")
    delivered = next(x for x in story["milestones"] if x["name"] == "delivered")
    assert delivered["classifier"] == "actual"
    assert delivered["at"] <= story["as_of"]


async def test_an_order_leaves_on_a_working_day_of_its_node(group: Group) -> None:
    """The day it leaves, and why, follow from the node's own clock, cut-offs and calendar."""
    reference = await group.buy(("WID-1", 1))
    await group.until(reference, "completed")

    story = await group.story(f"order/{reference}")
    leaves = next(x for x in story["decisions"] if x["about"] == "leaves on")
    assert leaves["answer"].split()[0] not in ("Sat", "Sun")
    assert "the cut-off of 15:00 Europe/Amsterdam" in leaves["because"]
