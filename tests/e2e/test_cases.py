"""Cases as people work with them: looked at, given to somebody, put off, talked about, and closed by what settles them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from e2e.browser import Page, needs_browser
from e2e.running import Answer, Api, eventually
from e2e.trading import Trade


async def message_case(api: Api) -> dict[str, Any]:
    """A case that blocks nothing: a message that no mapping can read."""
    name = f"nonsense-{uuid4().hex[:8]}"
    event = {
        "specversion": "1.0",
        "id": name,
        "source": "cli",
        "type": f"crossdock.logistics.{name}.v1",
        "subject": "order/x/1",
    }
    answer = await api.post("/v1/events", event)
    assert answer.status == 422, answer.body

    async def opened() -> dict[str, Any] | None:
        rows = (await api.get("/v1/cases"))["cases"]
        return next((row for row in rows if name in row["detail"]), None)

    found = await eventually(opened, what="the case is open")
    assert isinstance(found, dict)
    return found


async def act(api: Api, number: int, what: str, body: dict[str, Any], etag: str | None = None) -> Answer:
    """With the ETag of the case as it stands, unless told otherwise."""
    if etag is None:
        etag = (await api.call("GET", f"/v1/cases/{number}")).headers["etag"]
    headers = {"If-Match": etag} if etag else {}
    return await api.call("POST", f"/v1/cases/{number}/{what}", json.dumps(body).encode(), headers=headers)


async def test_a_case_says_what_settles_it(trading: Trade) -> None:
    """Class, cause with its playbook, what it blocks and is worth, when it should be settled."""
    reference = await trading.order(("LMP-1", 1), hold_seconds=0.6)
    await trading.twin("sap-1", "/credit", {"blocked_references": [reference]}, "PUT")
    await trading.until(reference, "held")
    row = next(c for c in (await trading.api.get("/v1/cases", cause="credit"))["cases"])

    case = await trading.api.get(f"/v1/cases/{row['id']}")

    assert (case["class"], case["cause"], case["owner"]) == ("value", "credit", "finance")
    assert "Release the credit" in case["playbook"]
    assert f"order/{reference}" in [x["thread"] for x in case["links"]]
    assert [x["currency"] for x in case["value"]["sums"]] == ["EUR"]
    assert case["due_at"] > case["opened_at"]
    answer = await act(trading.api, row["id"], "resolve", {"reason": "tidying up"})
    assert answer.status == 409
    assert "which is held" in answer.problem["detail"]
    await trading.twin("sap-1", "/credit/release", {"reference": reference}, "POST")
    assert (await trading.api.post(f"/v1/cases/{row['id']}/retry", {"reason": "released"})).status == 202
    await trading.until(reference, "completed")

    async def settled() -> bool:
        links = (await trading.api.get(f"/v1/cases/{row['id']}"))["links"]
        return all(x["closed_at"] for x in links if x["thread"] == f"order/{reference}")

    await eventually(settled, what="nothing of the order is blocked any more")
    assert "retry" in [x["action"] for x in (await trading.api.get(f"/v1/cases/{row['id']}"))["history"]]


async def test_a_change_names_what_it_was_decided_on(api: Api) -> None:
    """Without If-Match 428, with a stale one 412 and nothing done; with the right one it is done and told."""
    number = (await message_case(api))["id"]
    etag = (await api.call("GET", f"/v1/cases/{number}")).headers["etag"]

    assert (await act(api, number, "assign", {"assignee": "ann"}, "")).status == 428
    assert (await act(api, number, "assign", {"assignee": "ann"}, etag)).status == 200
    stale = await act(api, number, "assign", {"assignee": "bob"}, etag)

    assert (stale.status, stale.problem["code"]) == (412, "changed-meanwhile")
    case = await api.get(f"/v1/cases/{number}")
    assert case["assignee"] == "ann"
    assert [x["note"] for x in case["history"]] == ["to ann (integration)"]


async def test_a_snoozed_case_is_out_of_sight(api: Api) -> None:
    """Not in the list of what is open now, still among all; back at once when somebody wakes it."""
    number = (await message_case(api))["id"]
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()

    async def seen(**query: str) -> bool:
        return any(row["id"] == number for row in (await api.get("/v1/cases", **query))["cases"])

    assert (await act(api, number, "snooze", {"until": until, "reason": "Monday"})).status == 200
    assert not await seen(snoozed="without")
    assert await seen(snoozed="only")
    assert await seen()
    assert (await act(api, number, "snooze", {})).status == 200
    assert await seen(snoozed="without")


async def test_a_mere_notice_can_be_closed(api: Api) -> None:
    """Tagged, watched, talked about, closed with a reason; all of it stands in its history."""
    number = (await message_case(api))["id"]

    for what, body in (
        ("tag", {"add": ["edi", "q3"]}), ("tag", {"remove": ["q3"]}), ("watch", {}), ("comment", {"text": "asked them"}),
    ):  # fmt: skip
        assert (await act(api, number, what, body)).status == 200
    assert number in [row["id"] for row in (await api.get("/v1/cases", tag="edi"))["cases"]]
    assert (await act(api, number, "resolve", {"reason": " "})).problem["code"] == "reason-missing"
    closed = (await act(api, number, "resolve", {"reason": "a test of theirs"})).json()

    assert closed["state"] == "closed"
    assert closed["closed_because"].endswith("a test of theirs")
    assert closed["tags"] == ["edi"]
    assert len(closed["watchers"]) == 1
    assert [x["action"] for x in closed["history"]] == ["resolve", "comment", "watch", "tag", "tag"]


async def test_cases_on_the_command_line(api: Api) -> None:
    """Listed, shown, given to somebody and closed; what blocks nothing is exit 0, a word that is no case exit 2."""
    number = (await message_case(api))["id"]
    hub = api.hub

    assert f"C-{number}" in hub.crossdock("cases", "list").stdout
    assert "What to do:" in hub.crossdock("cases", "show", f"C-{number}").stdout
    assert json.loads(hub.crossdock("cases", "show", str(number), "--json").stdout)["number"] == number
    given = hub.crossdock("cases", "assign", f"C-{number}", "--to", "ann", "--reason", "knows EDI")
    assert (given.returncode, given.stdout) == (0, f"C-{number}: assign to ann (integration): knows EDI\n")
    assert hub.crossdock("cases", "list", "--assignee", "nobody-at-all", "--json").stdout == '{"cases": []}\n'
    assert hub.crossdock("cases", "snooze", f"C-{number}").returncode == 0
    assert f"C-{number} " not in hub.crossdock("cases", "list").stdout
    assert hub.crossdock("cases", "resolve", f"C-{number}", "--reason", "a test").returncode == 0
    assert "Closed because:" in hub.crossdock("cases", "show", f"C-{number}").stdout
    assert hub.crossdock("cases", "show", "nonsense").returncode == 2
    assert hub.crossdock("cases", "show", "C-999999").returncode == 1


@needs_browser
@pytest.mark.page
async def test_a_case_is_worked_on_in_the_console(trading: Trade, page: Page) -> None:
    """Its page says what to do; it is given to somebody, put off and closed there, and the list follows its filters."""
    number = (await message_case(trading.api))["id"]
    url = trading.api.hub.url
    await page.open(f"{url}/cases/C-{number}")
    assert "must settle this" in await page.text(".sentence")
    assert "extend the mapping" in await page.text("main")
    assert await page.js("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"

    await page.js("document.querySelector('input[name=assignee]').value = 'ann'")
    await page.js("document.querySelector('input[name=assignee]').form.submit()")
    await page.until("document.querySelector('.sentence')?.innerText.includes('(ann)')", "ann has it")
    await page.js("document.querySelector('select[name=hours]').form.submit()")
    await page.until(
        "document.querySelector('.sentence')?.innerText.includes('Snoozed until')", "it is snoozed"
    )
    await page.open(f"{url}/cases")
    assert await page.js(f"document.getElementById('c-{number}') === null")
    await page.open(f"{url}/cases?snoozed=only&assignee=ann")
    assert "snoozed until" in await page.text(f"#c-{number}")
    assert await page.js("document.documentElement.scrollWidth <= innerWidth"), "the list scrolls sideways"

    await page.js(f"document.querySelector('#c-{number} input[name=n]').checked = true")
    await page.js("document.querySelector('#assign input[name=assignee]').value = 'bob'")
    await page.js("document.getElementById('assign').submit()")
    await page.until(
        "document.querySelector('[role=status]')?.innerText.includes('1 given to bob')", "bob has it"
    )
    assert (await trading.api.get(f"/v1/cases/{number}"))["assignee"] == "bob"

    await page.open(f"{url}/cases/C-{number}")
    await page.js("document.querySelector('input[value=resolve]').form.reason.value = 'a test of ours'")
    await page.js("document.querySelector('input[value=resolve]').form.submit()")
    await page.until(
        "document.querySelector('.sentence')?.innerText.includes('a test of ours')", "it is closed"
    )
