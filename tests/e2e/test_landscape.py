"""`config diff`, `plan`, `apply`: a running hub takes another landscape without losing work, or goes back and says why."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from e2e.documents import encoded, shop_order
from e2e.running import Api, RunningHub, eventually, rows

Ended = subprocess.CompletedProcess[str]
TAKEN_SECONDS = 150.0


@pytest.fixture(scope="module")
def changing(start_hub: Callable[..., RunningHub]) -> RunningHub:
    """A hub whose landscape these tests change; nobody answers at its systems' addresses."""
    return start_hub("changing")


@pytest.fixture(autouse=True)
def directory(changing: RunningHub) -> Iterator[Path]:
    """The landscape directory; what a test left in it is undone, so that it says what the hub runs with."""
    kept = {path: path.read_text() for path in changing.directory.rglob("*.yaml")}
    before = version(changing)
    yield changing.directory
    if version(changing) == before:
        for path in changing.directory.rglob("*.yaml"):
            if path not in kept:
                path.unlink()
        for path, text in kept.items():
            path.write_text(text)
    assert changing.crossdock("config", "diff").returncode == 0


@pytest.fixture
async def caller(changing: RunningHub) -> AsyncIterator[Api]:
    """A connection of its own for each request, as a load balancer would make when one ended."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Api(changing, session)


def status(hub: RunningHub) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((hub.directory / ".crossdock" / "status.json").read_text())
    return found


def version(hub: RunningHub) -> int:
    return int(status(hub)["landscape"])


def edit(path: Path, **changes: Any) -> None:
    """Set fields of a YAML file; a dotted name leads below, None takes away."""
    document = yaml.safe_load(path.read_text())
    for dotted, value in changes.items():
        *above, last = dotted.split("__")
        place = document
        for name in above:
            place = place.setdefault(name, {})
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    path.write_text(yaml.safe_dump(document))


def apply(hub: RunningHub, *options: str) -> tuple[int, dict[str, Any]]:
    ended = hub.crossdock("config", "apply", "--json", *options, seconds=TAKEN_SECONDS)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


async def ordered(caller: Api) -> str:
    """An order of the shop, which the hub took; its thread."""
    order = shop_order()
    answer = await caller.deliver("shopify-eu", "webhooks", encoded(order), "orders/create")
    assert answer.status == 202, answer.body
    return f"order/shopify-eu/{order['id']}"


def planned(hub: RunningHub) -> tuple[int, dict[str, Any]]:
    ended = hub.crossdock("config", "plan", "--json")
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def test_nothing_differs_after_a_start(changing: RunningHub) -> None:
    """`up` records what it starts with; `diff` says so and exits 0."""
    ended = changing.crossdock("config", "diff")

    assert (ended.returncode, ended.stdout) == (0, "")
    assert "The hub runs with what stands in" in ended.stderr


def test_diff_names_file_field_and_both_values(changing: RunningHub, directory: Path) -> None:
    """Exit 1, a line for people, the same as JSON; a secret is its reference."""
    edit(directory / "systems" / "crm.yaml", rate_per_second=50, secrets__secret="${env:CRM_SECRET}")
    ended = changing.crossdock("config", "diff")
    told = json.loads(changing.crossdock("config", "diff", "--json").stdout)

    assert ended.returncode == 1
    assert "systems/crm.yaml: rate_per_second: 200.0 → 50\n" in ended.stdout
    assert told["equal"] is False
    assert told["changes"][1] == {
        "file": "systems/crm.yaml", "path": "secrets.secret", "old": "${file:secrets/crm.secret}", "new": "${env:CRM_SECRET}",
    }  # fmt: skip


def test_diff_without_a_hub_is_trouble(tmp_path: Path, changing: RunningHub) -> None:
    """Exit 2, and what to do."""
    stranger = RunningHub(tmp_path / "none", "", changing.process)
    (tmp_path / "none" / "systems").mkdir(parents=True)
    for path in changing.directory.rglob("*.yaml"):
        (stranger.directory / path.relative_to(changing.directory)).write_text(path.read_text())
    ended = stranger.crossdock("config", "diff")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "crossdock up" in ended.stderr


def test_a_budget_restarts_delivery_only(changing: RunningHub, directory: Path) -> None:
    """The plan says so and changes nothing; apply does just that, and keeps who, why and what."""
    edit(directory / "systems" / "crm.yaml", rate_per_second=50)
    before = status(changing)
    code, plan = planned(changing)
    assert (code, plan["plan"]["restarts"], version(changing)) == (0, ["delivery"], before["landscape"])

    code, told = apply(changing, "--reason", "the CRM asked for it")

    after = status(changing)
    assert (code, told["applied"], after["landscape"]) == (0, True, told["landscape"])
    moved = {name for name, pid in after["pids"].items() if before["pids"][name] != pid}
    assert moved == {"delivery-0"}
    found = asyncio.run(
        rows(changing, "select target, reason, detail from operator_action order by id desc limit 1")
    )
    assert (found[0]["target"], found[0]["reason"]) == (
        f"landscape {told['landscape']}",
        "the CRM asked for it",
    )
    assert json.loads(found[0]["detail"]) == {"changed": ["systems/crm.yaml: rate_per_second"]}


async def test_senders_are_answered_while_every_process_starts_anew(
    changing: RunningHub, caller: Api, directory: Path
) -> None:
    """No request is refused, every order of meanwhile is processed, and the new rules decide."""
    earlier = await ordered(caller)
    await eventually(lambda: caller.phase(earlier), what="an order waits for the ERP's check")
    edit(directory / "hub.yaml", policy__erp_check="beside")
    before = status(changing)["pids"]
    applying = asyncio.create_task(asyncio.to_thread(apply, changing))
    sent = []
    while not applying.done():
        sent.append(await ordered(caller))
    code, told = applying.result()

    assert (code, told["plan"]["restarts"]) == (0, ["worker", "delivery", "api"])
    after = status(changing)["pids"]
    assert {name for name in before if before[name] == after[name]} == {"supervisor", "postgres"}
    for thread in sent:
        await eventually(lambda thread=thread: caller.phase(thread), what=f"{thread} is processed")
    beside = await ordered(caller)

    async def held() -> bool:
        return await caller.phase(beside) == "held"

    await eventually(held, what="an order goes on beside the ERP's check")
    assert await caller.phase(earlier) == "checking"


async def test_a_process_that_dies_comes_back_on_the_applied_landscape(
    changing: RunningHub, caller: Api, directory: Path
) -> None:
    """What stands in the directory meanwhile, here nonsense, does not matter."""
    text = (directory / "hub.yaml").read_text()
    (directory / "hub.yaml").write_text("roles: {erp: nobody}\n")
    old = status(changing)["pids"]
    for role in ("api-0", "worker-0", "delivery-0"):
        os.kill(old[role], signal.SIGKILL)

    async def back() -> bool:
        pids = status(changing)["pids"]
        return all(pids.get(role) != old[role] for role in ("api-0", "worker-0", "delivery-0"))

    await eventually(back, what="all were started again")

    async def ready() -> bool:
        return (await caller.call("GET", "/health/ready")).status == 200

    await eventually(ready, what="the hub is ready")
    (directory / "hub.yaml").write_text(text)


async def test_processes_that_do_not_get_ready_are_taken_back(
    changing: RunningHub, caller: Api, directory: Path
) -> None:
    """A lease that is over before it is written: right for lint, and no worker can hold a partition."""
    before = status(changing)
    edit(directory / "hub.yaml", settings__lease_seconds=1e-9)
    ended = await asyncio.to_thread(changing.crossdock, "config", "apply", seconds=TAKEN_SECONDS)

    assert ended.returncode == 1
    assert "worker-0 was not ready" in ended.stderr
    assert f"The hub runs with landscape {before['landscape']}." in ended.stderr
    assert version(changing) == before["landscape"]
    assert (await caller.call("GET", "/health/ready")).status == 200
    assert status(changing)["pids"]["api-0"] == before["pids"]["api-0"]
    found = await rows(
        changing, "select state, failed_because from landscape_version order by number desc limit 1"
    )
    assert (found[0]["state"], "worker-0" in found[0]["failed_because"]) == ("failed", True)
    assert changing.crossdock("config", "diff").returncode == 1


async def test_a_system_with_open_effects_stays(changing: RunningHub, caller: Api, directory: Path) -> None:
    """Refused with their number and the remedy; the remedy, taking it out of the roles first, works."""
    await ordered(caller)
    count = "select count(*) as open from effect where account = 'sap-1' and state < 5"

    async def open_effects() -> int:
        return int((await rows(changing, count))[0]["open"])

    await eventually(open_effects, what="an effect waits for the ERP")
    old, new = (directory / "systems" / f"sap-{n}.yaml" for n in (1, 2))
    new.write_text(old.read_text().replace("name: sap-1", "name: sap-2"))
    text, before = old.read_text(), version(changing)
    edit(directory / "hub.yaml", roles__erp="sap-2", roles__follow=["sap-2", "crm", "portal"])
    old.unlink()
    code, told = await asyncio.to_thread(apply, changing)

    assert (code, version(changing)) == (4, before)
    assert told["plan"]["systems_come"] == ["sap-2"]
    departure = told["plan"]["systems_go"][0]
    assert departure["system"] == "sap-1"
    assert departure["open_effects"] == await open_effects() > 0
    assert departure["open_threads"] > 0
    assert f"sap-1 would go while {departure['open_effects']} effects are open" in told["plan"]["refused"][0]
    assert "take it out of roles and routing" in told["plan"]["refused"][0]

    old.write_text(text)
    code, told = await asyncio.to_thread(apply, changing)
    assert (code, told["applied"], told["plan"]["systems_go"]) == (0, True, [])
    assert {x["path"] for x in told["plan"]["rules"]} == {"roles.erp", "roles.follow"}


def test_an_address_counts_from_a_start(changing: RunningHub, directory: Path) -> None:
    """Refused while the hub runs, with what to do."""
    edit(directory / "hub.yaml", settings__bind="127.0.0.2")
    ended = changing.crossdock("config", "plan")

    assert ended.returncode == 4
    assert "settings.bind counts from a start only: `crossdock down`" in ended.stdout


def test_what_lint_refuses_is_not_applied(changing: RunningHub, directory: Path) -> None:
    """Exit 1 with lint's own words; nothing is recorded."""
    edit(directory / "systems" / "crm.yaml", secrets__secret="${env:NOT_SET_ANYWHERE}")
    before = version(changing)
    code, told = apply(changing)

    assert (code, told["ok"], told["plan"], version(changing)) == (1, False, None, before)
    assert "NOT_SET_ANYWHERE is not set" in told["findings"][0]["problem"]


