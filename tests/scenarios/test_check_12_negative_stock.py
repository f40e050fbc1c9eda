"""DOMAIN check 12: stock below zero is forbidden, or a named exception of a node; a cancellation goes through either way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import yaml

from e2e.running import eventually
from scenarios.callers import ask, balance, fact, line, until_balance
from scenarios.goods import broken_law, make_known
from scenarios.goods_between import erp_stock, stocked
from scenarios.group import Group

REASON = "sold from the floor before it is booked in"


@asynccontextmanager
async def excepted(group: Group, node: str) -> AsyncIterator[None]:
    """For as long as the block runs, the running hub's landscape allows this node to be below zero."""
    path = group.api.hub.directory / "routing.yaml"
    before = path.read_text()
    routing = yaml.safe_load(before)
    routing["nodes"][node]["negative_stock"] = REASON
    path.write_text(yaml.safe_dump(routing))
    await apply(group)
    try:
        yield
    finally:
        path.write_text(before)
        await apply(group)


async def apply(group: Group) -> None:
    said = await asyncio.to_thread(group.api.hub.crossdock, "config", "apply", seconds=120)
    assert said.returncode == 0, said.stdout + said.stderr


async def take_away(group: Group, node: str, item: str, pieces: int) -> None:
    """The warehouse says that so many are gone."""
    change = {"change": {"value": f"-{pieces}", "unit": "EA"}, "reason": "CC"}
    await fact(group, "stock.adjusted.v1", node, item, change, source={"SITE1": "wms-1"}.get(node, "wms-2"))


async def shown(group: Group, item: str) -> str:
    said = await asyncio.to_thread(group.api.hub.crossdock, "stock", "show", item)
    assert said.returncode == 0, said.stderr
    return str(said.stdout)


async def test_a_forbidden_node_stops_at_zero_and_says_what_is_missing(group: Group) -> None:
    """Fifteen of ten are gone: ten are taken off, and the other five are a case of the warehouse."""
    await make_known(group, "NEG-0")
    await stocked(group, "NEG-0", 10)

    await take_away(group, "SITE1", "NEG-0", 15)

    case = await group.until_case("stock/SITE1/NEG-0", "stock difference")
    assert "5 EA less of NEG-0 at SITE1" in case["title"]
    assert await balance(group, "NEG-0", "SITE1") == {}
    assert "below zero" not in await shown(group, "NEG-0")


async def test_an_excepted_node_goes_below_zero_and_an_order_there_is_cancelled(group: Group) -> None:
    """The whole adjustment is booked, in the ERP too, which allows it; the claim of the cancelled order comes back; nobody can
    claim what is owed.
    """
    await make_known(group, "NEG-1")
    await group.twin("woo-us", "/products", {"NEG-1": {}}, "PUT")
    await stocked(group, "NEG-1", 10, "SITE2")
    allowed = {"unrestricted": "10", "negative": True}
    await group.twin("sap-2", "/material_stock", {"2010": {"NEG-1": allowed}}, "PUT")
    async with excepted(group, "SITE2"):
        async with group.quirks("wms-2", unavailable=1.0):
            reference = await group.buy(("NEG-1", 4), shop="woo-us", country="US")
            await until_balance(group, "NEG-1", "SITE2", available=6, firm_claim=4)
            await take_away(group, "SITE2", "NEG-1", 15)
            await until_balance(group, "NEG-1", "SITE2", available=-9, firm_claim=4)
            await group.cancel(reference)
        await group.until(reference, "cancelled")
        await until_balance(group, "NEG-1", "SITE2", available=-5)

        refused = await ask(group, "neg-1", line("NEG-1", "1"), node="SITE2")
        assert refused.problem["errors"][0]["available"] == "0 EA"
        assert f"may be below zero: {REASON}" in await shown(group, "NEG-1")
        [total] = (await group.api.get("/v1/stock/NEG-1"))["totals"]
        assert (total["sellable"], total["available_to_promise"]) == ("-5", "0")
        assert await group.cases("stock/SITE2/NEG-1") == []

        async def booked() -> bool:
            return (await erp_stock(group, "sap-2", "NEG-1", "2010"))["unrestricted"] == "-5"

        await eventually(booked, what="the ERP is five below zero as well")

    async def ended() -> bool:
        return "the exception has ended" in await shown(group, "NEG-1")

    await eventually(ended, what="what is below zero stays, and is said to")
    assert await broken_law(group) == []
