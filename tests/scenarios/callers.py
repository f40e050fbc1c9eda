"""Programs that claim stock over HTTP, as a checkout or an ERP does, and facts of places that no warehouse speaks for."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from e2e.running import Answer, eventually, rows
from scenarios.group import Group


def line(item: str, value: str, unit: str = "EA", **more: str) -> dict[str, Any]:
    return {"item": item, "quantity": {"value": value, "unit": unit}, **more}


async def ask(group: Group, claim: str, *lines: dict[str, Any], node: str = "SITE1", **more: Any) -> Answer:
    return await group.api.post("/v1/claims", {"claim": claim, "lines": lines, "nodes": [node], **more})


async def act(group: Group, claim: str, what: str, **body: Any) -> Answer:
    headers = {"Idempotency-Key": uuid4().hex}
    return await group.api.call(
        "POST", f"/v1/claims/{claim}/{what}", json.dumps(body).encode(), headers=headers
    )


async def state_of(group: Group, claim: str) -> str:
    return str((await group.api.get(f"/v1/claims/{claim}"))["state"])


async def fact(
    group: Group, type_: str, node: str, item: str, data: dict[str, Any], *, at: datetime | None = None,
    source: str = "wms-1", **more: Any,
) -> None:  # fmt: skip
    """What somebody says of an item's stock; `data` beside its place. `at`: when it happened."""
    when = {"time": at.isoformat()} if at else {}
    event = {
        "specversion": "1.0", "id": uuid4().hex, "source": source, "type": f"crossdock.logistics.{type_}",
        "subject": f"stock/{node}/{item}", "data": {"place": {"item": item, "location": node}} | data,
    } | when | more  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body


async def define(group: Group, item: str, base: str = "EA", **more: Any) -> None:
    """The ERP says what it is, and the hub has heard it."""
    event = {
        "specversion": "1.0", "id": uuid4().hex, "source": "sap-1", "type": "crossdock.logistics.item.defined.v1",
        "subject": f"item/{item}", "data": {"item": item, "base_unit": base, **more},
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body

    async def known() -> bool:
        found = await group.api.call("GET", f"/v1/master/item/{item}")
        return found.status == 200 and all(name.encode() in found.body for name in more)

    await eventually(known, what=f"{item} is defined")


async def balance(group: Group, item: str, node: str) -> dict[str, Decimal]:
    """Buckets of the ledger that are not zero, added up over the item's lots there."""
    found: dict[str, Decimal] = {}
    for row in await rows(
        group.api.hub, "select * from stock_balance where item = $1 and location = $2", item, node
    ):
        for name, value in dict(row).items():
            if isinstance(value, Decimal) and name != "published" and value:
                found[name] = found.get(name, Decimal(0)) + value
    return found


async def until_balance(group: Group, item: str, node: str, **buckets: int | str) -> None:
    wanted = {name: Decimal(value) for name, value in buckets.items()}

    async def so() -> bool:
        return await balance(group, item, node) == wanted

    try:
        await eventually(so, what=f"{item} at {node} is {buckets}", seconds=30)
    except AssertionError as error:
        raise AssertionError(f"{error}: {await balance(group, item, node)}") from None
