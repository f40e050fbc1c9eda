"""Complaint 6: numbers drift apart, the tool that compares them misses or doubles, and people turn to SQL."""

import asyncio
import json
from typing import Any

from e2e.running import rows
from scenarios.callers import balance, define, fact, until_balance
from scenarios.goods import broken_law
from scenarios.group import Group

WMS, SITE = "wms-2", "SITE2"
LOST, TWICE, COUNTED, LATE = "DRIFT-LOST", "DRIFT-TWICE", "DRIFT-COUNT", "DRIFT-LATE"


async def crossdock(group: Group, *arguments: str) -> Any:
    return await asyncio.to_thread(group.api.hub.crossdock, *arguments, seconds=120)


async def compared(group: Group) -> dict[str, dict[str, Any]]:
    """The items of this scenario that differ."""
    said = await crossdock(group, "reconcile", "run", "--system", WMS, "--json")
    assert said.returncode == 0, said.stderr
    return {d["item"]: d for d in json.loads(said.stdout)["differences"] if d["item"].startswith("DRIFT-")}


async def entries(group: Group, item: str) -> list[tuple[str, str]]:
    shown = await crossdock(group, "stock", "show", item, "--json")
    [place] = [x for x in json.loads(shown.stdout)["places"] if x["location"] == SITE]
    return [(x["type"], x["quantity"]) for x in place["entries"]]


async def spoil(group: Group) -> None:
    """Two receipts whose events are lost, the second the last of the warehouse; a note booked twice; nine pieces gone."""
    for item in (LOST, LATE, TWICE, COUNTED):
        await define(group, item)
    opening = {x: {"quantity": "40", "lot": ""} for x in (LOST, LATE, COUNTED)}
    await group.twin(WMS, "/stock", opening, "PUT")
    for item in opening:
        await until_balance(group, item, SITE, available=40)
    async with group.quirks(WMS, lost_event=1.0):
        for item, quantity in ((LOST, "47"), (LATE, "46")):
            await group.twin(WMS, "/stock", {item: {"quantity": quantity, "lot": ""}}, "PUT")
    await group.twin(WMS, "/recount", {TWICE: {"quantity": "30"}, COUNTED: {"quantity": "31"}}, "PUT")
    note = {"quantity": {"value": "30", "unit": "EA"}, "document": "DN-77"}
    for _ in range(2):
        await fact(group, "stock.received.v1", SITE, TWICE, note, source=WMS)
    await until_balance(group, TWICE, SITE, available=60)


async def approve(group: Group, one: dict[str, Any]) -> Any:
    arguments = ("reconcile", "approve", str(one["id"]), "--reason", f"looked at {one['item']}")
    return await crossdock(group, *arguments)


# The hub waits half a minute for the events that are lost: most of what this takes.
async def test_causes_are_told_apart_and_settled_once(own_group: Group) -> None:
    """A lost event, a note that a person booked twice, goods that are gone: named, approved once, and an entry each."""
    group = own_group
    await spoil(group)

    found = await compared(group)

    told = {x: (d["good"], d["cause"], d["state"]) for x, d in found.items()}
    assert told == {
        LOST: ("7", "lost_event", "open"), LATE: ("6", "lost_event", "open"),
        TWICE: ("-30", "duplicate", "open"), COUNTED: ("-9", "counted", "open"),
    }  # fmt: skip
    assert "never came" in found[LOST]["evidence"][0]
    assert "book DN-77 alike" in found[TWICE]["evidence"][0]
    assert await balance(group, TWICE, SITE) == {"available": 60}

    [run] = await rows(group.api.hub, "select watermark from reconcile_run order by id desc limit 1")
    late = {"quantity": {"value": "6", "unit": "EA"}}
    await fact(group, "stock.received.v1", SITE, LATE, late, source=WMS, sequence=str(run["watermark"]))
    await until_balance(group, LATE, SITE, available=46)
    said = await approve(group, found[LATE])
    assert (said.returncode, "have come since: compare again" in said.stderr) == (1, True)
    found = await compared(group)
    assert found.keys() == {LOST, TWICE, COUNTED}

    for one in found.values():
        assert [(await approve(group, one)).returncode for _ in range(2)] == [0, 1]
    for item, quantity in ((LOST, 47), (LATE, 46), (TWICE, 30), (COUNTED, 31)):
        await until_balance(group, item, SITE, available=quantity)
    assert (await entries(group, TWICE))[0] == ("stock.reconciled.v1", "30")
    assert [kind for kind, _ in await entries(group, COUNTED)] == ["stock.reconciled.v1", "stock.received.v1"]
    assert f"looked at {LOST}" in (await crossdock(group, "reconcile", "show")).stdout
    assert await compared(group) == {}
    assert await broken_law(group) == []
