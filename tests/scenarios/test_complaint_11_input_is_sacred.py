"""n8n-io/n8n#7705, #25735, #12957, #32131: a failed execution is deleted with its input; it cannot be run again from its start, nor on the flow that was mended.

Here the input outlives failures and restarts; it is read again as it came, by what was mended since, and work goes on where a person says.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import aiohttp
import pytest

from crossdock.demo.twins import Twins
from e2e.documents import encoded, shop_order
from e2e.running import Api, RunningHub, eventually, rows, start
from scenarios.conftest import trading
from scenarios.group import Group

SHOP = ("shopify-eu", "webhooks")
PRICE = "/line_items/0/price"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    """A hub of its own, since it is stopped; what is promoted needs nobody else."""
    with trading(tmp_path_factory.mktemp("sacred"), policy={"four_eyes": []}) as made:
        yield made


@pytest.fixture
async def group(running: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    hub, twins = running
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Group(Api(hub, session), twins, seed=11)
        yield made
        await made.calm()


async def restart(group: Group) -> None:
    group.api.hub.process.terminate()
    await asyncio.to_thread(group.api.hub.process.wait, 40)
    group.api.hub.process = start(group.api.hub.directory).process


async def unreadable(group: Group) -> tuple[str, str, bytes]:
    """An order whose price is no number: (message, reference, the bytes as they were sent)."""
    order = shop_order()
    order["line_items"] = [order["line_items"][0] | {"sku": "WID-1", "quantity": 1, "price": "on request"}]
    body = encoded(order)
    answer = await group.api.deliver(*SHOP, body, "orders/create")
    assert answer.json()["verdict"] == "kept"
    return answer.json()["message"], f"shopify-eu/{order['id']}", body


async def kept(group: Group, message: str) -> tuple[bytes, int]:
    [row] = await rows(
        group.api.hub, "select content_hash, size from message where id = $1::text::uuid", message
    )
    return row["content_hash"], row["size"]


async def looked_at(group: Group, message: str) -> dict[str, Any]:
    found = group.api.hub.crossdock("correct", "look", message, "--json")
    assert found.returncode == 0, found.stderr
    shown: dict[str, Any] = json.loads(found.stdout)
    return shown


async def test_input_that_failed_is_kept_and_read_by_what_was_mended(group: Group) -> None:
    """Two orders cannot be read; the hub restarts; one is corrected and made a rule, the other is read again from the bytes that came."""
    (first, first_order, body), (second, second_order, _) = await unreadable(group), await unreadable(group)
    await group.story(f"message/{second}")
    await restart(group)

    assert await kept(group, first) == (blake2b(body, digest_size=16).digest(), len(body))
    assert "on request" in json.dumps(await looked_at(group, first))
    failed = group.api.hub.crossdock("replay", "--thread", f"message/{second}", "--reason", "perhaps now")
    assert failed.returncode == 1
    assert f"cannot read it either at {PRICE}" in failed.stdout
    assert await group.api.phase(f"message/{second}") == "not translated"

    wish = {"message": first, "set": {PRICE: "12.50"}, "reason": "as in the price list"}
    made = await group.api.post("/v1/corrections", wish)
    assert made.status == 201, made.body
    promoted = group.api.hub.crossdock(
        "correct", "promote", made.json()["name"], "--reason", "all of them", "--path", "/line_items/*/price"
    )
    assert promoted.returncode == 0, promoted.stderr
    again = group.api.hub.crossdock(
        "replay", "--thread", f"message/{second}", "--reason", "the rule reads it"
    )
    assert again.returncode == 0, again.stdout

    for reference in (first_order, second_order):
        await group.until(reference, "completed")
        assert await group.left(reference) == {"WID-1": Decimal(1)}
    assert await kept(group, first) == (blake2b(body, digest_size=16).digest(), len(body))
    placed = next(
        x for x in (await group.story(f"order/{second_order}"))["timeline"][::-1] if x["lineage"]["message"]
    )
    chain = await group.api.get(f"/v1/lineage/{placed['lineage']['event']}")
    assert "on request" in json.dumps(chain["raw"]), "as it came, though a rule read it otherwise"


async def test_work_that_failed_goes_on_where_a_person_says(group: Group) -> None:
    """The goods issue is refused and the hub restarts: run from the start it repeats nothing and finds what failed; run from there, it ends."""
    async with group.quirks("sap-1", period_closed=1.0):
        reference = await group.buy(("GAD-1", 1))
        thread = f"order/{reference}"

        async def refused() -> Any:
            return next((x for x in await group.cases(thread) if x["owner"] == "finance"), None)

        case = await eventually(refused, what="finance has a case")
        await restart(group)
        assert (await refused())["number"] == case["number"]
        before = {x: await group.twin(x, "/journal") for x in ("wms-1", "ups-1")}

        begun = group.api.hub.crossdock(
            "replay", "--where", f'subject == "{thread}" && type == "order.received.v1"', "--reason", "from its start"
        )  # fmt: skip
        assert begun.returncode == 0, begun.stdout + begun.stderr
        assert "a duplicate" in begun.stdout
        from_start = await group.api.post("/v1/replays", {"thread": thread, "dry_run": True})
        verdicts = {(x["verdict"], x["what"]) for x in from_start.json()["items"]}
        assert ("skipped", "event") in verdicts
        assert [x["calls"] for x in from_start.json()["targets"]] == [1], from_start.json()["targets"]

    resumed = group.api.hub.crossdock(
        "replay", "--case", f"C-{case['number']}", "--reason", "the period is open"
    )
    assert resumed.returncode == 0, resumed.stdout
    await group.until(reference, "completed")
    assert await group.booked(reference, "goods_issue.post") == {"GAD-1": Decimal(1)}
    created = [x for x in await group.journal("sap-1", "sales_order.create") if x["reference"] == reference]
    assert len(created) == 1
    for system, journal in before.items():
        after = await group.twin(system, "/journal")
        repeated = [
            x for x in after[len(journal) :] if x["effect"] in ("warehouse_order.release", "label.create")
        ]
        assert repeated == []
