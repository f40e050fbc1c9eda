"""DOMAIN check 14: absolute numbers and changes come from one warehouse; a number that is older than a change must lose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from e2e.running import eventually
from scenarios.goods_between import buckets
from scenarios.group import Group
from scenarios.test_check_13_counts import compared

WMS = "wms-1"
Compared = tuple[dict[str, Any], dict[str, dict[str, Any]]]
"""The run, and its differences by item."""


async def put(group: Group, item: str, quantity: int) -> None:
    await group.twin(WMS, "/stock", {item: {"quantity": str(quantity), "lot": ""}}, "PUT")


async def until_there(group: Group, item: str, quantity: int) -> None:
    async def there() -> bool:
        return (await buckets(group, item)).get("available") == quantity

    await eventually(there, what=f"{quantity} of {item} are in the ledger")


@asynccontextmanager
async def while_read(group: Group) -> AsyncIterator["asyncio.Task[Compared]"]:
    """The block runs while the warehouse's answer, with the numbers of before, is on its way for two seconds."""

    async def asked() -> bool:
        runs = (await group.api.get("/v1/reconciliations", limit="1"))["runs"]
        return bool(runs) and runs[0]["state"] == "running"

    async with group.quirks(WMS, slow=1.0):
        running = asyncio.create_task(compared(group))
        await eventually(asked, what="the comparison has begun")
        await asyncio.sleep(0.5)
        yield running
        await running


async def last_event(group: Group, item: str) -> int:
    """The number of the warehouse's last event about the item."""
    said = await group.twin(WMS, "/acknowledged")
    return max(int(x["source_id"].rpartition("-")[2]) for x in said if x["reference"] == item)


async def test_a_snapshot_older_than_the_last_change_loses(group: Group) -> None:
    """Receipts come while the warehouse's answer is on its way: it lacks them, and that is no difference."""
    await put(group, "ABS-1", 100)
    await until_there(group, "ABS-1", 100)

    async with while_read(group) as running:
        for more in (101, 103):
            await put(group, "ABS-1", more)
        await until_there(group, "ABS-1", 103)
    run, found = running.result()

    assert run["watermark"] < await last_event(group, "ABS-1")
    assert "ABS-1" not in found
    assert await buckets(group, "ABS-1") == {"available": 103}


async def test_a_settled_count_keeps_what_moved_after_it(group: Group) -> None:
    """Four are found missing as of the warehouse's last event; three that came after it are not taken back with them."""
    await put(group, "ABS-2", 50)
    await until_there(group, "ABS-2", 50)
    await group.twin(WMS, "/recount", {"ABS-2": {"quantity": "46"}}, "PUT")

    async with while_read(group) as running:
        await put(group, "ABS-2", 49)
        await until_there(group, "ABS-2", 53)
    run, found = running.result()

    assert run["watermark"] < await last_event(group, "ABS-2")
    one = found["ABS-2"]
    assert (one["good"], one["cause"], one["state"]) == ("-4", "counted", "settled")
    await until_there(group, "ABS-2", 49)
    _, later = await compared(group)
    assert "ABS-2" not in later


async def test_an_approval_is_a_change_and_no_number(group: Group) -> None:
    """A person approves a difference hours later: what moved meanwhile stays moved, and the same again is refused."""
    await put(group, "ABS-3", 50)
    await until_there(group, "ABS-3", 50)
    await group.twin(WMS, "/recount", {"ABS-3": {"quantity": "30"}}, "PUT")
    _, found = await compared(group)
    one = found["ABS-3"]
    assert (one["good"], one["state"]) == ("-20", "open")

    await put(group, "ABS-3", 37)
    await until_there(group, "ABS-3", 57)
    arguments = ("reconcile", "approve", str(one["id"]), "--reason", "counted by two")
    said = [await asyncio.to_thread(group.api.hub.crossdock, *arguments) for _ in range(2)]

    assert [x.returncode for x in said] == [0, 1]
    await until_there(group, "ABS-3", 37)
