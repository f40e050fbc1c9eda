"""Corrections of canonical events and of code list entries: taken where a process takes another version, refused where none does."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from e2e.documents import canonical, encoded, next_number, shop_order
from e2e.running import Api, eventually, rows

SHOP = ("shopify-eu", "webhooks")


def alone(directory: Path) -> None:
    """Nobody else is needed, and no system owns the code lists."""
    path = directory / "hub.yaml"
    hub = yaml.safe_load(path.read_text())
    policy = hub.setdefault("policy", {})
    policy["four_eyes"] = []
    policy.setdefault("master_authority", {}).pop("codelist", None)
    path.write_text(yaml.safe_dump(hub))


@pytest.fixture(scope="module")
def lone_hub(start_hub):
    return start_hub("alone", edit=alone)


@pytest.fixture
async def lone(lone_hub) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Api(lone_hub, session)


async def ordered(api: Api) -> tuple[str, str]:
    """An order of the shop; its thread, and the reference of the event."""
    order = shop_order()
    [thread] = (await api.deliver(*SHOP, encoded(order), "orders/create")).json()["threads"]
    await eventually(lambda: api.phase(thread), what="the order is there")
    story = await api.get(f"/v1/threads/story/{thread}")
    return thread, next(x["lineage"]["event"] for x in story["timeline"][::-1] if x["lineage"]["message"])


async def test_an_orders_event_is_corrected_as_another_version(lone: Api) -> None:
    """The line's quantity follows, the buyer stays sealed as he was, and the lineage tells of the correction."""
    thread, ref = await ordered(lone)

    done = lone.hub.crossdock(
        "correct", "event", ref, "--set", "/lines/0/ordered/value=7", "--reason", "seven, by phone"
    )

    assert done.returncode == 0, done.stderr
    assert "/lines/0/ordered/value" in done.stdout

    async def seven() -> bool:
        return (await lone.get(f"/v1/threads/story/{thread}"))["lines"][0]["ordered"] == "7"

    await eventually(seven, what="the order has seven")
    sealed = await rows(lone.hub, "select sealed, subject from event where thread_key = $1 and type = 'order.received.v1'", thread)  # fmt: skip
    assert len(sealed) == 2
    assert len({(x["sealed"], x["subject"]) for x in sealed}) == 1
    story = await lone.get(f"/v1/threads/story/{thread}")
    assert any(
        "corrected what was told" in x["text"] and "seven, by phone" in x["text"] for x in story["timeline"]
    )
    newest = next(x["lineage"]["event"] for x in story["timeline"] if x["lineage"]["message"])
    chain = await lone.get(f"/v1/lineage/{newest}")
    assert chain["raw"][0]["note"].startswith("correction K-")


async def refused(api: Api, status: int, **wish: Any) -> str:
    answer = await api.post("/v1/corrections", {"reason": "a test"} | wish)
    assert answer.status == status, answer.body
    return str(answer.problem["detail"])


async def test_a_fact_that_would_count_twice_is_refused(lone: Api) -> None:
    """An adjustment says a difference: another version would be booked beside it. Wrong shapes name the field."""
    item = f"TEST-{next_number()}"
    event = canonical(
        "stock.adjusted.v1", f"stock/SITE1/{item}", place={"item": item, "location": "SITE1"},
        change={"value": "5", "unit": "EA"},
    )  # fmt: skip
    assert (await lone.post("/v1/events", event)).status == 202
    await eventually(lambda: lone.phase(f"stock/SITE1/{item}"), what="the stock is there")
    story = await lone.get(f"/v1/threads/story/stock/SITE1/{item}")
    ref = next(x["lineage"]["event"] for x in story["timeline"] if x["lineage"]["message"])
    message = next(x["lineage"]["message"] for x in story["timeline"] if x["lineage"]["message"])

    as_event = await refused(lone, 409, event=ref, set={"/change/value": "3"})
    as_message = await refused(lone, 409, message=message, set={"/data/change/value": "3"})

    assert "would count beside the first" in as_event
    assert "would count beside the first" in as_message
    balance = await rows(lone.hub, "select available from stock_balance where item = $1", item)
    assert [x["available"] for x in balance] == [5]
    _, order = await ordered(lone)
    assert "/lines/0/ordered" in await refused(lone, 422, event=order, set={"/lines/0/ordered": "seven"})
    assert "no event's reference" in await refused(lone, 404, event="1-2-3", set={"/a": 1})


