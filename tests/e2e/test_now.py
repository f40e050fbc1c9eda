"""The Now page and its API: what is stuck and where, in one sentence and one row each."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from e2e.browser import Page, needs_browser
from e2e.documents import encoded, next_number, shop_order
from e2e.running import Api, RunningHub, eventually
from e2e.trading import Trade


async def test_what_waits_for_a_target_is_a_flow(api: Api) -> None:
    """An order whose ERP does not answer makes the flow, the failing target and the sentence; its thread is named."""
    order = shop_order()
    await api.deliver("shopify-eu", "webhooks", encoded(order), "orders/create")

    async def stuck() -> Any:
        found = await api.get("/v1/now")
        failing = [t for t in found["targets"] if t["account"] == "sap-1" and t["failing_since"]]
        return found if failing else None

    found = await eventually(stuck, what="the ERP is seen failing")
    [flow] = [f for f in found["flows"] if (f["account"], f["kind"]) == ("sap-1", "order.check")]
    assert found["tone"] == "blocked"
    assert "SAP has been failing since" in found["sentence"]
    assert flow["failing"]
    assert flow["waiting"] >= 1
    assert (await api.call("GET", f"/v1/threads/story/{flow['thread']}")).status == 200
    assert any(w["count"] and w["kind"] == "order" and "SAP" in w["waiting_on"] for w in found["waiting"])


async def test_cases_are_counted_by_owner(api: Api) -> None:
    """What cannot be read is a case of the integration team: its count rises, and the list can be cut to that owner."""

    async def count() -> int:
        owners = (await api.get("/v1/now"))["cases"]
        return sum(o["count"] for o in owners if o["owner"] == "integration")

    before = await count()
    body = encoded(shop_order(line_items=f"none-{next_number()}"))
    await api.deliver("shopify-eu", "webhooks", body, "orders/create")

    async def risen() -> bool:
        return await count() > before

    await eventually(risen, what="the case is counted")


async def test_what_flows_is_counted(trading: Trade) -> None:
    """Events taken in, processed and effects delivered: per second over the last minute, nothing behind at the end."""
    reference = await trading.order(("WID-1", 1))
    await trading.until(reference, "completed")

    async def counted() -> Any:
        found = await trading.api.get("/v1/now")
        rates = {r["name"]: r["per_second"] for r in found["rates"]}
        return found if all(rates.values()) and not found["behind"]["events"] else None

    found = await eventually(counted, what="all three counters moved")
    assert {r["name"] for r in found["rates"]} == {"appended", "processed", "delivered"}
    assert [len(r["minutes"]) for r in found["rates"]] == [30, 30, 30]
    assert found["behind"] == {"events": 0, "oldest": None, "capped": False, "unowned": 0}


async def test_an_empty_hub_says_how_to_begin(start_hub: Callable[..., RunningHub]) -> None:
    """Before the first message: that nothing arrived, that no target fails, and the command that sends a sample."""
    hub = start_hub("quiet")
    async with aiohttp.ClientSession(hub.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as person:
        await person.post("/login", data={"token": hub.token, "after": "/"}, headers={"Origin": hub.url})
        text = await (await person.get("/")).text()
    assert "Nothing has arrived at this hub yet." in text
    assert "crossdock send order.json --source shopify-eu" in text
    assert "nothing waits for a target" in text


@needs_browser
@pytest.mark.page
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1920, True)])
async def test_the_page_follows_a_target_that_fails(
    trading: Trade, page: Page, width: int, dark: bool
) -> None:
    """While the CRM is away the open page comes to say so by itself, its row leads to a story; nothing is cut off."""
    crm = trading.twins.processes["crm"]
    await page.look(width, dark=dark)
    await page.open(trading.api.hub.url + "/")
    assert "CRM has been failing" not in await page.text(".sentence")
    crm.stop()
    try:
        await trading.order(("MUG-1", 1))
        await page.until(
            "document.querySelector('.sentence').innerText.includes('CRM has been failing since')",
            "the sentence names the CRM",
        )
        rows = await page.js("[...document.querySelectorAll('#targets tr')].map(x => x.innerText)")
        assert "failing since" in next(row for row in rows if row.startswith("CRM"))
        assert await page.js("document.documentElement.scrollWidth <= innerWidth"), (
            "the page scrolls sideways"
        )
        await page.js("document.querySelector('[data-live=flows] tbody a').click()")
        await page.until("location.pathname.startsWith('/o/')", "the row leads to a story")
    finally:
        crm.start()

    async def answers() -> bool:
        found = await trading.api.get("/v1/now")
        return not any(t["failing_since"] for t in found["targets"])

    await eventually(answers, what="the CRM answers again")
