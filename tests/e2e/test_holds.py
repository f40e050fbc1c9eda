"""Holding work and pausing targets, as operators do it: over HTTP and on the command line."""

import json
from typing import Any

import pytest

from e2e.browser import Page, needs_browser
from e2e.running import Answer, eventually, rows
from e2e.trading import Trade


async def delete(trading: Trade, number: int, reason: str = "settled", **headers: str) -> Answer:
    body = json.dumps({"reason": reason}).encode()
    return await trading.api.call("DELETE", f"/v1/holds/{number}", body, headers=headers)


def refused(answer: Answer, code: str) -> None:
    assert answer.problem["code"] == code, answer.body


async def waiting(trading: Trade, account: str) -> int:
    sql = "select count(*) from effect where account = $1 and state < 5"
    [[count]] = await rows(trading.api.hub, sql, account)
    return int(count)


def crossdock(trading: Trade, *arguments: str, code: int = 0) -> Any:
    ended = trading.api.hub.crossdock(*arguments, "--json")
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout) if code == 0 else ended.stderr


async def test_a_paused_target_hears_nothing_until_it_is_resumed(trading: Trade) -> None:
    """Paused on the command line: orders wait for it and for nothing else, all surfaces say so; resumed, they are done."""
    made = crossdock(trading, "target", "pause", "sap-1", "--reason", "month end", "--owner", "finance")
    assert made["hold"]["doing"] == "paused"
    assert made["says"].startswith("takes effect within 1 s")
    reference = await trading.order(("WID-1", 1))
    await eventually(lambda: waiting(trading, "sap-1"), what="an effect waits for the paused ERP")

    [target] = [x for x in (await trading.api.get("/v1/now"))["targets"] if x["account"] == "sap-1"]
    assert target["stopped"]["doing"] == "paused"
    assert "is paused" in (await trading.api.get("/v1/now"))["sentence"]
    status = trading.api.hub.crossdock("status")
    assert "sap-1 is paused" in status.stdout
    doctor = trading.api.hub.crossdock("doctor")
    assert "paused" in next(x for x in doctor.stdout.splitlines() if "account sap-1" in x)
    sentence = (await trading.api.get(f"/v1/threads/story/order/{reference}"))["sentence"]
    assert "because month end" in sentence
    again = await trading.api.post("/v1/systems/sap-1/pause", {"reason": "again"})
    refused(again, "already-so")
    assert not [
        x for x in await trading.journal("sap-1", "sales_order.create") if reference in x["reference"]
    ]

    crossdock(trading, "target", "resume", "sap-1", "--reason", "month end is done")
    await trading.until(reference, "completed")
    assert [x for x in await trading.journal("sap-1", "sales_order.create") if reference in x["reference"]]
    actions = await rows(
        trading.api.hub, "select action, reason from operator_action order by at desc limit 2"
    )
    assert {(x["action"], x["reason"]) for x in actions} == {
        ("pause", "month end"), ("lift hold", "month end is done"),
    }  # fmt: skip


async def test_a_drained_target_gets_what_was_wanted_before(trading: Trade) -> None:
    """What is journaled when the drain begins goes out; what comes later waits; then it says drained."""
    crossdock(trading, "target", "pause", "crm", "--reason", "slow")
    before = await trading.order(("WID-1", 1))
    await trading.until(before, "completed")
    [[last]] = await rows(trading.api.hub, "select max(seq) from effect where account = 'crm'")
    wanted = await waiting(trading, "crm")
    assert wanted > 2
    made = (await trading.api.post("/v1/systems/crm/drain", {"reason": "upgrade tonight"})).json()["hold"]
    assert made["mode"] == "drain"
    after = await trading.order(("WID-1", 1))
    await trading.until(after, "completed")

    async def drained() -> bool:
        found = (await trading.api.get("/v1/holds"))["holds"]
        return bool(found[-1]["doing"] == "drained")

    await eventually(drained, what="all that was wanted before is told")
    sql = "select seq from effect where account = 'crm' and state < 5 order by seq"
    left = [x["seq"] for x in await rows(trading.api.hub, sql)]
    assert left
    assert min(left) > last
    assert (await trading.api.post("/v1/systems/crm/resume", {"reason": "upgraded"})).status == 200
    await eventually(lambda: _none_waits(trading), what="the CRM has heard of everything")


async def _none_waits(trading: Trade) -> bool:
    return not await waiting(trading, "crm")


async def test_a_hold_is_changed_only_as_it_was_read(trading: Trade) -> None:
    """Lifting with another ETag than the hold's is refused; with its own it is lifted, once."""
    made = await trading.api.post(
        "/v1/holds", {"scope": "key", "name": "order/x/1", "reason": "look", "for_seconds": 900}
    )
    number = made.json()["hold"]["id"]
    assert made.headers["location"] == f"/v1/holds/{number}"
    tag = (await trading.api.call("GET", f"/v1/holds/{number}")).headers["etag"]
    assert tag == made.headers["etag"]

    refused(await delete(trading, number, **{"If-Match": '"7"'}), "changed-meanwhile")
    assert (await delete(trading, number, **{"If-Match": tag})).status == 200
    refused(await delete(trading, number), "already-so")
    assert (await trading.api.call("GET", f"/v1/holds/{number}")).status == 404
    ended = (await trading.api.get("/v1/holds", ended="true"))["holds"]
    assert ended[0]["id"] == number
    assert ended[0]["ended_because"] == "settled"


