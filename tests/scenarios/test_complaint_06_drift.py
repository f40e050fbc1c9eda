"""Complaint 6: numbers drift apart, the tool that compares them misses or doubles, and people turn to SQL."""

import asyncio
import json
from typing import Any

from scenarios.callers import balance, define, fact, until_balance
from scenarios.goods import broken_law
from scenarios.group import Group

WMS, SITE = "wms-2", "SITE2"
LOST, TWICE, COUNTED = "DRIFT-LOST", "DRIFT-TWICE", "DRIFT-COUNT"


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


# The hub waits half a minute for the event that is lost: most of what this takes.
async def test_three_causes_are_told_apart_and_settled_once(group: Group) -> None:
    """A lost event, a booking made twice by a person, goods that are gone: each is named, approved, and an entry of its own."""
    for item in (LOST, TWICE, COUNTED):
        await define(group, item)
    opening = {x: {"quantity": "40", "lot": ""} for x in (LOST, COUNTED)}
    await group.twin(WMS, "/stock", opening, "PUT")
    for item in opening:
        await until_balance(group, item, SITE, available=40)

    async with group.quirks(WMS, lost_event=1.0):
        await group.twin(WMS, "/stock", {LOST: {"quantity": "47", "lot": ""}}, "PUT")
    await group.twin(WMS, "/recount", {TWICE: {"quantity": "30"}, COUNTED: {"quantity": "31"}}, "PUT")
    note = {"quantity": {"value": "30", "unit": "EA"}, "document": "DN-77"}
    for _ in range(2):
        await fact(group, "stock.received.v1", SITE, TWICE, note, source=WMS)
    await until_balance(group, TWICE, SITE, available=60)

    found = await compared(group)

    assert {x: (d["good"], d["cause"], d["state"]) for x, d in found.items()} == {
        LOST: ("7", "lost_event", "open"), TWICE: ("-30", "duplicate", "open"), COUNTED: ("-9", "counted", "open"),
    }  # fmt: skip
    assert "never came" in found[LOST]["evidence"][0]
    assert "book DN-77 alike" in found[TWICE]["evidence"][0]
    assert await balance(group, TWICE, SITE) == {"available": 60}

    for item, one in found.items():
        arguments = ("reconcile", "approve", str(one["id"]), "--reason", f"looked at {item}")
        said = [await crossdock(group, *arguments) for _ in range(2)]
        assert [x.returncode for x in said] == [0, 1]
    for item, quantity in ((LOST, 47), (TWICE, 30), (COUNTED, 31)):
        await until_balance(group, item, SITE, available=quantity)
    assert (await entries(group, TWICE))[0] == ("stock.reconciled.v1", "30")
    assert [kind for kind, _ in await entries(group, COUNTED)] == ["stock.reconciled.v1", "stock.received.v1"]
    shown = await crossdock(group, "reconcile", "show")
    assert f"looked at {LOST}" in shown.stdout

    assert await compared(group) == {}
    assert await broken_law(group) == []
