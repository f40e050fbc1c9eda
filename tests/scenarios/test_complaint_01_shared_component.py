"""Complaint 1: two lines of one order that share a component each pass the check, and the stock is oversold."""

from typing import Any
from uuid import uuid4

from e2e.running import eventually
from scenarios.goods import broken_law, lots, make_known
from scenarios.group import Group


async def define(group: Group, kit: str, **parts: int) -> None:
    """The ERP says what is in a kit that nobody keeps as itself."""
    components = [
        {"item": x.replace("_", "-"), "quantity": {"value": str(n), "unit": "EA"}} for x, n in parts.items()
    ]
    event: dict[str, Any] = {
        "specversion": "1.0", "id": uuid4().hex, "source": "sap-1", "type": "crossdock.logistics.item.defined.v1",
        "subject": f"item/{kit}", "data": {"item": kit, "base_unit": "EA", "components": components},
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body

    async def known() -> bool:
        found = await group.api.call("GET", f"/v1/master/item/{kit}")
        return found.status == 200 and b"components" in found.body

    await eventually(known, what=f"{kit} is defined")


async def test_lines_that_share_a_component_are_added_up(group: Group) -> None:
    """Eleven cups serve four sets of two and one pair, not three pairs: those wait whole, and leave with more cups."""
    await make_known(group, "SET-1", "DUO-1", "CUP-1", "PLATE-1")
    await define(group, "SET-1", CUP_1=2, PLATE_1=1)
    await define(group, "DUO-1", CUP_1=2)
    stock = {"CUP-1": {"quantity": "11", "lot": ""}, "PLATE-1": {"quantity": "9", "lot": ""}}
    await group.twin("wms-1", "/stock", stock, "PUT")

    async def there() -> bool:
        return [await lots(group, item) for item in stock] == [{"": 11}, {"": 9}]

    await eventually(there, what="the hub knows the stock")
    reference = await group.buy(("SET-1", 4), ("DUO-1", 3))
    await group.until_left(reference)
    assert await group.left(reference) == {"CUP-1": 10, "PLATE-1": 4}
    assert await lots(group, "CUP-1") == {"": 1}

    await group.twin("wms-1", "/stock", {"CUP-1": {"quantity": "5", "lot": ""}}, "PUT")
    await group.until(reference, "completed")

    assert await group.left(reference) == {"CUP-1": 14, "PLATE-1": 4}
    for effect in ("goods_issue.post", "invoice.release"):
        assert await group.booked(reference, effect) == {"SET-1": 4, "DUO-1": 3}
    assert await lots(group, "CUP-1") == {"": 1}
    assert await lots(group, "PLATE-1") == {"": 5}
    story = (await group.story(f"order/{reference}"))["lines"]
    assert {x["item"] for x in story if x["kit_of"] == ""} == {"SET-1", "DUO-1"}
    assert {x["item"] for x in story if x["kit_of"]} == {"CUP-1", "PLATE-1"}
    assert await broken_law(group) == []
    number = reference.rpartition("/")[2]
    [order] = [x for x in await group.twin("shopify-eu", "/orders") if str(x["id"]) == number]
    assert order["fulfilment_status"] == "fulfilled"
