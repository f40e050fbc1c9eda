"""DOMAIN check 26: an order's event is replayed after the world moved on: what was done is left alone, with the reason."""

from typing import Any

from e2e.running import eventually
from scenarios.group import Group

SYSTEMS = ("sap-1", "wms-1", "ups-1", "shopify-eu")


async def books(group: Group) -> dict[str, list[Any]]:
    """What these systems wrote down themselves, but for the availability of goods."""
    return {
        name: [x for x in await group.twin(name, "/journal") if x["effect"] != "availability.publish"]
        for name in SYSTEMS
    }


async def replayed(group: Group, **asked: Any) -> dict[str, Any]:
    """A replay, worked off to its end."""
    answer = await group.api.post("/v1/replays", {"reason": "to be sure", "per_second": 200} | asked)
    assert answer.status == 201, answer.body

    async def done() -> Any:
        found = await group.api.get(f"/v1/replays/{answer.json()['id']}")
        return found if found["state"] == "done" else None

    found = await eventually(done, what="the replay is done")
    assert isinstance(found, dict)
    return found


async def test_an_old_order_event_repeats_nothing(group: Group) -> None:
    """Order, sales order, label, goods issue, invoice: each named with the document of the journal, none done again."""
    reference = await group.buy(("WID-1", 1))
    await group.until(reference, "completed")
    [thread] = await group.shipments(reference)
    before = await books(group)
    documents = {x["document"] for x in (await group.story(f"order/{reference}"))["systems"] if x["document"]}
    assert documents

    preview = await group.api.post("/v1/replays", {"thread": thread, "dry_run": True})
    found = await replayed(group, thread=f"order/{reference}")
    shipped = await replayed(group, thread=thread)

    assert preview.json()["verdicts"] == {"skipped": preview.json()["count"]}
    assert preview.json()["targets"] == []
    assert {x["state"] for x in found["items"] + shipped["items"]} == {"skipped"}
    received = found["items"][0]
    assert "the order is completed: the world moved on" in received["said"]
    assert "today's mapping reads it as it did then" in received["said"]
    said = " ".join(x["said"] for x in found["items"] + shipped["items"])
    assert "sap-1: goods issue post" in said
    assert "sap-1: sales order create" in said
    assert any(f"was done, document {number}," in said for number in documents)
    assert await books(group) == before
    assert await group.api.phase(f"order/{reference}") == "completed"


async def test_a_cancelled_order_stays_cancelled(group: Group) -> None:
    """The order's first event is replayed once it is cancelled: nobody ships it."""
    async with group.quirks("sap-1", credit_blocked=1.0):
        reference = await group.buy(("WID-1", 1))
        await group.until(reference, "held")
        await group.cancel(reference)
        await group.until(reference, "cancelled")
    before = await books(group)

    found = await replayed(group, where=f'subject == "order/{reference}" && type == "order.received.v1"')

    assert {x["state"] for x in found["items"]} == {"skipped"}
    assert "the order is cancelled: the world moved on" in found["items"][0]["said"]
    assert await books(group) == before
    assert await group.api.phase(f"order/{reference}") == "cancelled"


async def test_what_was_refused_is_tried_again_and_the_rest_left_alone(group: Group) -> None:
    """One replay of the case: the goods issue is a new attempt of the same effect, and stands in the books once."""
    async with group.quirks("sap-1", period_closed=1.0):
        reference = await group.buy(("WID-1", 1))

        async def refused() -> Any:
            return next((x for x in await group.cases(f"order/{reference}") if x["owner"] == "finance"), None)

        case = await eventually(refused, what="finance has a case")

    preview = (await group.api.post("/v1/replays", {"case": case["number"], "dry_run": True})).json()
    assert any(x["system"] == "sap-1" and x["calls"] for x in preview["targets"])
    found = await replayed(group, case=case["number"])

    await group.until(reference, "completed")
    assert found["counts"] == {"done": found["count"]}
    assert "sap-1 again for goods issue post" in found["items"][0]["said"]
    assert list((await group.booked(reference, "goods_issue.post")).values()) == [1]
    again = await replayed(group, case=case["number"]) if (await group.cases(f"order/{reference}")) else None
    assert again is None