async def test_an_entry_of_a_code_list_is_corrected(lone: Api) -> None:
    """The list's next version has the entry's new meaning and everything else; the former version stays."""
    name = f"units{next_number()}"
    data = {"name": name, "version": 3, "entries": {"STK": "KGM", "KG": "KGM"}}
    event = canonical("codeList.published.v1", f"codelist/{name}") | {"data": data}
    assert (await lone.post("/v1/events", event)).status == 202
    await eventually(lambda: lone.phase(f"codelist/{name}"), what="the list is there")

    done = lone.hub.crossdock(
        "correct", "code", f"{name}/STK", "--to", "C62", "--reason", "pieces, not kilograms"
    )

    assert done.returncode == 0, done.stderr

    async def corrected() -> bool:
        return (await lone.get(f"/v1/master/codelist/{name}"))["record"]["version"] == 4

    await eventually(corrected, what="the next version counts")
    record = (await lone.get(f"/v1/master/codelist/{name}"))["record"]
    assert record["entries"] == {"STK": "C62", "KG": "KGM"}
    former = (await lone.get(f"/v1/master/codelist/{name}", version="3"))["record"]
    assert former["entries"] == data["entries"]
    assert "no entry X" in await refused(lone, 404, code=f"{name}/X", value="1")


async def test_by_default_an_event_needs_a_second_person(api: Api) -> None:
    """It is proposed, and nothing changes until somebody else approves it."""
    thread, ref = await ordered(api)

    answer = await api.post(
        "/v1/corrections", {"event": ref, "set": {"/lines/0/ordered/value": "7"}, "reason": "by phone"}
    )

    assert (answer.json()["state"], answer.json()["needs_second"]) == ("proposed", True)
    own = await api.call(
        "POST",
        f"/v1/corrections/{answer.json()['id']}/approve",
        b'{"reason": "sure"}',
        headers={"If-Match": "*"},
    )
    assert (own.status, own.problem["code"]) == (403, "four-eyes")
    assert (await api.get(f"/v1/threads/story/{thread}"))["lines"][0]["ordered"] != "7"


async def test_what_is_read_otherwise_today_is_another_version(lone: Api) -> None:
    """A rule that came after an order changes its item once it is replayed; replayed again, it is a duplicate."""
    old, new = f"OLD{next_number()}", f"NEW{next_number()}"

    async def bought() -> tuple[str, str]:
        order = shop_order()
        order["line_items"][0]["sku"] = old
        [thread] = (await lone.deliver(*SHOP, encoded(order), "orders/create")).json()["threads"]
        await eventually(lambda: lone.phase(thread), what="the order is there")
        story = await lone.get(f"/v1/threads/story/{thread}")
        return thread, next(x["lineage"]["message"] for x in story["timeline"] if x["lineage"]["message"])

    async def item(thread: str) -> str:
        return str((await lone.get(f"/v1/threads/story/{thread}"))["lines"][0]["item"])

    (earlier, _), (other, message) = await bought(), await bought()
    made = await lone.post(
        "/v1/corrections",
        {"message": message, "set": {"/line_items/0/sku": new}, "reason": "the shop renamed it"},
    )
    assert made.status == 201, made.body

    async def renamed() -> bool:
        return await item(other) == new

    await eventually(renamed, what="the corrected order has the new item")
    name = made.json()["name"]
    promoted = lone.hub.crossdock(
        "correct", "promote", name, "--reason", "all of them", "--path", "/line_items/*/sku"
    )
    assert promoted.returncode == 0, promoted.stderr
    assert await item(earlier) == old

    first = lone.hub.crossdock("replay", "--thread", earlier, "--reason", "the rule came later")
    assert "is taken in as another version" in first.stdout, first.stdout + first.stderr

    async def followed() -> bool:
        return await item(earlier) == new

    await eventually(followed, what="the earlier order has the new item too")
    second = lone.hub.crossdock("replay", "--thread", earlier, "--reason", "again")
    assert second.returncode == 0
    assert "is taken in as another version" not in second.stdout
    versions = await rows(lone.hub, "select 1 from event where thread_key = $1 and type = 'order.received.v1'", earlier)  # fmt: skip
    assert len(versions) == 2
    rules = lone.hub.crossdock("correct", "rules")
    assert f'"{old}" is read as "{new}"' in rules.stdout
    assert (
        lone.hub.crossdock("correct", "withdraw", rules.stdout.split()[0], "--reason", "enough").returncode
        == 0
    )