def test_a_routing_case_that_fails_stops_it(changing: RunningHub, directory: Path) -> None:
    """The company's own cases are asked before the database is."""
    cases = directory / "tests" / "routing" / "wrong.yaml"
    cases.parent.mkdir(parents=True)
    cases.write_text("- name: goes elsewhere\n  order: {country: DE}\n  expect: {erp: elsewhere}\n")
    edit(directory / "systems" / "crm.yaml", burst=7)
    ended = changing.crossdock("config", "apply")

    assert ended.returncode == 1
    assert "FAILED: wrong.yaml: goes elsewhere" in ended.stdout


async def test_a_subscription_and_a_worker_more(changing: RunningHub, directory: Path) -> None:
    """The plan says from where it is followed; afterwards the hub follows it, with two workers."""
    (directory / "subscriptions").mkdir()
    (directory / "secrets" / "bi.secret").write_text("whsec_" + "c2VjcmV0" * 4)
    (directory / "subscriptions" / "bi.yaml").write_text(
        "name: bi\nurl: http://127.0.0.1:9/\nallow_private: true\nfields: [subject]\nsecret: ${file:secrets/bi.secret}\n"
    )
    edit(directory / "hub.yaml", settings__workers=2)
    code, told = await asyncio.to_thread(apply, changing)

    assert code == 0, told
    assert told["plan"]["subscriptions_begin"] == [{"subscription": "bi", "from": "now"}]
    assert told["plan"]["restarts"] == ["delivery"]
    assert {"worker-0", "worker-1"} <= status(changing)["pids"].keys()

    async def followed() -> bool:
        return bool(await rows(changing, "select from subscription where name = 'bi'"))

    await eventually(followed, what="the subscription is followed")
    (directory / "subscriptions" / "bi.yaml").unlink()
    edit(directory / "hub.yaml", settings__workers=1)
    code, told = await asyncio.to_thread(apply, changing)
    assert (code, told["plan"]["subscriptions_end"]) == (0, ["bi"])
    assert "worker-1" not in status(changing)["pids"]


