"""temporalio/temporal#6724, #5133; sdk-go#1942; flexprice PR#2525: a batch is recovered as a whole or by scripts, and nobody gets a list of what failed.

Here it is: filter, preview, throttled run, stopped and gone on with, a line for each item, and what failed again is all that runs again.
"""

import json
import time
from decimal import Decimal
from typing import Any

from e2e.running import eventually, rows
from scenarios.group import Group

ORDERS, PER_SECOND = 8, 4.0
REFUSED = (
    "select e.thread_key, count(*) as n from attempt a join effect e on e.id = a.effect"
    " where e.kind = 'goods_issue.post' and a.outcome = 'refused' group by e.thread_key"
)


async def refused(group: Group, references: list[str]) -> dict[str, dict[str, Any]]:
    """Order → its case, once finance has one for each."""

    async def look() -> Any:
        found = {}
        for reference in references:
            cases = [x for x in await group.cases(f"order/{reference}") if x["owner"] == "finance"]
            if cases:
                found[reference] = cases[0]
        return found if len(found) == len(references) else None

    found = await eventually(look, what=f"{len(references)} orders are refused")
    assert isinstance(found, dict)
    return found


async def replay(group: Group, number: int) -> dict[str, Any]:
    found = await group.api.get(f"/v1/replays/{number}")
    assert isinstance(found, dict)
    return found


async def turn(group: Group, number: int, what: str) -> None:
    headers = {"If-Match": f'"{(await replay(group, number))["version"]}"'}
    body = json.dumps({"reason": "the period closes again"}).encode()
    answer = await group.api.call("POST", f"/v1/replays/{number}/{what}", body, headers=headers)
    assert answer.status == 200, answer.body


async def stopped_half_way(group: Group, number: int) -> list[str]:
    """Orders of the items that ran; the others wait."""

    async def half() -> bool:
        return bool((await replay(group, number))["counts"].get("done", 0) >= ORDERS // 2)

    await eventually(half, what="half of it ran")
    await turn(group, number, "stop")
    found = await replay(group, number)
    assert found["counts"]["waiting"] > 0
    assert sum(found["counts"].values()) == ORDERS
    return [x["thread"].partition("/")[2] for x in found["items"] if x["state"] == "done"]


async def until_refused_again(group: Group, number: int, references: list[str]) -> None:
    async def done() -> bool:
        return bool((await replay(group, number))["state"] == "done")

    async def again_refused() -> bool:
        tried = {x["thread_key"]: x["n"] for x in await rows(group.api.hub, REFUSED)}
        return all(tried[f"order/{x}"] == 2 for x in references)

    await eventually(done, what="the rest ran")
    await eventually(again_refused, what="the rest was refused again")


async def test_a_batch_is_recovered_in_parts_and_only_what_failed_runs_again(group: Group) -> None:
    """Eight goods issues are refused; four go through, the period closes again, four fail again: only these are tried a third time."""
    async with group.quirks("sap-1", period_closed=1.0):
        references = [await group.buy(("PEN-1", 1)) for _ in range(ORDERS)]
        await refused(group, references)
        mine = " || ".join(f'subject == "order/{x}"' for x in references)
        where = f'type == "effect.refused.v1" && data.kind == "goods_issue.post" && ({mine})'
        preview = await group.api.post("/v1/replays", {"where": where, "dry_run": True})

        assert preview.status == 200, preview.body
        assert preview.json()["verdicts"] == {"done": ORDERS}
        assert [(x["system"], x["calls"]) for x in preview.json()["targets"]] == [("sap-1", ORDERS)]
        assert [await group.booked(x, "goods_issue.post") for x in references] == [{}] * ORDERS

    began = time.time()
    wish = {"where": where, "reason": "the period is open", "per_second": PER_SECOND}
    number = (await group.api.post("/v1/replays", wish)).json()["id"]

    ran = await stopped_half_way(group, number)
    for reference in ran:
        await group.until(reference, "completed")
    assert time.time() - began >= (len(ran) - 1) / PER_SECOND

    left = [x for x in references if x not in ran]
    async with group.quirks("sap-1", period_closed=1.0):
        await turn(group, number, "resume")
        await until_refused_again(group, number, left)
        cases = await refused(group, left)
        shown = json.loads(group.api.hub.crossdock("replay", "show", str(number), "--json").stdout)
        assert [x["state"] for x in shown["items"]] == ["done"] * ORDERS
        assert all("sap-1 again for goods issue post" in x["said"] for x in shown["items"])

    [case] = {x["number"] for x in cases.values()}
    again = await group.api.post("/v1/replays", {"case": case, "dry_run": True})
    threads = {x["thread"].partition("/")[2] for x in again.json()["items"]}
    assert threads & set(references) == set(left), "what failed is all that is left in the case"
    wish = {"case": case, "reason": "the period is open for good", "per_second": 100}
    assert (await group.api.post("/v1/replays", wish)).status == 201
    for reference in references:
        await group.until(reference, "completed")
        assert await group.booked(reference, "goods_issue.post") == {"PEN-1": Decimal(1)}
        assert await group.booked(reference, "invoice.release") == {"PEN-1": Decimal(1)}
