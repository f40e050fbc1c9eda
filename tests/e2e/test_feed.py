"""The feed over HTTP, and `crossdock tail` on top of it: followed by programs, without what is personal."""

import asyncio
import base64
import json
import subprocess
import sys
from typing import Any

from crossdock.access.tokens import hash_token, new_token
from crossdock.model.registry import TYPE_PREFIX
from e2e.documents import canonical, encoded, next_number, shop_order
from e2e.running import Api, RunningHub, eventually, rows


async def adjust(api: Api, *more: str) -> str:
    """One stock movement of an item of its own; its thread."""
    item = "-".join(("FEED", str(next_number()), *more))
    place, change = {"item": item, "location": "SITE1"}, {"value": "2.50", "unit": "EA"}
    answer = await api.post(
        "/v1/events", canonical("stock.adjusted.v1", f"stock/SITE1/{item}", place=place, change=change)
    )
    assert answer.status == 202
    return f"stock/SITE1/{item}"


async def page(api: Api, after: str, **query: str) -> dict[str, Any]:
    found: dict[str, Any] = await api.get("/v1/feed", after=after, **query)
    return found


async def all_of(api: Api, after: str, **query: str) -> tuple[list[dict[str, Any]], str]:
    """To the end."""
    events = []
    while True:
        found = await page(api, after, **query)
        events += found["events"]
        if found["cursor"] == after:
            return events, after
        after = found["cursor"]


async def test_it_is_followed_by_cursor(api: Api) -> None:
    """From `now` on, what is appended comes once, in order, as CloudEvents, in pages of any size."""
    start = (await page(api, "now"))["cursor"]
    threads = [await adjust(api) for _ in range(7)]

    async def there() -> Any:
        events, _ = await all_of(api, start, limit="2", types="stock.adjusted.v1")
        return [e for e in events if e["subject"] in threads] if len(events) >= 7 else None

    events = await eventually(there, what="all seven are in the feed")
    assert [e["subject"] for e in events] == threads
    assert {e["type"] for e in events} == {TYPE_PREFIX + "stock.adjusted.v1"}
    assert {e["specversion"] for e in events} == {"1.0"}
    assert events[0]["data"]["change"]["value"] == "2.50"
    assert events[0]["recordedtime"]


async def test_it_waits_for_what_comes(api: Api) -> None:
    """With `wait`, an answer comes when something was appended, not before and not at the end of the time."""
    start = (await page(api, "now"))["cursor"]
    await api.call("GET", "/v1/feed", after=start)  # whatever other tests left behind
    loop = asyncio.get_running_loop()
    began = loop.time()
    waiting = asyncio.create_task(page(api, start, wait="25s", types="stock.adjusted.v1"))
    await asyncio.sleep(0.3)
    thread = await adjust(api)
    found = await waiting

    assert [e["subject"] for e in found["events"]] == [thread]
    assert loop.time() - began < 20


async def test_what_is_personal_stays_out(api: Api) -> None:
    """An order's event is in the feed; the buyer's name, address and mail are not."""
    start = (await page(api, "now"))["cursor"]
    mail = f"buyer-{next_number()}@example.com"
    order = shop_order(email=mail)
    await api.deliver("shopify-eu", "webhooks", encoded(order), "orders/create")

    async def there() -> Any:
        events, _ = await all_of(api, start)
        return events if any(e["subject"].endswith(f"/{order['id']}") for e in events) else None

    text = json.dumps(await eventually(there, what="the order is in the feed"))
    assert mail not in text
    assert order["shipping_address"]["address1"] not in text
    assert "sealed" not in text


async def test_bad_questions_are_told_apart(api: Api) -> None:
    """A cursor that is none: 400. One of a generation or hub that this log is not: 409, with the remedy."""
    good = (await page(api, "now"))["cursor"]
    packed = bytearray(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    packed[6] += 1  # the generation's low byte
    later = base64.urlsafe_b64encode(packed).decode().rstrip("=")

    for query, status, code in (
        ({"after": "nonsense"}, 400, "bad-cursor"),
        ({"after": later}, 409, "unknown-generation"),
        ({"limit": "0"}, 400, "bad-query"),
        ({"limit": "1001"}, 400, "bad-query"),
        ({"types": "order.eaten.v1"}, 400, "bad-query"),
        ({"after": "newest:x"}, 400, "bad-query"),
        ({"wait": "long"}, 400, "bad-wait"),
    ):
        answer = await api.call("GET", "/v1/feed", **query)
        assert (answer.status, answer.problem["code"]) == (status, code)
    assert "after=beginning" in (await api.call("GET", "/v1/feed", after=later)).problem["detail"]


async def test_it_needs_its_own_scope(api: Api, hub: RunningHub) -> None:
    """A token with `feed` may follow and nothing else; one that may only read may not follow."""
    tokens = {}
    for scope in ("feed", "read"):
        identifier, token = new_token()
        tokens[scope] = {"Authorization": f"Bearer {token}"}
        await rows(
            hub, "insert into access_key (id, hash, name, scopes) values ($1, $2, $3, $4)",
            identifier, hash_token(hub.configured.key, token), f"a {scope} key", [scope],
        )  # fmt: skip

    async def known() -> bool:
        return (await api.call("GET", "/v1/feed", headers=tokens["feed"])).status == 200

    await eventually(known, what="the key is known")
    assert (await api.call("GET", "/v1/threads", headers=tokens["feed"])).status == 403
    assert (await api.call("GET", "/v1/feed", headers=tokens["read"])).status == 403
    assert (await api.call("GET", "/v1/feed", anonymous=True)).status == 401


async def test_tail_follows_with_a_condition(api: Api, hub: RunningHub) -> None:
    """Started before, it prints the matching event when it happens, and no other; `--limit` ends it."""
    mark = str(next_number())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crossdock.cli.main", "tail", "--hub", str(hub.directory), "--json", "--limit", "1",
        "--after", (await page(api, "now"))["cursor"],
        "--where", f"type == 'stock.adjusted.v1' && data.place.item.endsWith('-{mark}')",
        stdout=subprocess.PIPE,
    )  # fmt: skip
    await adjust(api)
    await asyncio.sleep(1.5)
    wanted = await adjust(api, mark)
    await adjust(api)
    out, _ = await asyncio.wait_for(process.communicate(), 30)

    [event] = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 0
    assert event["subject"] == wanted


async def test_tail_ends_at_the_newest_event(api: Api, hub: RunningHub) -> None:
    """`--no-follow` prints what is there, a sentence each, and ends."""
    thread = await adjust(api)

    async def told() -> str:
        ended = await asyncio.to_thread(hub.crossdock, "tail", "--no-follow", "--after", "newest:20")
        assert ended.returncode == 0
        return next((line for line in ended.stdout.splitlines() if thread in line), "")

    line = await eventually(told, what="the event is among the newest")
    assert "stock.adjusted.v1" in line
    assert "by +2.5 EA" in line


def test_tail_names_what_is_wrong_with_a_condition(hub: RunningHub) -> None:
    """The column, and what stands there; no hub is asked."""
    ended = hub.crossdock("tail", "--where", "type = 'x'")

    assert ended.returncode == 1
    assert "--where: column 6" in ended.stderr
