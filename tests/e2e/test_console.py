"""The console as its users meet it: logging in, looking, acting; and its pages in a real browser."""

import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from e2e.browser import Page, needs_browser
from e2e.running import RunningHub, eventually
from e2e.trading import Trade

NASTY = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
async def person(hub: RunningHub) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody with a cookie jar and no token."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(hub.url, cookie_jar=jar) as session:
        yield session


async def _log_in(
    person: aiohttp.ClientSession, hub: RunningHub, token: str, **headers: str
) -> aiohttp.ClientResponse:
    form = {"token": token, "after": "/cases"}
    sent = {"Origin": hub.url, **headers}
    return await person.post("/login", data=form, headers=sent, allow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/find", "/cases", "/o/order/shopify-eu/1", "/lineage/1-1-1-1-1"])
async def test_pages_lead_to_the_login(person: aiohttp.ClientSession, path: str) -> None:
    """Without a session every page leads to the form, which leads back."""
    async with person.get(path, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"].startswith("/login?after=")
        assert await answer.read() == b""


async def test_login_and_logout(person: aiohttp.ClientSession, hub: RunningHub) -> None:
    """The operator token opens a session whose cookie is strict and unreadable to scripts; logging out ends it."""
    answer = await _log_in(person, hub, hub.token)
    assert (answer.status, answer.headers["Location"]) == (303, "/cases")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert re.search(r"SameSite=(lax|strict)", cookie, re.IGNORECASE)
    page = await (await person.get("/cases")).text()
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf
    await person.post("/logout", data={"csrf": csrf[1]}, headers={"Origin": hub.url}, allow_redirects=False)
    assert (await person.get("/cases", allow_redirects=False)).status == 303


async def test_wrong_token_and_foreign_pages_are_refused(
    person: aiohttp.ClientSession, hub: RunningHub
) -> None:
    """A wrong token opens nothing; a form that another site sent is refused even with the right one."""
    answer = await _log_in(person, hub, "xd_00000000_wrong")
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    form = {"token": hub.token}
    foreign = await person.post(
        "/login", data=form, headers={"Origin": "https://evil.example"}, allow_redirects=False
    )
    assert foreign.status == 403


async def test_login_leads_nowhere_else(person: aiohttp.ClientSession, hub: RunningHub) -> None:
    """`after` names a page of this hub or is ignored."""
    form = {"token": hub.token, "after": "//evil.example/"}
    answer = await person.post("/login", data=form, headers={"Origin": hub.url}, allow_redirects=False)
    assert answer.headers["Location"] == "/"


async def test_an_action_needs_the_form_of_its_own_session(
    person: aiohttp.ClientSession, hub: RunningHub
) -> None:
    """A retry without the session's own form token changes nothing."""
    await _log_in(person, hub, hub.token)
    answer = await person.post(
        "/cases/1/retry",
        data={"csrf": "guess", "reason": "x"},
        headers={"Origin": hub.url},
        allow_redirects=False,
    )
    assert answer.status == 403


async def test_too_many_wrong_tokens_close_the_door(person: aiohttp.ClientSession, hub: RunningHub) -> None:
    """After ten wrong tokens for one account it is not asked any more, right or wrong; others still get in."""
    elsewhere = {
        "X-Forwarded-For": "203.0.113.9"
    }  # this address must not be shut out of the tests that follow
    answers = [(await _log_in(person, hub, "xd_0badc0de_wrong", **elsewhere)).status for _ in range(11)]
    assert answers[0] == 403
    assert answers[-1] == 429


@needs_browser
@pytest.mark.page
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1920, True)])
async def test_the_story_of_a_done_order(trading: Trade, page: Page, width: int, dark: bool) -> None:
    """The first sentence says that it is done; every milestone is a fact; each system names its document; nothing is cut off."""
    reference = await trading.order(("WID-1", 2))
    await trading.until(reference, "completed")
    await page.look(width, dark=dark)
    await page.open(f"{trading.api.hub.url}/o/order/{reference}")
    assert "Complete: every line is shipped, delivered and invoiced" in await page.text(".sentence")
    assert await page.js(
        "[...document.querySelectorAll('.milestones li')].every(x => x.classList.contains('c-actual'))"
    )
    systems = await page.text(".systems")
    for named in ("SAP", "Manhattan", "UPS", "Shopify", "CRM", "portal"):
        assert named in systems
    assert await page.js("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert await page.js("getComputedStyle(document.documentElement).backgroundColor") == (
        "rgb(22, 24, 26)" if dark else "rgb(251, 251, 250)"
    )


