"""DOMAIN check 16: whose goods are where, and what follows from it: consignment, terms of purchase, several owners at one site."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually
from scenarios.callers import ask, fact, line
from scenarios.conftest import trading
from scenarios.goods import broken_law, make_known, totals, until_shown
from scenarios.goods_between import announced, at_dock, buckets, erp_stock, say, stocked, until_done
from scenarios.group import Group

SUPPLIER = "SUP-1"


def owners(routing: dict[str, Any]) -> None:
    """What a supplier keeps at SITE1 may be sold; SITE2 is a 3PL's, and the American shop sells ACME's goods there."""
    routing["nodes"]["SITE1"]["consigned"] = [SUPPLIER]
    next(x for x in routing["orders"] if x.get("channel") == ["woo-us"])["owner"] = "ACME"


@pytest.fixture(scope="module")
def owners_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    with trading(tmp_path_factory.mktemp("owners"), owners) as made:
        yield made


@pytest.fixture
async def group(owners_hub: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    hub, twins = owners_hub
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Group(Api(hub, session), twins, seed=16)
        yield made
        await made.calm()


async def holds(group: Group, item: str, wanted: dict[str, int], **where: str) -> None:
    """The hub's ledger comes to hold so much of it."""

    async def so() -> bool:
        return await buckets(group, item, **where) == wanted

    try:
        await eventually(so, what=f"{item} {where} is {wanted}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {await buckets(group, item, **where)}") from None


async def bring(group: Group, item: str, owner: str, quantity: int, site: str = "SITE1") -> None:
    """A warehouse says that so many of an owner came."""
    data = {
        "place": {"item": item, "location": site, "owner": owner},
        "quantity": {"value": str(quantity), "unit": "EA"},
    }
    await fact(
        group, "stock.received.v1", site, item, data, source={"SITE1": "wms-1", "SITE2": "wms-2"}[site]
    )
    await holds(group, item, {"available": quantity}, location=site, owner=owner)


async def refused(group: Group, item: str, quantity: int, owner: str, site: str) -> None:
    answer = await ask(
        group, f"try-{item}-{owner}-{quantity}", line(item, str(quantity), owner=owner), node=site
    )
    assert answer.status == 409, answer.body


async def test_consigned_goods_are_sold_after_our_own_and_bought_as_they_leave(group: Group) -> None:
    """Ours leave first; what the supplier's shelf adds is told the ERP once, before the goods issue, whatever is lost on the way."""
    await make_known(group, "CN-1")
    await stocked(group, "CN-1", 2)
    await group.twin("wms-1", "/recount", {"CN-1": {"quantity": "7"}}, "PUT")
    await bring(group, "CN-1", SUPPLIER, 5)
    await until_shown(group, "CN-1", 7)
    assert await totals(group, "CN-1") == (7, 7)

    async with group.quirks("sap-1", answer_lost=0.5), group.quirks("wms-1", duplicate_event=0.5):
        reference = await group.buy(("CN-1", 5))
        await group.until(reference, "completed")

    await holds(group, "CN-1", {"available": 2}, owner=SUPPLIER)
    await holds(group, "CN-1", {}, owner="")
    taken = [
        x for x in await group.journal("sap-1", "consignment.withdraw") if "CN-1" in x["detail"]["quantities"]
    ]
    [withdrawn] = taken
    assert (
        withdrawn["detail"] | {"quantities": {"CN-1": "3"}, "supplier": SUPPLIER, "movement": "411"}
        == withdrawn["detail"]
    )
    issued = [x for x in await group.journal("sap-1", "goods_issue.post") if x["id"] > withdrawn["id"]]
    assert await group.booked(reference, "goods_issue.post") == {"CN-1": Decimal(5)}
    assert reference in {x["reference"].partition("|")[2] for x in issued}
    assert Decimal((await erp_stock(group, "sap-1", "CN-1", "1010"))["unrestricted"]) == 0
    assert await broken_law(group) == []


async def test_consigned_goods_come_in_by_a_purchase_order(group: Group) -> None:
    """The order says that the goods stay the supplier's: they are on hand under his name from the dock on."""
    order = {
        "supplier": SUPPLIER,
        "items": {"10": {"material": "CN-2", "plant": "1010", "quantity": "6", "consigned": True}},
    }
    await group.twin("sap-1", "/purchase_orders", {"4500001601": order}, "PUT")
    thread = "inbound/sap-1/4500001601"
    await announced(group, thread, "wms-1")
    await at_dock(group, "wms-1", "receive", reference=thread)
    await until_done(group, thread)

    assert await buckets(group, "CN-2") == await buckets(group, "CN-2", owner=SUPPLIER) == {"available": 6}


