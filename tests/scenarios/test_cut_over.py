"""docs/howto/cut-over.md, step by step: a site that another system runs is heard, opened, compared and taken over."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually, rows
from scenarios.conftest import trading
from scenarios.goods import broken_law, make_known, until_shown
from scenarios.goods_between import buckets, say, until_phase
from scenarios.group import Group

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "cut-over.md"
SITE, OLD = "SITE2", "wms-2"


def in_parallel(routing: dict[str, Any]) -> None:
    """As step 1 of the howto writes the node."""
    written = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", HOWTO.read_text(), re.DOTALL)[0])
    routing["nodes"][SITE] |= written["nodes"][SITE]


@pytest.fixture
def old_business(tmp_path: Path) -> Iterator[tuple[RunningHub, Twins]]:
    with trading(tmp_path / "hub", in_parallel) as made:
        yield made


@pytest.fixture
async def group(old_business: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    hub, twins = old_business
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Group(Api(hub, session), twins)


async def crossdock(group: Group, *arguments: str, ends: int = 0) -> str:
    said = await asyncio.to_thread(group.api.hub.crossdock, *arguments, seconds=120)
    assert said.returncode == ends, said.stderr + said.stdout
    return said.stdout


async def compared(group: Group) -> dict[str, Any]:
    """Today's line of the agreement, after a comparison."""
    await crossdock(group, "reconcile", "run", "--system", OLD)
    [day] = json.loads(await crossdock(group, "reconcile", "agreement", "--system", OLD, "--json"))["days"]
    assert isinstance(day, dict)
    return day


async def sent(group: Group) -> list[tuple[str, str, int]]:
    """(kind, account, state) of every effect about the site's goods."""
    found = await rows(
        group.api.hub, "select kind, account, state from effect where reason like '%parallel%'"
    )
    return [(row["kind"], row["account"], row["state"]) for row in found]


async def test_a_business_is_taken_over(group: Group) -> None:
    """Balances are opened once and whole, moves come on top, nothing is sent; then the site sells as any other."""
    balances = re.findall(r"```csv\n(.*?)```", HOWTO.read_text(), re.DOTALL)[0]
    await make_known(group, "NUT-1", "NUT-2")
    await group.twin("woo-us", "/products", {"NUT-1": {}}, "PUT")
    for item in ("NUT-1", "NUT-2"):
        await group.say("sap-1", "item", "item.defined.v1", {"item": item, "base_unit": "EA"}, item)
    await defined(group, "NUT-1", "NUT-2")
    as_of = datetime.now(UTC).isoformat()
    await refused_rows(group, balances, as_of)
    await opened_once(group, balances, as_of)

    books = {
        "NUT-1": {"quantity": "120", "unit": "UNIT"},
        "NUT-2": {"quantity": "30", "unit": "UNIT", "owners": {"ACME": "30"}},
    }
    for item, told in books.items():
        await group.twin(OLD, "/recount", {item: told | {"allocated": "0", "lot": ""}}, "PUT")
    await followed_and_compared(group)
    await nothing_was_sent(group)
    await cut_over(group)
    assert await broken_law(group) == []


async def defined(group: Group, *items: str) -> None:
    async def known() -> bool:
        found = [await group.api.call("GET", f"/v1/master/item/{item}") for item in items]
        return all(x.status == 200 for x in found)

    await eventually(known, what="the items are defined")


async def refused_rows(group: Group, balances: str, as_of: str) -> None:
    """One wrong row stops the whole file, and says where and what to do."""
    wrong = group.api.hub.directory / "wrong.csv"
    wrong.write_text(balances + 'NUT-1,SITE2,L1,,"1,5",EA\nNUT-9,SITE2,,,1,EA\nNUT-1,SITE9,,,1,EA\n')

    said = await crossdock(group, "stock", "open", str(wrong), "--as-of", as_of, ends=1)

    assert "2 new, 0 as before, 0 different, 3 wrong; 0 taken" in said
    for place in (f"{wrong}:4: quantity: ", f"{wrong}:5: item: ", f"{wrong}:6: location: "):
        [line] = [x for x in said.splitlines() if place in x]
        assert " → " in line
    assert await buckets(group, "NUT-1") == {}


