"""Complaint 4: a lock that is skipped reserves twice, and two that are taken crosswise hang."""

import asyncio
from decimal import Decimal

from e2e.running import eventually, rows
from scenarios.callers import ask, balance, define, line
from scenarios.goods import broken_law, make_known
from scenarios.goods_between import stocked
from scenarios.group import Group

BOLT, NUT, WASHER = "LOCK-BOLT", "LOCK-NUT", "LOCK-WASHER"
STOCK = 40


async def deadlocks(group: Group) -> int:
    sql = "select sum(deadlocks)::int as n from pg_stat_database"
    return int((await rows(group.api.hub, sql))[0]["n"])


async def test_crosswise_claims_of_shared_parts_neither_hang_nor_double(group: Group) -> None:
    """Kits, their parts forwards and backwards, orders and receipts at once: all are answered, every piece is there once."""
    for item in (BOLT, NUT, WASHER):
        await make_known(group, item)
        await stocked(group, item, STOCK)
    parts = [{"item": x, "quantity": {"value": "1", "unit": "EA"}} for x in (WASHER, BOLT, NUT)]
    await define(group, "LOCK-KIT", components=parts)
    wishes = (
        (line(BOLT, "1"), line(NUT, "1"), line(WASHER, "1")),
        (line(WASHER, "1"), line(NUT, "1"), line(BOLT, "1")),
        (line("LOCK-KIT", "1"), line(NUT, "1")),
        (line(NUT, "1"), line("LOCK-KIT", "1")),
    )
    before = await deadlocks(group)

    async def receive() -> None:
        more = {x: {"quantity": str(STOCK + 10), "lot": ""} for x in (WASHER, NUT, BOLT)}
        await group.twin("wms-1", "/stock", more, "PUT")

    answers, orders, _ = await asyncio.gather(
        asyncio.gather(*(ask(group, f"lock-{n}", *wishes[n % 4]) for n in range(80))),
        asyncio.gather(*(group.buy(*((x, 1) for x in way)) for way in ((BOLT, NUT, WASHER), (WASHER, NUT, BOLT)) * 2)),
        receive(),
    )  # fmt: skip

    assert {x.status for x in answers} == {201, 409}
    got: dict[str, Decimal] = {}
    for answer in answers:
        if answer.status == 201:
            for share in answer.json()["lines"]:
                for source in share["sources"]:
                    got[source["item"]] = got.get(source["item"], Decimal(0)) + Decimal(
                        source["quantity"]["value"]
                    )

    async def served() -> bool:
        sent: dict[str, Decimal] = {}
        for reference in orders:
            for item, quantity in (await group.left(reference)).items():
                sent[item] = sent.get(item, Decimal(0)) + quantity
        held = {x: await balance(group, x, "SITE1") for x in (BOLT, NUT, WASHER)}
        return all(
            held[x].get("firm_claim", 0) == got[x]
            and sum(held[x].values()) + sent.get(x, 0) == STOCK + 10
            and not held[x].keys() - {"firm_claim", "available"}
            for x in held
        )

    await eventually(served, what="what is claimed, free and gone is what came in")
    assert await deadlocks(group) == before
    assert "deadlock" not in group.api.hub.logs()
    assert await broken_law(group) == []