async def test_where_nobody_may_sell_them_consigned_goods_only_lie_there(group: Group) -> None:
    """Another supplier's goods at the same site, and this one's at another: on hand, shown to nobody, promised to nobody."""
    await make_known(group, "CN-3")
    await stocked(group, "CN-3", 1)
    await bring(group, "CN-3", "SUP-2", 9)
    await bring(group, "CN-3", SUPPLIER, 4, "SITE2")

    await until_shown(group, "CN-3", 1)
    assert await totals(group, "CN-3") == (14, 1)
    reference = await group.buy(("CN-3", 2))

    async def waits() -> bool:
        return (await group.line(reference, "CN-3")).get("backordered") == 1

    await eventually(waits, what="one of two waits for stock of our own")
    await holds(group, "CN-3", {"available": 9}, owner="SUP-2")
    await holds(group, "CN-3", {"available": 4}, owner=SUPPLIER)


@pytest.mark.parametrize(
    ("number", "terms", "on_the_road"),
    [("4500001611", "FOB", {"in_transit_in": 8, "expected": 2}), ("4500001612", "DDP", {"expected": 10})],
)
async def test_terms_of_purchase_say_whose_goods_are_on_the_road(
    group: Group, number: str, terms: str, on_the_road: dict[str, int]
) -> None:
    """Bought from departure on they are ours in the carrier's hands, bought on arrival only at the dock (Incoterms 2020: F and D rules)."""
    item = f"TM-{terms}"
    order = {
        "supplier": SUPPLIER, "incoterms": terms,
        "items": {"10": {"material": item, "plant": "1010", "quantity": "10"}},
    }  # fmt: skip
    await group.twin("sap-1", "/purchase_orders", {number: order}, "PUT")
    thread = f"inbound/sap-1/{number}"
    await announced(group, thread, "wms-1")
    notice = {
        "notice": f"DN-{number}", "carrier": "RDWY",
        "lines": [{"line": "10", "item": item, "quantity": {"value": "8", "unit": "EA"}}],
    }  # fmt: skip
    for _ in range(2):
        await say(group, thread, "inbound.dispatched.v1", notice, source_id=f"dn-{number}")

    await holds(group, item, on_the_road, owner="")
    carried = {name: n for name, n in on_the_road.items() if name == "in_transit_in"}
    assert await buckets(group, item, possessor="RDWY") == carried
    assert (await totals(group, item))[1] == 0
    await at_dock(group, "wms-1", "receive", reference=thread)
    await until_done(group, thread)
    assert (
        await buckets(group, item) == await buckets(group, item, owner="", possessor="") == {"available": 10}
    )
    assert terms in (await group.story(thread))["headline"]["facts"]


async def test_a_3pl_sells_nobodys_goods_for_another(group: Group) -> None:
    """Two owners' goods of one item on one shelf: each shop and program gets those of its own, and the pick says whose."""
    await group.twin("woo-us", "/products", {"OW-1": {}}, "PUT")
    await make_known(group, "OW-1")
    await bring(group, "OW-1", "ACME", 5, "SITE2")
    await bring(group, "OW-1", "BETA", 5, "SITE2")
    await group.twin(
        "wms-2", "/recount", {"OW-1": {"quantity": "10", "owners": {"ACME": "5", "BETA": "5"}}}, "PUT"
    )
    assert await totals(group, "OW-1") == (10, 5)
    await until_shown(group, "OW-1", 0)

    await refused(group, "OW-1", 6, "BETA", "SITE2")
    await refused(group, "OW-1", 1, "GAMMA", "SITE2")
    late = await group.buy(("OW-1", 7), shop="woo-us")

    async def waits() -> bool:
        found = await group.line(late, "OW-1")
        return found.get("backordered") == 2

    await eventually(waits, what="two of seven wait, though five of another owner lie there")
    await group.until_left(late)
    await holds(group, "OW-1", {}, owner="ACME")
    await holds(group, "OW-1", {"available": 5}, owner="BETA")
    assert [x for x in await group.journal("sap-2", "consignment.withdraw")] == []
    answer = await ask(group, "beta-1", line("OW-1", "5", owner="BETA"), node="SITE2")
    assert answer.status == 201, answer.body
    await holds(group, "OW-1", {"firm_claim": 5}, owner="BETA")
    assert await broken_law(group) == []


async def test_a_comparison_counts_each_owners_goods_by_themselves(group: Group) -> None:
    """One owner has two less and another two more: the sum agrees, and both differences are found."""
    await bring(group, "OW-2", "ACME", 12, "SITE2")
    await bring(group, "OW-2", "BETA", 12, "SITE2")
    told = {"OW-2": {"quantity": "24", "unit": "UNIT", "owners": {"ACME": "10", "BETA": "14"}}}
    await group.twin("wms-2", "/recount", told, "PUT")

    asked = ("reconcile", "run", "--system", "wms-2", "--json")
    said = await asyncio.to_thread(group.api.hub.crossdock, *asked, seconds=120)

    assert said.returncode == 0, said.stderr + said.stdout
    found = [d for d in json.loads(said.stdout)["differences"] if d["item"] == "OW-2"]
    assert sorted((d["owner"], Decimal(d["good"])) for d in found) == [("ACME", -2), ("BETA", 2)]
    assert {d["cause"] for d in found} == {"wrong_place"}
