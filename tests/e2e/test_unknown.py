"""Outcomes that nobody knows: what was sent and what look-ups said; a person says that it was done, or has it sent again."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from e2e.browser import Page, needs_browser
from e2e.running import Api, eventually
from e2e.trading import Trade

GOODS_ISSUE, ACCRUAL = "goods_issue.post", "freight.accrue"
FEW_PROBES_SECONDS = 180.0
"""A dead ERP is probed every fifteen seconds, and every effect that waits for it has its turn."""


async def unknown_of(api: Api, reference: str, kind: str) -> dict[str, Any] | None:
    """The effect of this kind of the order or of a shipment of it."""
    story = await api.get(f"/v1/threads/story/order/{reference}")
    threads = {f"order/{reference}", *(x["thread"] for x in story["linked"])}
    rows = (await api.get("/v1/effects", outcome="unknown"))["effects"]
    return next((x for x in rows if x["thread"] in threads and x["kind"] == kind), None)


async def posted(trading: Trade, kind: str, object_: str) -> list[dict[str, Any]]:
    """By the ERP's own books."""
    return [x for x in await trading.journal("sap-1", kind) if object_ in str(x)]


@asynccontextmanager
async def silent_erp(trading: Trade, kind: str = GOODS_ISSUE) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The ERP does what it is asked, says nothing, and cannot be asked: (order, the effect nobody knows the outcome of)."""
    reference = await trading.order(("WID-1", 1))
    await trading.until(reference, "released", "picking", "packed", "shipping", "shipped")
    await trading.twin("sap-1", "/quirks", {"answer_lost": 1.0}, "PUT")

    async def lost() -> dict[str, Any] | None:
        return await unknown_of(trading.api, reference, kind)

    await eventually(lost, what=f"the answer to {kind} is lost", seconds=30)
    books = await trading.journal("sap-1", kind)
    sap = trading.twins.processes["sap-1"]
    sap.kill()  # whoever cannot be reached cannot be asked; it comes back with its books

    async def asked() -> dict[str, Any] | None:
        found = await lost()
        tried = found is not None and any(x["purpose"] == "look_up" for x in found["tries"])
        return found if tried or kind == ACCRUAL else None  # what is less urgent may wait for a breaker

    async def back() -> bool:
        try:
            return bool(await trading.twin("sap-1", "/health"))
        except aiohttp.ClientError:
            return False

    try:
        found = await eventually(asked, what="a look-up was tried", seconds=FEW_PROBES_SECONDS)
        found["booked"] = [x for x in books if found["object"] in str(x)]
        yield reference, found
    finally:
        sap.start()
        await eventually(back, what="the ERP is back")
        await trading.twin("sap-1", "/quirks", {"answer_lost": 0.0}, "PUT")


async def decide(
    api: Api, effect: str, what: str, token: str = "", **body: Any
) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    path = f"/v1/effects/{effect}/{what}"
    answer = await api.call("POST", path, json.dumps(body).encode(), headers=headers, anonymous=bool(token))
    return answer.status, answer.json()


async def test_a_person_says_that_it_was_posted(trading: Trade) -> None:
    """What was sent and asked is told; with document and amount the shipment goes on as if the ERP had answered."""
    async with silent_erp(trading, ACCRUAL) as (reference, found):
        assert (found["called"], found["attempts"], found["looking"]) == ("SAP", 1, True)
        assert found["tries"][0]["purpose"] == "send"
        assert found["asks"] == ["amount"]
        [booked] = found["booked"]
        effect, document = found["effect"], booked["key"]
        for body, status, code in (
            ({"document": "", "reason": "x"}, 400, "bad-query"),
            ({"document": document}, 400, "reason-missing"),
            ({"document": document, "reason": "seen"}, 422, "receipt-incomplete"),
        ):
            answered = await decide(trading.api, effect, "mark-posted", **body)
            assert (answered[0], answered[1]["code"]) == (status, code)

        ended = trading.api.hub.crossdock(
            "effects", "mark-posted", effect, "--document", document, "--reason", "seen in FB03",
            "--receipt", json.dumps({"amount": f"EUR {booked['detail']['amount']}"}),
        )  # fmt: skip

        assert (ended.returncode, ended.stdout) == (0, f"{effect}: posted\n"), ended.stderr
        assert await unknown_of(trading.api, reference, ACCRUAL) is None
        again = await decide(
            trading.api, effect, "mark-posted", document="1", reason="r", receipt={"amount": "EUR 1.00"}
        )
        assert (again[0], again[1]["code"]) == (409, "already-known")
    await trading.until(reference, "completed")

    told = [x["text"] for x in (await trading.api.get(f"/v1/threads/story/{found['thread']}"))["timeline"]]
    assert any(f"document {document}: seen in FB03" in x for x in told), told
    assert any("accrued" in x and document in x for x in told), told
    assert len(await posted(trading, ACCRUAL, found["object"])) == 1


async def test_posting_again_needs_two_people(trading: Trade) -> None:
    """Whoever asks cannot confirm; another person can, and the ERP's books still hold one goods issue."""
    made = trading.api.hub.crossdock("token", "create", "bob", "--scope", "operator", "--json")
    bob = json.loads(made.stdout)["token"]

    async def known() -> bool:
        headers = {"Authorization": f"Bearer {bob}"}
        return (await trading.api.call("GET", "/v1/now", anonymous=True, headers=headers)).status == 200

    await eventually(known, what="the hub knows bob")
    async with silent_erp(trading) as (reference, found):
        effect = found["effect"]
        assert [x["purpose"] for x in found["tries"]][:2] == ["send", "look_up"]
        assert found["worth"]["currency"] == "EUR"
        assert await decide(trading.api, effect, "post-now", reason="not in SAP") == (
            202, {"effect": effect, "state": "asked"},
        )  # fmt: skip
        status, problem = await decide(trading.api, effect, "post-now", reason="sure")
        assert (status, problem["code"]) == (403, "two-people")
        shown = trading.api.hub.crossdock("effects", "unknown").stdout
        assert "asked to post it now (not in SAP)" in shown
        assert effect in shown
        assert trading.api.hub.crossdock("effects", "post-now", effect, "--reason", "sure").returncode == 4

        assert (await decide(trading.api, effect, "post-now", bob, reason="looked too"))[0] == 202
    await trading.until(reference, "completed")

    assert len(await posted(trading, GOODS_ISSUE, reference)) == 1
    story = await trading.api.get(f"/v1/threads/story/order/{reference}")
    assert any("bob had" in x["text"] and "asked: looked too" in x["text"] for x in story["timeline"])


