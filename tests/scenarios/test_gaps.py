"""A warehouse whose messages are lost: which numbers never came is told within the patience, and closed by what comes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossdock.connectors import manhattan_wms
from crossdock.demo.twins import Twins
from e2e.running import RunningHub, eventually, rows
from scenarios.conftest import trading
from scenarios.group import Group

WMS, SITE = "wms-1", "SITE1"
LATE_SECONDS = 2.0
RECEIVED = Path(manhattan_wms.__file__ or "").parent / "fixtures" / "in_stock_received.json"


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[tuple[RunningHub, Twins]]:
    """It waits two seconds for a late message of this warehouse."""
    with trading(tmp_path / "gaps", systems={WMS: {"late_seconds": LATE_SECONDS}}) as made:
        yield made


async def sender(group: Group) -> dict[str, Any]:
    found = (await group.api.get("/v1/gaps"))["senders"]
    return next((x for x in found if (x["system"], x["series"]) == (WMS, SITE)), {})


async def tell(group: Group, item: str, quantity: int, *, lost: bool = False) -> None:
    """The warehouse's stock of an item changes, which is one message with a number of its own."""
    async with group.quirks(WMS, lost_event=float(lost)):
        await group.twin(WMS, "/stock", {item: {"quantity": str(quantity), "lot": ""}}, "PUT")


async def until_missing(group: Group, count: int) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = await sender(group)
        return found if found and (found["missing"], found["awaited"]) == (count, 0) else None

    found = await eventually(look, what=f"{count} messages are missing")
    assert isinstance(found, dict)
    return found


async def send(group: Group, number: int, **changes: Any) -> int:
    """What the warehouse had lost comes after all, under its number."""
    message = json.loads(RECEIVED.read_text())["body"] | {"Facility": SITE, "Sequence": number} | changes
    named = {"x-message-id": f"{SITE}-{number}"}
    return (await group.api.deliver(WMS, "events", json.dumps(message).encode(), **named)).status


async def test_lost_messages_are_named_until_they_come(own_group: Group) -> None:
    """One case for two gaps; a message that comes but cannot be read has come; nothing is left of it then."""
    group, hub = own_group, own_group.api.hub
    for quantity in (1010, 1011):
        await tell(group, "GAD-1", quantity)
    top = (await until_missing(group, 0))["top"]
    assert hub.crossdock("gaps").returncode == 0
    await tell(group, "GAD-1", 1012, lost=True)
    await tell(group, "GAD-1", 1013)
    await tell(group, "GAD-1", 1014, lost=True)
    await tell(group, "GAD-1", 1015)

    found = await until_missing(group, 2)
    numbers = [x["first"] for x in found["gaps"]]
    assert len(numbers) == 2
    assert all(number > top for number in numbers)

    async def opened() -> bool:
        return (await sender(group))["case"] is not None

    await eventually(opened, what="a case tells of it")
    case = await group.api.get(f"/v1/cases/{(await sender(group))['case']}")
    assert (case["cause"], case["owner"], case["class"]) == ("messages missing", "integration", "missing")
    cases = (await group.api.get("/v1/cases", cause="messages missing"))["cases"]
    assert len(cases) == 1
    said = hub.crossdock("gaps")
    assert said.returncode == 3
    assert f"{WMS} {SITE}: 2 never came" in said.stdout
    assert f"2 of {WMS} {SITE}" in hub.crossdock("doctor").stdout

    assert await send(group, numbers[0]) == 202
    assert [x["first"] for x in (await until_missing(group, 1))["gaps"]] == numbers[1:]
    await send(group, numbers[1], MessageType="SomethingNew")
    await until_missing(group, 0)

    async def closed() -> bool:
        return bool((await group.api.get(f"/v1/cases/{case['number']}"))["state"] == "closed")

    await eventually(closed, what="the case closes by itself")
    [kept] = await rows(hub, "select count(*) as n from number_heard")
    assert kept["n"] == 0