async def test_a_channel_is_held_and_let_go(changing: RunningHub, directory: Path, caller: Api) -> None:
    """What it was told before is told as 0 once the hold is taken, though nothing moved, and as it is once it is gone."""
    event = {
        "specversion": "1.0", "id": "held-1", "source": "wms-1", "type": "crossdock.logistics.stock.received.v1",
        "subject": "stock/SITE1/HELD-1",
        "data": {"place": {"item": "HELD-1", "location": "SITE1"}, "quantity": {"value": "5", "unit": "EA"}},
    }  # fmt: skip
    assert (await caller.post("/v1/events", event)).status == 202

    async def told(number: str) -> None:
        async def look() -> bool:
            found = await rows(
                changing, "select shown ->> 'shopify-eu' as told from stock_balance where item = 'HELD-1'"
            )
            return [row["told"] for row in found] == [number]

        await eventually(look, what=f"the channel is told {number}")

    await told("5")
    for held, number in ((["shopify-eu"], "0"), (None, "5")):
        edit(directory / "hub.yaml", policy__channels_held=held)
        code, said = apply(changing)
        assert code == 0, said
        await told(number)
    waiting = await rows(
        changing, "select state from effect where kind = 'availability.publish' and object like 'HELD-1#%' order by seq"
    )  # fmt: skip
    assert len(waiting) == 3