@needs_browser
@pytest.mark.page
async def test_a_person_decides_in_the_console(trading: Trade, page: Page) -> None:
    """The page says what was sent, what look-ups said and what each button would do; looking again is safe."""
    async with silent_erp(trading) as (reference, found):
        await page.open(f"{trading.api.hub.url}/unknown")
        assert "may or may not have been done" in await page.text(".sentence")
        assert "looked up" in await page.text("main table")
        assert await page.js("document.documentElement.scrollWidth <= innerWidth"), (
            "the page scrolls sideways"
        )
        form = f'document.querySelector(\'form[action="/unknown/{found["effect"]}"] input[value="look-up"]\').form'
        await page.js(f"{form}.submit()")
        await page.until(
            "document.querySelector('[role=status]')?.innerText.includes('asked now')", "it is asked"
        )
    await trading.until(reference, "completed")


async def test_looking_again_finds_what_was_done(trading: Trade) -> None:
    """As soon as the ERP can be asked; what a thread waits for cannot be given up."""
    async with silent_erp(trading) as (reference, found):
        status, problem = await decide(trading.api, found["effect"], "give-up", reason="never mind")
        assert (status, problem["code"]) == (409, "waited-for")
    assert (await decide(trading.api, found["effect"], "look-up"))[0] in (202, 409)
    await trading.until(reference, "completed")
    assert (await decide(trading.api, "no-effect", "look-up"))[0] == 404