async def test_what_can_hold_nothing_is_refused(trading: Trade) -> None:
    """Each with a sentence that says what to send instead."""
    for body, code in (
        ({"scope": "target", "name": "nobody", "reason": "x"}, "not-found"),
        ({"scope": "target", "name": "sap-1", "kind": "no.such", "reason": "x"}, "bad-hold"),
        ({"scope": "key", "name": " ", "reason": "x"}, "bad-hold"),
        ({"scope": "key", "name": "order/x/1", "reason": " "}, "reason-missing"),
        ({"scope": "key", "name": "order/x/1", "reason": "x", "for_seconds": 0}, "bad-hold"),
        ({"scope": "key", "name": "order/x/1", "reason": "x", "until": "2020-01-01T00:00:00Z"}, "bad-hold"),
        ({"scope": "weather", "name": "rain", "reason": "x"}, "bad-hold"),
    ):
        refused(await trading.api.post("/v1/holds", body), code)
    refused(await trading.api.post("/v1/systems/nobody/pause", {"reason": "x"}), "not-found")
    refused(await trading.api.post("/v1/systems/sap-1/resume", {"reason": "x"}), "already-so")
    assert "one of --key" in crossdock(trading, "hold", "place", "--reason", "x", code=2)
    assert "no time" in crossdock(
        trading, "hold", "place", "--key", "k", "--for", "soon", "--reason", "x", code=2
    )


async def test_holds_on_the_command_line(trading: Trade) -> None:
    """Placed, listed and lifted, in words that can be read at night."""
    hub = trading.api.hub
    placed = hub.crossdock(
        "hold", "place", "--target", "sap-1", "--kind", "invoice.release", "--reason", "prices are wrong", "--for", "2h",
        "--owner", "finance",
    )  # fmt: skip
    assert placed.returncode == 0, placed.stderr
    assert "held: requests to release the invoice, at SAP; 0 waiting" in placed.stdout
    assert "for finance, since" in placed.stdout
    assert "Takes effect within 1 s" in placed.stderr
    number = placed.stdout.split()[0]
    assert hub.crossdock("hold", "list").stdout.split()[0] == number
    lifted = hub.crossdock("hold", "lift", number, "--reason", "prices are right")
    assert lifted.returncode == 0, lifted.stderr
    assert hub.crossdock("hold", "list").stdout == ""
    assert "prices are right" in hub.crossdock("hold", "list", "--ended").stdout


async def test_the_systems_as_a_list(trading: Trade) -> None:
    """Each with what waits and what it allows; a shop's hold stands at the shop."""
    made = await trading.api.post(
        "/v1/holds", {"scope": "system", "name": "shopify-eu", "reason": "fraud wave", "for_seconds": 9000}
    )
    number = made.json()["hold"]["id"]
    found = {x["name"]: x for x in (await trading.api.get("/v1/systems"))["systems"]}
    assert set(found) == set(trading.api.hub.configured.landscape.systems)
    assert found["sap-1"]["stands"] == "answers"
    assert found["sap-1"]["allowed"]["concurrency"] > 0
    assert found["sap-1"]["last_success_at"]
    assert [x["id"] for x in found["shopify-eu"]["holds"]] == [number]
    text = trading.api.hub.crossdock("target", "list").stdout
    assert f"hold {number} by operator: fraud wave" in text
    assert (await delete(trading, number)).status == 200


@needs_browser
@pytest.mark.page
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1920, True)])
async def test_a_system_is_paused_and_resumed_on_its_page(
    trading: Trade, page: Page, width: int, dark: bool
) -> None:
    """The form says what it will do; afterwards the first sentence says who paused it and why; nothing is cut off."""
    await page.look(width, dark=dark)
    await page.open(f"{trading.api.hub.url}/systems")
    assert "nothing is held" in await page.text(".sentence")
    form = "document.querySelector('form[action=\"/systems/ups-1/{}\"]')"
    pause = form.format("pause")
    await page.js(f"{pause}.closest('details').open = true")
    assert "Calls that have begun end" in await page.js(f"{pause}.innerText")
    await page.js(f"{pause}.elements.reason.value = 'strike at the depot'; {pause}.requestSubmit()")
    await page.until(
        "(document.querySelector('.sentence')?.innerText ?? '').includes('strike at the depot')",
        "it is paused",
    )
    assert await page.js("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    resume = form.format("resume")
    await page.js(f"{resume}.elements.reason.value = 'they drive again'; {resume}.requestSubmit()")
    await page.until(
        "(document.querySelector('.sentence')?.innerText ?? '').includes('nothing is held')", "it goes on"
    )


@needs_browser
@pytest.mark.page
async def test_a_hold_is_placed_and_lifted_on_the_page(trading: Trade, page: Page) -> None:
    """Placed by a form, it is listed with its reason and its lift says what goes on; lifted, it stands under what ended."""
    await page.open(f"{trading.api.hub.url}/systems")
    form = "document.querySelector('form[action=\"/holds\"]')"
    await page.js(f"{form}.elements.name.value = 'order/shopify-eu/77'; {form}.elements.hours.value = '2'")
    await page.js(f"{form}.elements.reason.value = 'address is wrong'; {form}.requestSubmit()")
    await page.until(
        "(document.querySelector('[data-live=holds]')?.innerText ?? '').includes('address is wrong')",
        "it is held",
    )
    lift = "document.querySelector('form[action$=\"/lift\"]')"
    assert "oldest first" in await page.js(f"{lift}.querySelector('.will').textContent")
    await page.js(f"{lift}.elements.reason.value = 'address was corrected'; {lift}.requestSubmit()")
    await page.until(
        "(document.querySelector('main')?.innerText ?? '').includes('address was corrected')", "it is lifted"
    )
