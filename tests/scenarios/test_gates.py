"""What stands before a gate is told with what is missing, who owes it and since when: in the story, the list, the command, the page."""

import json
from typing import Any

from e2e.running import eventually
from scenarios.group import Group


async def before(group: Group, gate: str, thread: str) -> dict[str, dict[str, Any]]:
    """What is missing → how the list names this thread before the gate."""
    found = (await group.api.get("/v1/gates", gate=gate))["gates"]
    waits = [y for x in found for y in x["waits"]]
    return {y["what"]: y | {"mine": z} for y in waits for z in y["threads"] if z["thread"] == thread}


async def page(group: Group, path: str) -> str:
    """As somebody who is logged in sees it."""
    hub = group.api.hub
    form = {
        "Origin": hub.url,
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-For": "203.0.113.9",
    }
    answer = await group.api.call(
        "POST", "/login", f"token={hub.token}".encode(), headers=form, anonymous=True
    )
    cookie = answer.headers["set-cookie"].partition(";")[0]
    shown = await group.api.call("GET", path, headers={"Cookie": cookie}, anonymous=True)
    assert shown.status == 200
    return shown.body.decode()


async def test_an_invoice_waits_for_the_goods_issue_in_sight(group: Group) -> None:
    """The ERP posts nothing: the invoice waits for it since the truck left; once it has posted, nothing waits."""
    async with group.quirks("sap-1", period_closed=1.0):
        reference = await group.buy(("WID-1", 1))
        thread = f"order/{reference}"
        case = await group.until_case(thread, "period closed")
        story = await group.story(thread)
        [invoice] = [x for x in story["waiting"] if x["gate"] == "invoice.release"]
        departed = next(x["at"] for x in story["milestones"] if x["name"] == "departed")
        assert invoice["text"].startswith("Invoice waits for goods issue from SAP")
        assert invoice["since"] == departed
        assert invoice["missing"][0] == {
            "fact": "goods issue", "what": "goods issue", "owed_by": "sap-1", "called": "SAP (sap-1)",
        }  # fmt: skip

        listed = (await before(group, "invoice.release", thread))["goods issue"]
        assert (listed["owed_by"], listed["mine"]["since"]) == ("sap-1", departed)
        said = group.api.hub.crossdock("gates", "--gate", "invoice.release")
        assert said.returncode == 0, said.stderr
        assert "for goods issue from SAP (sap-1), the oldest since" in said.stdout
        assert thread in said.stdout
        shown = await page(group, f"/o/{thread}")
        assert "<h2>Waiting</h2>" in shown
        assert "Invoice waits for goods issue from SAP" in shown
        assert 'name="posting_on" type="date"' in await page(group, f"/cases/C-{case['number']}")
        told = group.api.hub.crossdock("trace", thread)
        assert "◆ Invoice waits for goods issue from SAP" in told.stdout

    await group.retry(case)
    await group.until(reference, "completed")
    assert (await group.story(thread))["waiting"] == []
    assert await before(group, "invoice.release", thread) == {}


async def test_what_no_carrier_labels_stands_before_its_gates(group: Group) -> None:
    """A parcel without a label: its order's goods issue and fulfilment wait for the departure."""
    async with group.quirks("ups-1", unavailable=1.0):
        reference = await group.buy(("WID-1", 1))
        thread = f"order/{reference}"
        await group.until_shipments(reference, 1)

        async def waits() -> bool:
            return "departure" in await before(group, "goods_issue.post", thread)

        await eventually(waits, what="the goods issue waits for the departure")
        assert "departure" in await before(group, "order.fulfil", thread)
        gates = {x["gate"] for x in (await group.story(thread))["waiting"]}
        assert gates == {"goods_issue.post", "order.fulfil"}
    await group.until(reference, "completed")


async def test_an_order_that_is_held_stands_before_its_release(group: Group) -> None:
    """A hold by name, as a company's own process places it, is in the same list, and gone with its release."""
    async with group.quirks("sap-1", unavailable=1.0):
        reference = await group.buy(("WID-1", 1))
        thread = f"order/{reference}"
        held = {"hold": "fraud", "reason": "it looks odd", "by": "acme"}
        event = {
            "specversion": "1.0", "id": f"hold-{reference}", "source": "acme", "type": "crossdock.logistics.order.held.v1",
            "subject": thread, "data": held,
        }  # fmt: skip
        assert (await group.api.post("/v1/events", event)).status == 202
        case = await group.until_case(thread, "fraud")
    await group.until(reference, "held")

    assert set(await before(group, "order.release", thread)) == {"release of the hold: fraud"}
    [waits] = (await group.story(thread))["waiting"]
    assert (
        waits["text"] == "Release to the warehouse waits for release of the hold: fraud from customer service"
    )
    await group.retry(case)
    await group.until(reference, "completed")


async def test_the_list_says_when_nothing_waits_and_knows_its_gates(group: Group) -> None:
    """An empty list is an answer; a name that is none is refused with those there are."""
    gate = "supplier_invoice.release"
    said = group.api.hub.crossdock("gates", "--gate", gate)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", f"Nothing stands before {gate}.\n")
    assert json.loads(group.api.hub.crossdock("gates", "--gate", gate, "--json").stdout)["gates"] == []

    answer = await group.api.call("GET", "/v1/gates", gate="heaven")
    assert (answer.status, answer.problem["type"].rpartition("/")[2]) == (400, "bad-query")
    assert "invoice.release" in answer.problem["detail"]
    wrong = group.api.hub.crossdock("gates", "--gate", "heaven")
    assert wrong.returncode == 2
    assert "invoice.release" in wrong.stderr