async def opened_once(group: Group, balances: str, as_of: str) -> None:
    file = group.api.hub.directory / "balances.csv"
    file.write_text(balances)
    asked = ("stock", "open", str(file), "--as-of", as_of)
    assert "2 new, 0 as before, 0 different, 0 wrong; 0 taken" in await crossdock(group, *asked, "--dry-run")
    assert await buckets(group, "NUT-1") == {}
    assert "2 taken" in await crossdock(group, *asked)

    async def there() -> bool:
        return await buckets(group, "NUT-1", SITE, owner="") == {"available": 120}

    await eventually(there, what="the balances are in the ledger")
    assert (
        await buckets(group, "NUT-2")
        == await buckets(group, "NUT-2", SITE, owner="ACME")
        == {"available": 30}
    )
    assert "0 new, 2 as before, 0 different, 0 wrong; 0 taken" in await crossdock(group, *asked)
    file.write_text(balances.replace("120", "121"))
    told = json.loads(await crossdock(group, *asked, "--json", ends=1))
    assert (told["different"], told["as_before"], told["taken"]) == (1, 1, 0)
    assert told["refused"][0]["row"] == 2
    assert await buckets(group, "NUT-1") == {"available": 120}
    shown = json.loads(await crossdock(group, "stock", "show", "NUT-1", "--json"))
    [entry] = shown["places"][0]["entries"]
    assert (entry["type"], entry["from_bucket"]) == ("stock.opened.v1", "outside")


async def followed_and_compared(group: Group) -> None:
    """What the old system tells comes on top; a count that it keeps for itself shows in the day's share, with its cause."""
    assert (await compared(group))["percent"] == "100.00"
    await group.twin(OLD, "/stock", {"NUT-1": {"quantity": "126", "lot": ""}}, "PUT")

    async def heard() -> bool:
        return await buckets(group, "NUT-1") == {"available": 126}

    await eventually(heard, what="the old system's count is heard")
    await group.twin(OLD, "/recount", {"NUT-1": {"quantity": "116"}}, "PUT")
    day = await compared(group)
    assert (day["equal"], day["causes"]) == (day["counted"] - 1, {"counted": 1})
    assert Decimal(day["percent"]) < 100
    await group.twin(OLD, "/recount", {"NUT-1": {"quantity": "126"}}, "PUT")
    assert (await compared(group))["percent"] == "100.00"


async def nothing_was_sent(group: Group) -> None:
    """A purchase order is expected and announced to nobody; an order of the old business is followed and given to nobody."""
    thread = "inbound/sap-2/4500009001"
    line = {"line": "10", "item": "NUT-1", "quantity": {"value": "10", "unit": "EA"}}
    order = {"number": "4500009001", "location": SITE, "lines": [line]}
    await say(group, thread, "inbound.expected.v1", order, source_id="po-9001", source="sap-2")
    await until_phase(group, thread, "expected")
    assert await buckets(group, "NUT-1", SITE) == {"available": 126, "expected": 10}
    reference = await group.buy(("NUT-1", 1), shop="woo-us")
    await until_phase(group, f"order/{reference}", "checking")

    async def withheld() -> bool:
        kinds = {kind for kind, _, _ in await sent(group)}
        return {"inbound.announce", "order.check"} <= kinds

    await eventually(withheld, what="what would have been sent is journaled")
    assert {state for _, _, state in await sent(group)} == {11}
    assert await group.twin(OLD, "/asns") == []
    assert await group.twin(OLD, "/orders") == []
    told = {x["effect"] for x in await group.twin("sap-2", "/journal")}
    assert told <= {"inbound.fetch", "item.fetch"}
    assert await group.journal("woo-us", "availability.publish") == []
    shown = [
        x for x in await group.journal("shopify-eu", "availability.publish") if x["reference"] == "NUT-1"
    ]
    assert {x["detail"]["available"] for x in shown} <= {"0"}


async def cut_over(group: Group) -> None:
    """Step 4: orders are served from it, and go the whole way."""
    path = group.api.hub.directory / "routing.yaml"
    routing = yaml.safe_load(path.read_text())
    for key in ("parallel", "negative_stock"):
        del routing["nodes"][SITE][key]
    path.write_text(yaml.safe_dump(routing))
    await crossdock(group, "config", "apply")

    await until_shown(group, "NUT-1", 126)
    reference = await group.buy(("NUT-1", 6), shop="woo-us")
    await group.until(reference, "completed")
    assert await buckets(group, "NUT-1", SITE, owner="") == {"available": 120, "expected": 10}
    assert await group.booked(reference, "goods_issue.post", "sap-2") == {"NUT-1": Decimal(6)}