@needs_browser
@pytest.mark.page
async def test_the_story_lives_without_jumping(trading: Trade, page: Page) -> None:
    """While the order goes on, the sentence follows by itself; new happenings wait behind a button."""
    reference = await trading.order(("MUG-1", 1))
    await trading.until(
        reference, "released", "picking", "packed", "shipped", "delivered", "completed", "approved"
    )
    await page.open(f"{trading.api.hub.url}/o/order/{reference}")
    shown = await page.js("document.querySelectorAll('#timeline [data-row]').length")
    await trading.until(reference, "completed")
    await page.until(
        "document.querySelector('.sentence').innerText.includes('Complete')", "the sentence follows"
    )
    total = await page.js("document.querySelectorAll('#timeline [data-row]').length")
    assert total == shown, "rows were moved under the reader"
    if await page.js("!document.getElementById('news').hidden"):
        await page.press("n")
        assert await page.js("document.querySelectorAll('#timeline [data-row]').length") > shown


@needs_browser
@pytest.mark.page
async def test_lineage_by_keyboard(trading: Trade, page: Page) -> None:
    """j and Enter open raw, canonical, sent and answered; personal data is masked until a reason is given."""
    reference = await trading.order(("PEN-1", 1))
    await trading.until(reference, "completed")
    await page.open(f"{trading.api.hub.url}/o/order/{reference}")
    await page.js(
        "[...document.querySelectorAll('tr[data-ref]')].filter(x => x.innerText.includes('placed order'))[0].focus()"
    )
    await page.press("Enter")
    await page.until(
        "document.querySelectorAll('tr.panel .stages section').length === 4", "four stages are shown"
    )
    panel = await page.text("tr.panel")
    assert "•••" in panel
    body = json.loads(await page.js("document.querySelector('tr.panel pre').innerText"))
    assert body["email"] == "•••"
    await page.js(
        "document.querySelector('tr.panel input[name=reason]').value = 'the customer is on the phone'"
    )
    await page.js("document.querySelector('tr.panel form button').click()")
    await page.until(
        "document.querySelector('tr.panel').innerText.includes('Personal data is shown')", "it is shown"
    )
    assert "•••" not in await page.text("tr.panel pre")
    await page.press("Escape")
    assert await page.js("document.querySelector('tr.panel') === null")


@needs_browser
@pytest.mark.page
async def test_keys_and_theme(trading: Trade, page: Page) -> None:
    """`/` goes to find, `t` shows technical detail, the theme lasts over pages."""
    await page.open(trading.api.hub.url + "/cases")
    await page.press("/")
    assert await page.js("document.activeElement.name") == "q"
    await page.press("Escape")
    await page.press("t")
    assert await page.js("document.documentElement.classList.contains('technical')")
    before = await page.js("getComputedStyle(document.documentElement).backgroundColor")
    await page.js("document.querySelector('[data-act=theme]').click()")
    await page.open(trading.api.hub.url + "/")
    assert await page.js("getComputedStyle(document.documentElement).backgroundColor") != before
    assert await page.js("document.documentElement.classList.contains('technical')")


@needs_browser
@pytest.mark.page
async def test_what_partners_write_stays_text(trading: Trade, page: Page) -> None:
    """Markup in an order's fields is shown as it came and never run."""
    reference = await trading.order(
        note=NASTY, lines=[{"sku": f"GHOST-{NASTY}", "quantity": 1, "price": "1.00", "title": NASTY}]
    )
    await trading.until(reference, "held", "rejected")
    for path in (f"/o/order/{reference}", "/cases", "/", f"/find?q={reference.rpartition('/')[2]}"):
        await page.open(trading.api.hub.url + path)
        assert await page.js("document.title") != "owned"
        assert await page.js("document.querySelectorAll('main img').length") == 0
    assert "onerror" in await page.text("main")


async def test_a_case_is_retried_from_the_console(trading: Trade) -> None:
    """A held order's case says what a retry would do; retried with a reason after the cause is gone, the order goes on."""
    hub = trading.api.hub
    reference = await trading.order(("BAG-1", 1), hold_seconds=0.6)
    await trading.twin("sap-1", "/credit", {"blocked_references": [reference]}, "PUT")
    await trading.until(reference, "held")
    async with aiohttp.ClientSession(hub.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as person:
        await _log_in(person, hub, hub.token)
        text = await (await person.get("/cases")).text()
        assert "held order again" in text
        csrf = re.search(r'name="csrf" value="([^"]+)"', text)
        case = re.search(r'action="/cases/(\d+)/retry"', text)
        assert csrf
        assert case
        await trading.twin("sap-1", "/credit/release", {"reference": reference}, "POST")
        form = {"csrf": csrf[1], "reason": "paid by bank transfer"}
        answer = await person.post(
            f"/cases/{case[1]}/retry", data=form, headers={"Origin": hub.url}, allow_redirects=False
        )
        assert answer.status == 303
    await trading.until(reference, "completed")

    async def closed() -> bool:
        found = await trading.api.get("/v1/cases")
        return all(str(x["id"]) != case[1] for x in found["cases"])

    await eventually(closed, what="the case is closed")
