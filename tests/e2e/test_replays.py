"""Replays in bulk: throttled, stopped, gone on with, and resumed after the hub was stopped, by API and by command."""

import asyncio
import json

import aiohttp
import pytest

from e2e.documents import encoded, next_number, shop_order
from e2e.running import Answer, Api, eventually, start

SHOP = ("shopify-eu", "webhooks")
MANY = 500


async def deliver_many(api: Api, count: int, marker: str) -> None:
    """Orders with a mark in their number, by which a condition finds them."""
    orders = [shop_order(name=f"#{marker}-{n}") for n in range(count)]
    for first in range(0, count, 50):
        answers = await asyncio.gather(
            *(api.deliver(*SHOP, encoded(order), "orders/create") for order in orders[first : first + 50])
        )
        assert {x.status for x in answers} == {202}


def where(marker: str) -> str:
    return f'type == "order.received.v1" && data.number.startsWith("#{marker}-")'


async def turned(api: Api, number: int, what: str, version: int) -> Answer:
    return await api.call(
        "POST", f"/v1/replays/{number}/{what}", b'{"reason": "a test"}', headers={"If-Match": f'"{version}"'}
    )


async def test_five_hundred_are_replayed_by_command_alone(api: Api) -> None:
    """Preview and run: every item has its line with the reason, and the log holds no order twice."""
    marker = f"BULK{next_number()}"
    await deliver_many(api, MANY, marker)

    tried = api.hub.crossdock("replay", "--where", where(marker), "--since", "1h", "--dry-run")
    done = api.hub.crossdock(
        "replay",
        "--where",
        where(marker),
        "--since",
        "1h",
        "--per-second",
        "400",
        "--reason",
        "to be sure",
        seconds=120,
    )

    assert f"{MANY} items" in tried.stdout.splitlines()[0], tried.stderr
    assert f"{MANY} would be left alone" in tried.stdout
    assert done.returncode == 0, done.stderr
    assert f"{MANY} items: {MANY} skipped" in done.stdout.splitlines()[0]
    assert (
        len(
            [
                x
                for x in done.stdout.splitlines()
                if "today's mapping reads it as it did then: a duplicate" in x
            ]
        )
        == MANY
    )
    number = done.stdout.split()[0]
    shown = api.hub.crossdock("replay", "show", number, "--status", "skipped", "--json")
    assert len(json.loads(shown.stdout)["items"]) == MANY
    listed = api.hub.crossdock("replay", "list")
    assert listed.stdout.startswith(number)


async def test_it_stops_goes_on_and_outlives_the_hub(start_hub) -> None:
    """Slow enough to be stopped under way: nothing is done meanwhile, and after a restart it goes on where it was."""
    hub = start_hub("replays")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        api = Api(hub, session)
        await deliver_many(api, 30, "SLOW")
        made = (
            await api.post("/v1/replays", {"where": where("SLOW"), "reason": "slow", "per_second": 10})
        ).json()

        async def some() -> int:
            return (await api.get(f"/v1/replays/{made['id']}"))["counts"].get("skipped", 0) >= 3

        await eventually(some, what="some items are done")
        found = await api.get(f"/v1/replays/{made['id']}")
        stopped = await turned(api, made["id"], "stop", found["version"])
        assert stopped.status == 200, stopped.body
        await asyncio.sleep(0.5)
        counts = (await api.get(f"/v1/replays/{made['id']}"))["counts"]
        await asyncio.sleep(1.0)
        still = await api.get(f"/v1/replays/{made['id']}")
        assert still["counts"] == counts
        assert counts["waiting"] > 0
        assert (await turned(api, made["id"], "resume", still["version"])).status == 200
        hub.process.terminate()
        await asyncio.to_thread(hub.process.wait, 40)
        hub.process = start(hub.directory).process

        async def done() -> object:
            found = await api.get(f"/v1/replays/{made['id']}")
            return found if found["state"] == "done" else None

        found = await eventually(done, what="it is done after the restart")
        assert found["counts"] == {"skipped": 30}


async def test_a_change_needs_the_version_that_was_seen(api: Api) -> None:
    """428 without If-Match, 412 with an old one; the right one is taken."""
    marker = f"TAG{next_number()}"
    await deliver_many(api, 1, marker)
    made = (
        await api.post("/v1/replays", {"where": where(marker), "reason": "one", "per_second": 0.1})
    ).json()
    path = f"/v1/replays/{made['id']}/stop"

    bare = await api.call("POST", path, b'{"reason": "a test"}')
    old = await turned(api, made["id"], "stop", made["version"] + 5)

    assert (bare.status, bare.problem["code"]) == (428, "precondition-required")
    assert (old.status, old.problem["code"]) == (412, "changed-meanwhile")
    seen = await api.call("GET", f"/v1/replays/{made['id']}")
    assert seen.headers["etag"] == f'"{seen.json()["version"]}"'


@pytest.mark.parametrize(
    ("asked", "why"),
    [({}, "say what"), ({"where": "data.x =="}, "column"), ({"where": "nothing == 1"}, "there is no nothing"), ({"since": "2026-11-20T10:00:00"}, "offset")],
)  # fmt: skip
async def test_a_selection_that_makes_no_sense_is_refused(api: Api, asked: dict[str, str], why: str) -> None:
    """The answer says what to write instead."""
    answer = await api.post("/v1/replays", {"reason": "x", "dry_run": True} | asked)

    assert answer.status == 400
    assert why in answer.problem["detail"]


async def test_what_still_cannot_be_read_is_told_as_failed(api: Api) -> None:
    """A replay of a message that today's mapping cannot read either names the field; its case stays."""
    order = shop_order()
    order["line_items"][0]["quantity"] = -1
    [thread] = (await api.deliver(*SHOP, encoded(order), "orders/create")).json()["threads"]

    async def known() -> bool:
        return await api.phase(thread) == "not translated"

    await eventually(known, what="the message has a story")

    done = api.hub.crossdock("replay", "--thread", thread, "--reason", "perhaps now")

    assert done.returncode == 1
    assert "today's mapping cannot read it either at /line_items/0/quantity" in done.stdout
    assert await known()
