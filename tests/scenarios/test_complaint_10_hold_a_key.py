"""restate#2362, CAP#1078: users want to hold a key, and after a restart failed messages are overtaken by newer ones. Not here."""

from typing import Any

from e2e.running import eventually, rows
from scenarios.group import Group
from scenarios.killing import kill

OPEN = "select id, account, kind, seq, attempts from effect where thread_key = $1 and state < 5 order by seq"
SETTLED = (
    "select account, lane, kind, seq, settled_at from effect where thread_key = $1 and mode = 1 and state = 10"
    " order by account, lane, seq"
)


async def hold(group: Group, **body: Any) -> dict[str, Any]:
    answer = await group.api.post("/v1/holds", {"reason": "the customer is on the phone", **body})
    assert answer.status == 201, answer.body
    found = answer.json()
    assert found["says"].startswith("takes effect within 1 s")
    return dict(found["hold"])


async def lift(group: Group, number: int) -> None:
    answer = await group.api.call("DELETE", f"/v1/holds/{number}", b'{"reason": "settled"}')
    assert answer.status == 200, answer.body


async def in_order(group: Group, thread: str) -> None:
    """In every lane what was wanted first was done first."""
    last: dict[tuple[str, bytes], Any] = {}
    done = await rows(group.api.hub, SETTLED, thread)
    for row in done:
        lane = (row["account"], row["lane"])
        assert lane not in last or last[lane] <= row["settled_at"], f"{row['kind']} overtook"
        last[lane] = row["settled_at"]
    assert any(sum(1 for x in done if (x["account"], x["lane"]) == lane) > 2 for lane in last)


async def test_a_held_key_waits_in_order_over_a_restart_and_stops_nobody_else(group: Group) -> None:
    """Work on the held order piles up and none of it is sent, also by a new delivery process; another order is completed
    meanwhile; lifted, the held one goes on in order and is completed, with one of each posting.
    """
    held = await group.buy(("WID-1", 1))
    thread = f"order/{held}"
    made = await hold(group, scope="key", name=thread, for_seconds=86_400)
    await eventually(lambda: rows(group.api.hub, OPEN, thread), what="something waits")

    await kill(group, "delivery")
    other = await group.buy(("WID-1", 1))
    await group.until(other, "completed")

    waiting = await rows(group.api.hub, OPEN, thread)
    assert waiting, "the hold let everything go"
    assert await group.booked(held, "invoice.release") == {}
    story = await group.story(thread)
    assert "Held by " in story["sentence"]
    assert "because the customer is on the phone" in story["sentence"]
    [listed] = [x for x in (await group.api.get("/v1/holds"))["holds"] if x["id"] == made["id"]]
    assert listed["waiting"] == len(waiting)

    await lift(group, made["id"])
    await group.until(held, "completed")
    await in_order(group, thread)
    assert await group.booked(held, "goods_issue.post") == await group.booked(other, "goods_issue.post")
    assert await group.booked(held, "invoice.release") == await group.booked(other, "invoice.release")


async def test_what_failed_is_not_overtaken_after_a_restart(group: Group) -> None:
    """The CRM is away, several notices of an order wait for it, delivery is killed: afterwards they go out as they came."""
    async with group.quirks("crm", unavailable=1.0):
        reference = await group.buy(("WID-1", 1))
        thread = f"order/{reference}"

        async def piled_up() -> bool:
            found = [x for x in await rows(group.api.hub, OPEN, thread) if x["account"] == "crm"]
            return len(found) > 2 and any(x["attempts"] for x in found)

        await eventually(piled_up, what="three notices wait for the CRM")
        await kill(group, "delivery")

    await group.until(reference, "completed")

    async def told() -> bool:
        return not await rows(group.api.hub, OPEN, thread)

    await eventually(told, what="nothing waits any more")
    await in_order(group, thread)


async def test_an_item_is_held_before_its_orders_are_released(group: Group) -> None:
    """Orders that have the item wait before the warehouse hears of them; others go on; the hold's own end lets them go."""
    made = await hold(group, scope="item", name="SHORT-1", for_seconds=86_400)
    held, other = await group.buy(("SHORT-1", 1), ("WID-1", 1)), await group.buy(("WID-1", 1))
    thread = f"order/{held}"

    async def waits() -> bool:
        found = await rows(group.api.hub, OPEN, thread)
        return [x["kind"] for x in found] == ["warehouse_order.release"]

    await group.until(other, "completed")
    await eventually(waits, what="only the release waits")
    assert "Held by " in (await group.story(thread))["sentence"]

    await lift(group, made["id"])
    await group.until(held, "released", "picking", "packed", "shipped", "delivered", "completed")


async def test_a_shop_is_held_and_the_hold_ends_by_itself(group: Group) -> None:
    """What follows from one shop's orders waits, the other shop's goes on; when the time is up (business time), it goes on."""
    await hold(group, scope="system", name="woo-us", for_seconds=800)  # forty seconds of a fast clock
    held = await group.buy(("US-1", 1), shop="woo-us")
    other = await group.buy(("WID-1", 1))
    await group.until(other, "released", "picking", "packed", "shipped", "delivered", "completed")
    assert await rows(group.api.hub, OPEN, f"order/{held}")

    await eventually(lambda: _nothing_held(group), what="the hold ended by itself")
    await group.until(held, "completed")
    ended = (await group.api.get("/v1/holds", ended="true"))["holds"]
    assert any(x["name"] == "woo-us" and x["ended_because"] == "its time was up" for x in ended)


async def _nothing_held(group: Group) -> bool:
    return (await group.api.get("/v1/holds"))["holds"] == []


async def test_a_held_cause_keeps_retries_back(group: Group) -> None:
    """A retry of what was refused waits while the cause is held; nothing is sent until it is lifted, and then once."""
    async with group.quirks("sap-1", period_closed=1.0):
        reference = await group.buy(("WID-1", 1))
        thread = f"order/{reference}"
        case = await group.until_case(thread, "period closed")
        made = await hold(group, scope="cause", name="period closed")
    await group.retry(case)

    async def waits() -> bool:
        found = await rows(group.api.hub, OPEN, thread)
        return "goods_issue.post" in [x["kind"] for x in found]

    await eventually(waits, what="the retry waits")
    assert "Held by " in (await group.story(thread))["sentence"]
    assert await group.booked(reference, "goods_issue.post") == {}

    await lift(group, made["id"])
    await group.until(reference, "completed")
