"""The console's page of gates: what waits for what, from whom, since when and worth what."""

import pytest

from e2e.browser import Page, needs_browser
from e2e.trading import Trade


@needs_browser
@pytest.mark.page
async def test_what_waits_is_on_the_page(trading: Trade, page: Page) -> None:
    """An order that waits for its credit release, with its worth and a way to its story; by one gate, or by one that is empty."""
    reference = await trading.order(("LMP-1", 1), hold_seconds=0.6)
    await trading.twin("sap-1", "/credit", {"blocked_references": [reference]}, "PUT")
    await trading.until(reference, "held")

    await page.open(f"{trading.api.hub.url}/gates?gate=order.release")

    assert "waits for a fact" in await page.text(".sentence") or "wait for a fact" in await page.text(
        ".sentence"
    )
    row = f"[...document.querySelectorAll('main tbody tr')].find(r => r.querySelector('a').href.includes('{reference.replace('/', '%2F')}') || r.querySelector('a').href.includes('{reference}'))"
    told = await page.js(f"({row}).textContent")
    assert "credit release" in told
    assert "EUR" in told
    assert await page.js("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    await page.open(f"{trading.api.hub.url}/gates")
    assert "waiting" in await page.text("main h2")
    await page.open(f"{trading.api.hub.url}/gates?gate=freight.adjust")
    assert "Nothing stands before this gate" in await page.text(".sentence")

    await trading.twin("sap-1", "/credit/release", {"reference": reference}, "POST")
    await trading.until(reference, "completed")


async def test_only_gates_of_the_table_are_asked_for(trading: Trade) -> None:
    """Without a session the form comes first; the API names the gates there are, and an order's worth."""
    answer = await trading.api.call("GET", "/gates", anonymous=True)
    assert answer.status == 303
    refused = await trading.api.call("GET", "/v1/gates", gate="door")
    assert (refused.status, refused.problem["code"]) == (400, "bad-query")
